"""Who did what, and when. Rows are added and read; they are removed by age alone, and never without an entry of that.

Triggers refuse every other change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, func, insert, select

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
    POLICY_SET = "policy_set"
    ERASED = "erased"
    AUDIT_READ = "audit_read"
    AUDIT_PRUNED = "audit_pruned"
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


def count_before(conn: Connection, before: int) -> int:
    """Return how many entries are older than `before`, in whole seconds since the epoch."""
    return conn.execute(select(func.count()).select_from(audit).where(audit.c.at < before)).scalar_one()


def pruning(before: int, *, at: float, entries: int) -> Event:
    """Return the event without which `prune` removes nothing older than `before`."""
    moment = datetime.fromtimestamp(before, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # as the trigger compares it
    return Event(at, "worker", Action.AUDIT_PRUNED, moment, {"entries": str(entries)})


def prune(conn: Connection, before: int, *, limit: int) -> int:
    """Remove up to `limit` of the entries older than `before`; return how many. Raises `ServiceError` unless noted."""
    oldest = select(audit.c.id).where(audit.c.at < before).order_by(audit.c.at).limit(limit)
    return conn.execute(delete(audit).where(audit.c.id.in_(oldest))).rowcount
