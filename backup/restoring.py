"""A backup put back into an empty data folder: all of it, or nothing that a service would take for a base."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from backup.archive import Member
from backup.aside import sync_folder
from backup.manifest import DATABASE, FILES, KEPT, Manifest
from backup.reading import Backup, opened
from core import faults
from core.errors import InvalidRequest, Misconfigured, StorageFull
from retrieval.store import audit, census, jobs
from retrieval.store.audit import Event
from retrieval.store.database import RESTORING, Database

Progress = Callable[[int, int], None]
_STAGE = ".restoring"
# What a folder may hold and still be taken for empty: nothing of it belongs to a base.
_HARMLESS = {"lost+found", "logs", "models"}
# A service that was started over an unfinished restore leaves its lock before it refuses.
_OF_UNFINISHED = {_STAGE, FILES, *KEPT, "worker.lock", "znayka.db.lock"}
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a base is to stand: the data folder and the database's file, inside it or elsewhere."""

    data_dir: Path
    database: Path

    @property
    def stage(self) -> Path:
        """Files that are not switched on yet."""
        return self.data_dir / _STAGE

    @property
    def marker(self) -> Path:
        """The database before it is switched on. While it exists every part of the service refuses to start."""
        return self.database.with_name(self.database.name + RESTORING)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back; `requeued` documents were in a worker's hand when the backup was made."""

    manifest: Manifest
    requeued: int


def restore(path: Path, place: Place, event: Event, *, progress: Progress) -> Restored:
    """Put the backup at `path` back, upgraded to this release's schema, with `event` as the last of its audit log.

    Raises `InvalidRequest` when something is there already, `Misconfigured` when the backup is damaged or newer,
    `StorageFull`; then all is as it was. After a death the folder refuses to serve until a second call ends well.
    """
    with opened(path) as backup, _mapped(place), _claimed(place):
        _unpack(backup, place, progress)
        requeued = _settle(backup, place, event)
        _take_ownership(place)
        _switch_on(place)
    return Restored(backup.manifest, requeued)


@contextmanager
def _claimed(place: Place) -> Iterator[None]:
    """Hold the empty folder, with the marker in it; after a failure leave it as it was found."""
    was_there, is_done = place.data_dir.exists(), False
    for folder in (place.data_dir, place.database.parent):
        folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(place.data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(fd, place)
        _mark(place)
        try:
            yield
            is_done = True
        finally:
            if not is_done:
                _give_up(place, was_there=was_there)
    finally:
        os.close(fd)


def _mark(place: Place) -> None:
    if place.marker.exists():
        _clear(place)
    _require_empty(place)
    place.marker.touch(0o600)
    sync_folder(place.marker.parent)


def _give_up(place: Place, *, was_there: bool) -> None:
    _clear(place)
    place.marker.unlink(missing_ok=True)
    if not was_there:
        with suppress(OSError):
            place.data_dir.rmdir()


def _lock(fd: int, place: Place) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise InvalidRequest(
            "restore_running", f"В {place.data_dir} уже идёт восстановление. Дождитесь его конца."
        ) from exc


def _require_empty(place: Place) -> None:
    found = sorted({path.name for path in place.data_dir.iterdir()} - _HARMLESS - {place.marker.name})
    if place.database.exists() and place.database.name not in found:
        found.append(str(place.database))
    if found:
        raise InvalidRequest(
            "folder_not_empty",
            f"Папка данных {place.data_dir} не пуста (в ней {', '.join(found[:3])}), а восстановление ничего не "
            "перезаписывает. Остановите службу, переименуйте эту папку и повторите.",
        )


def _clear(place: Place) -> None:
    """Remove what an unfinished restore left, but the marker itself."""
    for name in _OF_UNFINISHED:
        path = place.data_dir / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for suffix in ("-wal", "-shm", "-journal"):
        place.marker.with_name(place.marker.name + suffix).unlink(missing_ok=True)


def _unpack(backup: Backup, place: Place, progress: Progress) -> None:
    free = shutil.disk_usage(place.data_dir).free
    if free < backup.size_bytes:
        raise _full(place, f"нужно {backup.size_bytes // 10**6 + 1} МБ, свободно {free // 10**6} МБ")
    done_bytes = 0
    for member in backup.contents:
        for size_bytes in _write(backup, member, _target(place, member)):
            done_bytes += size_bytes
            progress(done_bytes, backup.size_bytes)


def _target(place: Place, member: Member) -> Path:
    return place.marker if member.name == DATABASE else place.stage / member.name


def _write(backup: Backup, member: Member, path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
        for piece in backup.read(member):
            faults.write()
            file.write(piece)
            yield len(piece)
        file.flush()
        os.fsync(file.fileno())


def _settle(backup: Backup, place: Place, event: Event) -> int:
    """Make the copied database this release's, and nobody's: no worker that held a document is alive."""
    with closing(Database(f"sqlite:///{place.marker.absolute()}")) as database:
        if damage := database.damage():
            raise Misconfigured(
                "backup_damaged", f"База данных в копии повреждена ({damage[0]}). Возьмите другую копию."
            )
        database.migrate()
        with database.write() as conn:
            requeued = jobs.release_all(conn, now=event.at)
            audit.write(conn, [event])
            held = census.take(conn)
    wanted = {one.sha256: one.name for one in held.files if one.sha256 not in backup.manifest.missing}
    lacking = [name for sha256, name in wanted.items() if sha256 not in backup.sums.values()]
    if lacking:
        raise Misconfigured("backup_damaged", f"В копии нет файла документа «{lacking[0]}». Возьмите другую копию.")
    return requeued


def _take_ownership(place: Place) -> None:
    """What root restores belongs to whom the folder belongs, or the service could not write there."""
    if os.geteuid() != 0:
        return
    owner = place.data_dir.stat()
    for path in (place.marker, place.stage, *place.stage.rglob("*")):
        if path.exists():
            os.chown(path, owner.st_uid, owner.st_gid)


def _switch_on(place: Place) -> None:
    """The database gets its name last: that is what a service looks for."""
    if place.stage.exists():
        for path in place.stage.rglob("*/"):
            sync_folder(path)
        for path in place.stage.iterdir():
            path.rename(place.data_dir / path.name)
        place.stage.rmdir()
    sync_folder(place.data_dir)
    place.marker.rename(place.database)
    sync_folder(place.database.parent)


def _full(place: Place, why: str) -> StorageFull:
    return StorageFull(
        "disk_full", f"В {place.data_dir} не хватает места для восстановления ({why}). Освободите место и повторите."
    )


@contextmanager
def _mapped(place: Place) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise _full(place, "диск полон") from exc
        raise Misconfigured(
            "restore_unwritable",
            f"Копия не восстановлена в {place.data_dir}: {exc.strerror}. Проверьте права и диск, затем повторите.",
        ) from exc
