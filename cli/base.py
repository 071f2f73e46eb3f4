"""The database at the console: opened for one command, with what the audit log says of who gave it."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from core.errors import InvalidRequest

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from retrieval.store.audit import Action, Event
    from retrieval.store.database import Database

CONSOLE = "console:"


@contextmanager
def opened_base() -> Iterator[Database]:
    """Open the database that the settings name, brought up to date; it needs no running service."""
    from core.settings import load_settings
    from retrieval.store.database import Database

    settings = load_settings()
    database = Database(settings.sql_url, busy_timeout_s=settings.database_busy_timeout_s)
    try:
        database.migrate()
        yield database
    finally:
        database.close()


def record(conn: Connection, action: Action, what: str, **detail: str) -> None:
    """Write down what the person at the console does, in the transaction that does it."""
    from retrieval.store import audit

    audit.write(conn, [event(action, what, **detail)])


def event(action: Action, what: str, **detail: str) -> Event:
    """What the person at the console does now."""
    from retrieval.store import audit

    return audit.Event(time.time(), f"{CONSOLE}{_login()}", action, what, detail)


def day(moment: float | None) -> str:
    """A moment as a day, empty for none."""
    return "" if moment is None else datetime.fromtimestamp(moment).strftime("%d.%m.%Y")


def moment_of(text: str) -> float | None:
    """The beginning of a day written ДД.ММ.ГГГГ or ГГГГ-ММ-ДД; None for an empty text."""
    if not text:
        return None
    for form in ("%d.%m.%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).timestamp()
        except ValueError:
            continue
    raise InvalidRequest("bad_day", f"Не понят день «{text}». Напишите его как 31.12.2026.")


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "?"
