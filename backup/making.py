"""Making a backup while the service runs: one moment of the database, then the bytes that moment names."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import IO

from backup.archive import BLOCK, Writer, is_name
from backup.aside import aside, publish, taken
from backup.manifest import DATABASE, KEPT, MANIFEST, SUMS, Counts, Manifest, file_name, write_sums
from core.errors import InvalidRequest, Misconfigured, ServiceError, StorageFull
from ingest.files import FileStore
from ingest.soundness import examine
from ingest.upkeep import sweep
from retrieval.store import census
from retrieval.store.census import Census, StoredFile
from retrieval.store.database import DAMAGED, Database, newest_schema

Progress = Callable[[int, int], None]
_FULL_CODE = "backup_disk_full"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Source:
    """What is backed up. `encoder` is what the settings call the embedding model."""

    database: Database
    data_dir: Path
    encoder: str


@dataclass(frozen=True, slots=True)
class Made:
    """A finished backup; `missing` are documents whose bytes were not there or not whole, so it lacks them."""

    path: Path
    manifest: Manifest
    missing: tuple[StoredFile, ...]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    path: Path
    schema: str
    held: Census


def make(source: Source, target: Path, *, moment: float, progress: Progress) -> Made:
    """Write the backup to `target`, which must not exist; until it is whole nothing stands under that name.

    While it is made no bytes are removed, so that every document of the snapshot has its own, even one deleted
    meanwhile; what was kept only for this goes at the end. `progress` is told bytes: done and total.
    Raises `InvalidRequest`, `StorageFull`, and `Misconfigured` for a base that is damaged or newer than this release.
    """
    _require_place(source, target)
    schema = source.database.require_usable()
    if schema is None:
        raise Misconfigured("no_database", f"Базы данных {source.database.path} нет: копировать нечего.")
    files = FileStore(source.data_dir / "files")
    with _mapped(target.parent), aside(target.parent) as folder:
        with files.hold():
            snapshot = _snapshot(source.database, folder / DATABASE, schema)
            made = _write(source, snapshot, _Writing(folder / "whole", moment, progress))
        publish(folder / "whole", target)
    with suppress(ServiceError, OSError):
        sweep(source.database, files)
    return Made(target, made.manifest, made.missing)


def _require_place(source: Source, target: Path) -> None:
    if not target.parent.is_dir():
        raise InvalidRequest("no_folder", f"Папки {target.parent} нет. Создайте её или укажите другую.")
    if target.exists() or target.is_symlink():
        raise taken(target)
    if target.parent.resolve().is_relative_to(source.data_dir.resolve()):
        raise InvalidRequest(
            "backup_inside",
            f"Копия внутри папки данных {source.data_dir} пропадёт вместе с ней. "
            "Укажите другую папку, лучше на другом диске.",
        )


def _snapshot(database: Database, path: Path, schema: str) -> _Snapshot:
    """Copy the database and look whether the copy is sound: a damaged one must not push good backups out."""
    _require_room(path.parent, database.path.stat().st_size)
    path.touch(0o600)
    database.copy_to(path)
    with closing(Database(f"sqlite:///{path.absolute()}")) as copy:
        damage = examine(copy) if schema == newest_schema() else copy.damage()
        if damage:
            raise Misconfigured(
                DAMAGED,
                f"Копия не сделана: база данных повреждена ({damage[0]}). Прежние копии не тронуты; см. znayka doctor.",
            )
        with copy.read() as conn:
            return _Snapshot(path, schema, census.take(conn))


@dataclass(slots=True)
class _Writing:
    """Where the archive is written, and how far it is."""

    path: Path
    moment: float
    progress: Progress
    total_bytes: int = 0
    done_bytes: int = 0

    def advance(self, size_bytes: int) -> None:
        self.done_bytes += size_bytes
        self.progress(self.done_bytes, max(self.total_bytes, self.done_bytes))


def _write(source: Source, snapshot: _Snapshot, writing: _Writing) -> Made:
    database_bytes, held = snapshot.path.stat().st_size, snapshot.held
    writing.total_bytes = database_bytes + held.files_bytes
    _require_room(writing.path.parent, writing.total_bytes + 2 * BLOCK * len(held.files))
    with _created(writing.path) as archive:
        writer = Writer(archive, int(writing.moment), writing.advance)
        with snapshot.path.open("rb") as copy:
            writer.add(DATABASE, copy, database_bytes)
        missing = tuple(one for one in held.files if not _add_document(writer, source.data_dir, one))
        for name in KEPT:
            _add_kept(writer, source.data_dir, source.data_dir / name)
        manifest = _manifest(source, snapshot, writing.moment, missing)
        for name, text in ((MANIFEST, manifest.model_dump_json(indent=2).encode()), (SUMS, None)):
            content = write_sums(writer.sums) if text is None else text
            writer.add(name, BytesIO(content), len(content))
        writer.finish()
    return Made(writing.path, manifest, missing)


def _add_document(writer: Writer, data_dir: Path, stored: StoredFile) -> bool:
    name = file_name(stored.sha256)
    try:
        with (data_dir / name).open("rb") as source:
            return writer.add(name, source, os.fstat(source.fileno()).st_size, expected=stored.sha256)
    except FileNotFoundError:
        return False


def _add_kept(writer: Writer, data_dir: Path, path: Path) -> None:
    """Add a file, or a folder's files; one that is removed meanwhile, or still unfinished, is left out."""
    if path.is_dir() and not path.is_symlink():
        for one in sorted(path.iterdir()):
            _add_kept(writer, data_dir, one)
        return
    name = path.relative_to(data_dir).as_posix()
    with suppress(FileNotFoundError, NotADirectoryError):
        if is_name(name) and path.is_file():
            with path.open("rb") as source:
                writer.add(name, source, os.fstat(source.fileno()).st_size)


def _manifest(source: Source, snapshot: _Snapshot, moment: float, missing: tuple[StoredFile, ...]) -> Manifest:
    held = snapshot.held
    return Manifest(
        application=version("znayka"),
        schema_version=snapshot.schema,
        created_at=datetime.fromtimestamp(int(moment), UTC).isoformat(),
        encoder=source.encoder,
        fingerprint=held.fingerprint,
        counts=Counts(
            documents=held.documents, passages=held.passages, files=len(held.files), files_bytes=held.files_bytes
        ),
        missing=tuple(one.sha256 for one in missing),
    )


@contextmanager
def _created(path: Path) -> Iterator[IO[bytes]]:
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _require_room(folder: Path, size_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        raise _full(folder, f"нужно {size_bytes // 10**6 + 1} МБ, свободно {free // 10**6} МБ")


def _full(folder: Path, why: str) -> StorageFull:
    return StorageFull(
        _FULL_CODE, f"В папке {folder} не хватает места для копии ({why}). Освободите место или укажите другую папку."
    )


@contextmanager
def _mapped(folder: Path) -> Iterator[None]:
    try:
        yield
    except StorageFull as exc:  # ours, or the database's, which speaks of another disk
        raise exc if exc.code == _FULL_CODE else _full(folder, "диск полон") from exc
    except OSError as exc:
        if exc.errno in _FULL:
            raise _full(folder, "диск полон") from exc
        raise Misconfigured(
            "backup_unwritable", f"Копия не записана в {folder}: {exc.strerror}. Проверьте права и диск."
        ) from exc
