"""Folders that are made once from something else and kept: unpacked weights, converted models."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from core.errors import Misconfigured, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

STAMP = ".content-hash.json"
BUILT = ".built"

_LOG = logging.getLogger(__name__)


def build_once(target: Path, build: Callable[[Path], None]) -> Path:
    """Return `target`, a folder that `build` fills if it is not there yet.

    Built aside, synced and renamed, so that it is complete or absent; processes that want the same folder
    at the same time wait for the first of them.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f"{target.name}.lock")):
        if not target.is_dir():
            _build(target, build)
    return target


def build_model(target: Path, build: Callable[[Path], None]) -> Path:
    """`build_once` for a model, which is built anew when its files are no longer those that `build` left.

    A folder that was put there by hand, or by a release that took no note, is used as it is. The note lies beside
    the files: it tells of damage and of careless changes, not of somebody who may write there and knows of it.
    """

    def build_and_note(aside: Path) -> None:
        build(aside)
        (aside / BUILT).write_text(content_hash(aside), encoding="ascii")
        _sync(aside / BUILT)

    # A name that the builder's sweep passes over: until there is another, these files are the only copy.
    former = target.with_name(f"{target.name}.changed")
    if _is_changed(target):
        with FileLock(target.with_name(f"{target.name}.lock")):
            if _is_changed(target):
                _LOG.warning("the model in %s is not the one that was put there: it is made again", target)
                shutil.rmtree(former, ignore_errors=True)
                target.rename(former)
    try:
        build_once(target, build_and_note)
    except Exception as exc:
        if former.is_dir():
            raise _not_made_again(target, former, exc) from exc
        raise
    # Renamed first: half removed, it would be offered as whole after a failure.
    _remove(former)
    return target


def _not_made_again(target: Path, former: Path, why: Exception) -> Misconfigured:
    reason = why.detail if isinstance(why, ServiceError) else f"{why}."
    return Misconfigured(
        "model_changed",
        f"Файлы модели в {target} изменились после установки, а получить её заново не вышло: {reason} Изменённые файлы "
        f"не удалены, они в {former}. Дайте доступ к сети и запустите снова или верните в {target} целую копию. Если "
        f"файлы изменили вы сами, верните их на место без файла {BUILT}: тогда они не проверяются.",
    )


def _remove(former: Path) -> None:
    gone = former.with_name(f".{former.name}.{os.getpid()}")
    with suppress(OSError):  # absent, or another process was quicker
        shutil.rmtree(former.rename(gone), ignore_errors=True)


def _is_changed(folder: Path) -> bool:
    try:
        return (folder / BUILT).read_text(encoding="utf-8", errors="replace") != content_hash(folder)
    except FileNotFoundError:
        return False


def _build(target: Path, build: Callable[[Path], None]) -> None:
    for abandoned in target.parent.glob(f".{target.name}.*"):  # by a process that was killed; we hold the lock
        shutil.rmtree(abandoned, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        build(aside)
        for path in [*_files(aside), aside]:
            _sync(path)
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    _sync(target.parent)


def content_hash(folder: Path) -> str:
    """SHA-256 over the names and bytes of all files in `folder`, hidden ones left out.

    Kept in a hidden file beside them with their sizes and times of change, because reading half a gigabyte
    would make every start wait.
    """
    stamp = [[path.relative_to(folder).as_posix(), *_size_and_time(path)] for path in _files(folder)]
    kept = folder / STAMP
    try:
        known = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if known.get("files") != stamp:
        known = {"files": stamp, "sha256": _content_hash(folder, tuple(map(tuple, stamp)))}
        with suppress(OSError):  # a folder that we may only read is hashed at every start
            kept.write_text(json.dumps(known), encoding="utf-8")
    return str(known["sha256"])


def _size_and_time(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=8)
def _content_hash(folder: Path, _stamp: tuple[tuple[str | int, ...], ...]) -> str:
    """Read all files, once for a state of them: where no note can be left, both who check and who name them ask."""
    total = hashlib.sha256()
    for path in _files(folder):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return total.hexdigest()


def _files(folder: Path) -> list[Path]:
    visible = (p for p in folder.rglob("*") if not any(part.startswith(".") for part in p.relative_to(folder).parts))
    return sorted(p for p in visible if p.is_file())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
