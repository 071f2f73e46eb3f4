"""A folder for what is not whole yet, beside the place where it will stand."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import InvalidRequest

_PREFIX = ".znayka-backup-"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


@contextmanager
def aside(parent: Path) -> Iterator[Path]:
    """A private folder in `parent`, gone in the end; also clears away what killed predecessors left there.

    The living hold theirs by an `flock`, which the kernel drops when their process dies. Where folders cannot be
    locked, as over NFS, leftovers stay.
    """
    for left in parent.glob(f"{_PREFIX}*"):
        with _locked(left, fcntl.LOCK_EX | fcntl.LOCK_NB) as is_ours:
            if is_ours:
                shutil.rmtree(left, ignore_errors=True)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        with _locked(folder, fcntl.LOCK_EX):
            if not folder.exists():  # another one took it for a leftover before it was locked
                continue
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return


def publish(whole: Path, target: Path) -> None:
    """Give a finished file its name; raise `InvalidRequest` when something bears it already."""
    try:
        target.hardlink_to(whole)
    except FileExistsError as exc:
        raise taken(target) from exc
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        if target.exists():
            raise taken(target) from exc
        whole.rename(target)
    sync_folder(target.parent)


def taken(target: Path) -> InvalidRequest:
    """The refusal to write over something."""
    return InvalidRequest("backup_exists", f"«{target}» уже есть, а копии не перезаписываются. Выберите другое имя.")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlive a loss of power."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[bool]:
    """Say whether the folder is locked until the block ends: another one may hold it, or it cannot be locked at all."""
    try:
        fd, is_ours = os.open(folder, os.O_RDONLY | os.O_DIRECTORY), False
    except OSError:  # cleared away by another one, or not a folder
        yield False
        return
    try:
        with suppress(OSError):
            fcntl.flock(fd, how)
            is_ours = True
        yield is_ours
    finally:
        os.close(fd)
