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

    The living hold theirs by an `flock`, which the kernel drops when their process dies.
    """
    for left in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError), _locked(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(left)
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
def _locked(folder: Path, how: int) -> Iterator[None]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        os.close(fd)
