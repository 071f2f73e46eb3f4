"""Hashes of model files: always checked, but a file of gigabytes is read once and then known by its stamp."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import Misconfigured

BLOCK_BYTES = 1 << 20


class WrongModelFile(Misconfigured):
    """The file is absent or not the one expected; `path` and `expected_sha256` name it for `/ready`."""

    def __init__(self, code: str, detail: str, *, path: Path, expected_sha256: str) -> None:
        super().__init__(code, detail)
        self.path = path
        self.expected_sha256 = expected_sha256


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file looked like when its hash was last computed: any change makes it be read again."""

    sha256: str
    size_bytes: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path, sha256: str) -> Stamp:
        """Stamp `path` as it is now. Raises OSError."""
        stat = path.stat()
        return cls(sha256, stat.st_size, stat.st_mtime_ns, stat.st_ino)


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` so that a reader, or a crash, sees the old text or the new one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def sha256_of(path: Path) -> str:
    """SHA-256 of the whole file, in hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def require(path: Path, expected_sha256: str, *, advice: str, trust_stamp: bool = True) -> None:
    """Check that `path` has this hash, by its stamp when that still holds; raise `WrongModelFile` with `advice`.

    An empty hash means that only the file's absence can be told.
    """
    if not path.is_file():
        promised = f"ожидаемый SHA-256 {expected_sha256}" if expected_sha256 else "SHA-256 сообщит сервер моделей"
        detail = f"Нет файла модели {path} ({promised}). {advice}"
        raise WrongModelFile("model_missing", detail, path=path, expected_sha256=expected_sha256)
    if trust_stamp and _read_stamp(path) == Stamp.of(path, expected_sha256):
        return
    # The stamp is taken first: a file that changes while it is read is read again next time.
    stamp = Stamp.of(path, expected_sha256)
    actual = sha256_of(path)
    if actual != expected_sha256:
        detail = f"Файл модели {path} испорчен: SHA-256 {actual}, а должен быть {expected_sha256}. {advice}"
        raise WrongModelFile("model_corrupt", detail, path=path, expected_sha256=expected_sha256)
    write_stamp(path, stamp)


def write_stamp(path: Path, stamp: Stamp) -> None:
    """Remember beside `path` that its hash was computed."""
    write_atomically(_stamp_path(path), json.dumps(asdict(stamp)))


def _stamp_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified.json")


def _read_stamp(path: Path) -> Stamp | None:
    try:
        return Stamp(**json.loads(_stamp_path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
