"""The original bytes of documents, each under its SHA-256: `ab/abcd…`. Names given by users never reach the disk."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from core import faults
from core.errors import Misconfigured, StorageFull, TooLarge
from core.faults import Point

_HASH = re.compile(r"[0-9a-f]{64}")
_CHECK_EVERY_BYTES = 16 * 2**20
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Received:
    """A file that arrived whole and lies on the disk under its hash."""

    sha256: str
    size_bytes: int
    path: Path


class FileStore:
    """Files under one folder; several processes may use it at once.

    A temporary file and one just received are held by an `flock`, which the kernel drops when their process
    dies: so leftovers can be told from uploads in progress without guessing by age.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def receive(self, pieces: Iterable[bytes], *, max_bytes: int, reserve_bytes: int) -> Iterator[Received]:
        """Store what arrives, fsynced and renamed; inside the `with` block nobody removes it, so record it there.

        Raises `TooLarge` beyond `max_bytes`, `StorageFull` when less than `reserve_bytes` would stay free.
        Whatever is raised, by `pieces` too, no part of a file is left behind.
        """
        with _mapped(), self._temporary() as file:
            temporary = Path(file.name)
            try:
                sha256, size_bytes = self._write(file.fileno(), pieces, max_bytes, reserve_bytes)
                path = self._place(temporary, sha256)
            finally:
                temporary.unlink(missing_ok=True)
            faults.reach(Point.FILE_WITHOUT_ROW)
            yield Received(sha256, size_bytes, path)

    def path(self, sha256: str) -> Path:
        """Return where the bytes with this hash lie, or would lie."""
        if not _HASH.fullmatch(sha256):
            raise ValueError("not a SHA-256")
        return self._folder / sha256[:2] / sha256

    def remove(self, sha256: str, *, is_needed: Callable[[], bool]) -> bool:
        """Remove the bytes unless they are being received again or `is_needed`; say whether they are gone.

        `is_needed` asks the database whether a row refers to them. It is called when no upload can slip in between.
        Nothing is removed while somebody is in `hold`.
        """
        path = self.path(sha256)
        with self._guard():
            if not path.exists():
                return True
            if _is_held(self._folder) or _is_held(path) or is_needed():
                return False
            path.unlink(missing_ok=True)
            return True

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep whatever lies here until the block ends: a backup reads what its snapshot of the database names.

        What is deleted meanwhile becomes an orphan, for `sweep_orphans`.
        """
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with self._guard():
                fcntl.flock(fd, fcntl.LOCK_SH)
            yield
        finally:
            os.close(fd)

    def sweep(self) -> int:
        """Remove what uploads that died left; return how many files."""
        with self._guard():
            leftovers = [path for path in self._incoming.iterdir() if not _is_held(path)]
            for path in leftovers:
                path.unlink(missing_ok=True)
        return len(leftovers)

    def sweep_orphans(self, known: Collection[str], *, is_needed: Callable[[str], bool]) -> int:
        """Remove files that no document refers to; return how many.

        `known` may be out of date: what it lacks is asked of `is_needed`, see `remove`.
        """
        found = (path.name for path in self._folder.glob("??/*") if _HASH.fullmatch(path.name))
        return sum(self.remove(name, is_needed=partial(is_needed, name)) for name in found if name not in known)

    def _temporary(self) -> IO[bytes]:
        with self._guard():
            faults.write()
            file = tempfile.NamedTemporaryFile(dir=self._incoming, delete=False)  # noqa: SIM115 -- the caller closes it
            fcntl.flock(file, fcntl.LOCK_SH)
        return file

    def _write(self, fd: int, pieces: Iterable[bytes], max_bytes: int, reserve_bytes: int) -> tuple[str, int]:
        digest, size_bytes, next_check = hashlib.sha256(), 0, 0
        for piece in pieces:
            size_bytes += len(piece)
            if size_bytes > max_bytes:
                limit = max(1, max_bytes // 2**20)
                raise TooLarge("file_too_large", f"Файл больше {limit} МБ. Разделите его на части или сожмите.")
            if size_bytes >= next_check:
                self._require_room(reserve_bytes)
                next_check = size_bytes + _CHECK_EVERY_BYTES
            digest.update(piece)
            _write_all(fd, piece)
            faults.reach(Point.HALF_RECEIVED)
        faults.write()
        os.fsync(fd)
        return digest.hexdigest(), size_bytes

    def _require_room(self, reserve_bytes: int) -> None:
        if shutil.disk_usage(self._folder).free < reserve_bytes:
            raise _full()

    def _place(self, temporary: Path, sha256: str) -> Path:
        path = self.path(sha256)
        faults.write()
        path.parent.mkdir(exist_ok=True)
        with self._guard():
            temporary.replace(path)
        _sync_folder(path.parent)
        _sync_folder(self._folder)
        return path

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Keep removals apart from the moments in which a file appears and is not held yet, or takes its place."""
        with (self._folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise _full() from exc
        if exc.errno == errno.EROFS:
            raise _read_only() from exc
        raise


def _full() -> StorageFull:
    return StorageFull("disk_full", "На диске не хватает места для файла. Освободите место и загрузите снова.")


def _read_only() -> Misconfigured:
    detail = "Диск с папкой данных открыт только для чтения: файл не принят. Верните запись и загрузите снова."
    return Misconfigured("disk_read_only", detail)


def _is_held(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _write_all(fd: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        faults.write()
        view = view[os.write(fd, view) :]


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
