"""Who did what, and when. Rows are added and read, nothing else: triggers refuse every change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import Connection, func, insert, select

from retrieval.store.schema import audit


class Action(StrEnum):
    """What happened. Words for programs: more may come, none is renamed."""

    SEARCHED = "searched"
    ASKED = "asked"
    TALKED = "talked"
    EXTRACTED = "extracted"
    EVALUATED = "evaluated"
    OPENED = "opened"
    UPLOADED = "uploaded"
    DELETED = "deleted"
    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    KEY_MADE = "key_made"
    KEY_REVOKED = "key_revoked"
    USER_ADDED = "user_added"
    USER_BLOCKED = "user_blocked"
    GROUP_ADDED = "group_added"
    GROUP_REMOVED = "group_removed"
    JOINED = "joined"
    LEFT = "left"
    AUDIT_READ = "audit_read"
    FORBIDDEN = "forbidden"
    SIGN_IN_REFUSED = "sign_in_refused"
    BACKED_UP = "backed_up"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Event:
    """`principal` did `action` to `object` (an id or a name) from `address`; `at` is in seconds since the epoch."""

    at: float
    principal: str
    action: Action
    object: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)
    address: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it was written down; ids ascend and are never used twice."""

    id: int
    event: Event


@dataclass(frozen=True, slots=True)
class Span:
    """Which entries: those after the id `after`, at or after `since` and before `until`; None is no bound."""

    after: int = 0
    since: float | None = None
    until: float | None = None


def write(conn: Connection, events: Iterable[Event]) -> None:
    """Add events, in the caller's transaction."""
    rows = [
        {
            "at": event.at,
            "principal": event.principal,
            "action": event.action,
            "object": event.object,
            "detail": json.dumps(dict(event.detail), ensure_ascii=False) if event.detail else "",
            "address": event.address,
        }
        for event in events
    ]
    if rows:
        conn.execute(insert(audit), rows)


def last(conn: Connection, action: Action) -> float | None:
    """Return when something was last done, in seconds since the epoch; None when no entry says so."""
    moment: float | None = conn.execute(select(func.max(audit.c.at)).where(audit.c.action == action)).scalar_one()
    return moment


def listing(conn: Connection, span: Span, *, limit: int) -> list[Entry]:
    """Return up to `limit` entries, oldest first."""
    wanted = select(audit).where(audit.c.id > span.after).order_by(audit.c.id).limit(limit)
    if span.since is not None:
        wanted = wanted.where(audit.c.at >= span.since)
    if span.until is not None:
        wanted = wanted.where(audit.c.at < span.until)
    return [
        Entry(
            row.id,
            Event(
                row.at,
                row.principal,
                Action(row.action),
                row.object,
                json.loads(row.detail) if row.detail else {},
                row.address,
            ),
        )
        for row in conn.execute(wanted)
    ]
