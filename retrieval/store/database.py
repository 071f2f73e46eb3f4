"""One engine, two kinds of transaction, and the mapping of the database's errors to ours."""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from core import faults
from core.errors import Misconfigured, ServiceError, StorageFull, TryLater
from retrieval import personal_data

MIGRATIONS = Path(__file__).parent / "migrations"
WAL_RETRY_S = 0.02
DAMAGED = "database_damaged"
RESTORE = "Остановите службу и восстановите папку данных из резервной копии (docs/operations.md)."
RESTORING = ".restoring"  # after the name of a database whose restore has not come to its end
_DAMAGE = ("malformed", "not a database", "could not decode to utf-8", "corrupt")


class Database:
    """Connections to SQLite. One object a process; threads may share it.

    Raises `TryLater` when another writer holds the database for longer than `busy_timeout_s`,
    `StorageFull` when the disk has no room.
    """

    def __init__(self, url: str, *, busy_timeout_s: float = 10.0) -> None:
        self.path = path_of(url)
        self.damage_met = ""  # what SQLite said when it met a damaged page
        self.engine = _engine(url, self.path, busy_timeout_s)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot: every statement inside sees the same state."""
        with self._mapped(), self.engine.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that holds the only write lock from its start; rolled back on any error."""
        with self._mapped(), self.engine.connect() as conn:
            conn.execution_options(znayka_write=True)
            with conn.begin():
                yield conn

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as exc:
            raise self._met(exc.orig) from exc
        except sqlite3.Error as exc:  # from our own listeners, whose errors SQLAlchemy passes on as they are
            raise self._met(exc) from exc

    def _met(self, exc: BaseException | None) -> ServiceError:
        error = _ours(exc)
        if error.code == DAMAGED:
            self.damage_met = str(exc)
        if "readonly" in str(exc):  # what was opened while the disk was closed for writing would stay so for ever
            self.engine.dispose()
        return error

    def migrate(self) -> None:
        """Bring the schema up to this release; safe when several processes start at once.

        Raises `Misconfigured` when the database was written by a newer release, or is not restored to its end.
        """
        self._require_restored()
        config = _migrations()
        with self.write() as conn:
            require_known(MigrationContext.configure(conn).get_current_revision())
            config.attributes["connection"] = conn
            command.upgrade(config, "head")

    def require_usable(self) -> str | None:
        """Return the schema of the file as it is, None when there is none yet. Raises as `migrate`, changes nothing."""
        self._require_restored()
        if not self.path.exists():
            return None
        with self.read() as conn:
            return require_known(MigrationContext.configure(conn).get_current_revision())

    def _require_restored(self) -> None:
        if self.path.with_name(self.path.name + RESTORING).exists():
            raise Misconfigured(
                "restore_unfinished",
                f"Восстановление из резервной копии в {self.path.parent} не дошло до конца. "
                "Повторите его: znayka restore ФАЙЛ.",
            )

    def copy_to(self, path: Path) -> None:
        """Write one moment of the database into an empty file, while others read and write.

        What was deleted is not in the copy, which a copy of the pages would still hold. Needs the room for it.
        """
        with self._mapped(), closing(self.engine.raw_connection()) as conn:
            raw: Any = conn.driver_connection
            raw.execute("VACUUM INTO ?", (str(path),))

    def damage(self) -> list[str]:
        """What `PRAGMA integrity_check` finds; an empty list when all is well."""
        with self.read() as conn:
            rows = [str(row[0]) for row in conn.execute(text("PRAGMA integrity_check"))]
        return [row for row in rows if row != "ok"]

    def scour(self, *, timeout_s: float = 120.0) -> None:
        """Write the whole file anew and empty the log beside it, so that nothing that was deleted remains in either.

        Readers go on, writers wait. Raises `TryLater` when somebody reads or writes for longer than `timeout_s`,
        `StorageFull` when there is no room for a second copy.
        """
        deadline = time.monotonic() + timeout_s
        with self._mapped(), closing(sqlite3.connect(self.path, isolation_level=None, timeout=timeout_s)) as raw:
            raw.create_function("casefold", 1, str.casefold, deterministic=True)
            raw.execute("PRAGMA synchronous=FULL")
            raw.execute("VACUUM")
            while raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > deadline:
                    raise sqlite3.OperationalError("database is locked by a reader")
                time.sleep(WAL_RETRY_S)

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def path_of(url: str) -> Path:
    """Return the file that a database's URL names; raise `Misconfigured` for a URL of anything else."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise Misconfigured(
            "bad_database_url",
            f"ZNAYKA_DATABASE_URL: база «{parsed.get_backend_name()}» не поддерживается, "
            "нужен адрес вида sqlite:////путь/к/файлу.db.",
        )
    return Path(parsed.database)


def newest_schema() -> str:
    """Return the schema that this release works with."""
    return ScriptDirectory.from_config(_migrations()).get_current_head() or ""


def require_known(schema: str | None) -> str | None:
    """Return the schema; raise `Misconfigured` with both versions for one that only a newer release knows."""
    scripts = ScriptDirectory.from_config(_migrations())
    if schema is not None and schema not in {script.revision for script in scripts.walk_revisions()}:
        raise Misconfigured(
            "schema_newer",
            f"База данных создана более новой версией (схема {schema}, эта версия знает "
            f"{scripts.get_current_head()}). Обновите Знайку или восстановите старую копию базы.",
        )
    return schema


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _engine(url: str, path: Path, busy_timeout_s: float) -> Engine:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise Misconfigured(
            "data_dir_unusable",
            f"Папку данных {path.parent} нельзя создать: {exc.strerror}. Проверьте ZNAYKA_DATA_DIR.",
        ) from exc
    # The connection used last comes first: its cache is warm, and the others' caches and maps stay small.
    # There are as many as threads ask: writers that wait for a lock must not keep readers without one.
    engine = create_engine(
        url,
        pool_use_lifo=True,
        max_overflow=-1,
        connect_args={"check_same_thread": False, "timeout": busy_timeout_s},
    )

    @event.listens_for(engine, "connect")
    def _on_connect(raw: Any, _record: object) -> None:
        raw.create_function("casefold", 1, str.casefold, deterministic=True)  # SQLite's lower() knows ASCII only
        raw.create_function("without_personal_data", 1, personal_data.masked, deterministic=True)
        raw.isolation_level = None  # we say BEGIN ourselves; the driver's own habit breaks DDL and snapshots
        _enter_wal(raw, busy_timeout_s)
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-32768",
            "temp_store=MEMORY",
            "mmap_size=268435456",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(conn: Connection) -> None:
        conn.exec_driver_sql("BEGIN IMMEDIATE" if conn.get_execution_options().get("znayka_write") else "BEGIN")

    if faults.is_armed():
        event.listen(engine, "before_cursor_execute", lambda conn, *_: _meet_fault(conn))
        event.listen(engine, "commit", _meet_fault)
    return engine


def _meet_fault(conn: Connection) -> None:
    """Fail a write as SQLite fails it on such a disk."""
    if not conn.get_execution_options().get("znayka_write"):
        return
    try:
        faults.write()
    except OSError as exc:
        is_full = exc.errno == errno.ENOSPC
        said = "database or disk is full" if is_full else "attempt to write a readonly database"
        raise sqlite3.OperationalError(said) from exc


def _enter_wal(raw: Any, timeout_s: float) -> None:
    """Switch a new file to write-ahead logging; here SQLite does not wait for another process that does the same."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            raw.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(WAL_RETRY_S)
        else:
            return


def _ours(exc: BaseException | None) -> ServiceError:
    said = str(exc).lower()
    if "disk is full" in said:
        return StorageFull("disk_full", "На диске нет места для базы данных. Освободите место и повторите.")
    if isinstance(exc, sqlite3.OperationalError) and ("locked" in said or "busy" in said):
        return TryLater(
            "database_busy", "База данных занята другой операцией. Повторите через несколько секунд.", retry_after_s=5
        )
    if any(sign in said for sign in _DAMAGE):
        return Misconfigured(DAMAGED, f"База данных повреждена ({exc}). {RESTORE}")
    if "readonly" in said or "unable to open" in said or "disk i/o" in said:
        return Misconfigured(
            "database_unusable", f"База данных недоступна ({exc}). Проверьте диск и права, запустите znayka doctor."
        )
    return ServiceError("database_error", f"Ошибка базы данных: {exc}.")
