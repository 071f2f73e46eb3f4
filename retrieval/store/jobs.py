"""Documents as the worker sees them: taken in hand, given back, ended. At least once, idempotent.

No clock decides whose a document is: it is its owner's until the owner gives it up, or until the next worker takes
all back, which the kernel's lock lets start only when this one is dead (`ingest.worker.sole_worker`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from core.types import Problem, Progress, Status
from retrieval.store.schema import documents

RUNNING = (Status.PARSING, Status.EMBEDDING)
PAUSE_MAX_S = 120.0  # a document put off for longer was so by a clock that has gone back since
POISON = Problem(
    "poison",
    "Обработка этого файла несколько раз обрывала работу службы, поэтому он отложен. "
    "Сохраните его в другом формате (например, PDF или DOCX) и загрузите снова.",
)


@dataclass(frozen=True, slots=True)
class Job:
    """A document in hand. `attempts` counts this one."""

    document_id: str
    name: str
    collection: str
    media_type: str
    sha256: str
    size_bytes: int
    attempts: int


def lease(conn: Connection, owner: str, *, limit: int, now: float) -> list[Job]:
    """Take up to `limit` queued documents, oldest first.

    One that was in hand when a worker died is taken alone and after the fresh ones, so that it can
    neither take others down with it nor be blamed for theirs.
    """
    order = (documents.c.attempts, documents.c.created_at, documents.c.id)
    rows = conn.execute(select(documents).where(_is_due(now)).order_by(*order).limit(limit)).all()
    fresh = [row for row in rows if row.attempts == 0]
    taken = fresh or rows[:1]
    conn.execute(
        update(documents)
        .where(documents.c.id.in_([row.id for row in taken]))
        .values(
            status=Status.PARSING,
            stage=None,
            done=0,
            total=0,
            attempts=documents.c.attempts + 1,
            lease_owner=owner,
            updated_at=now,
        )
    )
    return [
        Job(row.id, row.name, row.collection, row.media_type, row.sha256, row.size_bytes, row.attempts + 1)
        for row in taken
    ]


def has_queued(conn: Connection, *, now: float) -> bool:
    """Say whether `lease` would find anything, without the write lock that it takes."""
    return conn.execute(select(documents.c.id).where(_is_due(now)).limit(1)).first() is not None


def release(conn: Connection, owner: str, *, now: float) -> None:
    """Put back what this owner holds without counting the attempt: a stop on purpose is no death."""
    conn.execute(
        update(documents).where(_held_by(owner)).values(attempts=documents.c.attempts - 1, updated_at=now, **_QUEUED)
    )


def release_all(conn: Connection, *, now: float) -> int:
    """Put back what anybody holds, as `release` does; return how many. For a restored base, whose workers are gone."""
    running = documents.c.status.in_(RUNNING)
    values = {"attempts": documents.c.attempts - 1, "updated_at": now, **_QUEUED}
    return conn.execute(update(documents).where(running).values(values)).rowcount


def take_back(conn: Connection, *, now: float, attempts_max: int) -> int:
    """Queue again what dead workers held, and fail what died `attempts_max` times; return how many were lost.

    Only for the one worker of a database: whatever is in anybody's hand counts as lost.
    """
    lost = documents.c.status.in_(RUNNING)
    count = conn.execute(select(func.count()).select_from(documents).where(lost)).scalar_one()
    given_up = and_(lost, documents.c.attempts >= attempts_max)
    conn.execute(update(documents).where(given_up).values(updated_at=now, **_ended(Status.FAILED, POISON)))
    conn.execute(update(documents).where(lost).values(updated_at=now, **_QUEUED))
    return count


def report(conn: Connection, document_id: str, owner: str, progress: Progress, *, now: float) -> bool:
    """Note how far a document is; False when it is no longer this owner's (deleted, or the lease was lost)."""
    status = Status.EMBEDDING if progress.stage == Status.EMBEDDING else Status.PARSING
    done = conn.execute(
        update(documents)
        .where(documents.c.id == document_id, _held_by(owner))
        .values(status=status, stage=progress.stage, done=progress.done, total=progress.total, updated_at=now)
    )
    return done.rowcount == 1


def fail(conn: Connection, document_id: str, owner: str, problem: Problem, *, now: float) -> None:
    """End a document as failed, with its reason."""
    conn.execute(
        update(documents)
        .where(documents.c.id == document_id, _held_by(owner))
        .values(updated_at=now, **_ended(Status.FAILED, problem))
    )


def postpone(conn: Connection, document_id: str, owner: str, problem: Problem, *, until: float) -> None:
    """Queue a document again after `until`, at most `PAUSE_MAX_S` away, keeping the reason (a full disk) in sight."""
    conn.execute(
        update(documents)
        .where(documents.c.id == document_id, _held_by(owner))
        .values(
            not_before=until,
            attempts=documents.c.attempts - 1,
            error_code=problem.code,
            error_detail=problem.detail,
            **_QUEUED,
        )
    )


def is_held(conn: Connection, document_id: str, owner: str) -> bool:
    """Say whether the document still exists and is this owner's."""
    found = conn.execute(select(documents.c.id).where(documents.c.id == document_id, _held_by(owner)))
    return found.first() is not None


def waiting(conn: Connection) -> int:
    """Return how many documents are not at an end."""
    unfinished = documents.c.status.in_((Status.QUEUED, *RUNNING))
    return conn.execute(select(func.count()).select_from(documents).where(unfinished)).scalar_one()


_QUEUED: dict[str, object] = {
    "status": Status.QUEUED,
    "stage": None,
    "done": 0,
    "total": 0,
    "lease_owner": None,
}


def _ended(status: Status, problem: Problem | None) -> dict[str, object]:
    return _QUEUED | {
        "status": status,
        "error_code": problem.code if problem else None,
        "error_detail": problem.detail if problem else None,
    }


def _is_due(now: float) -> ColumnElement[bool]:
    is_over = or_(documents.c.not_before <= now, documents.c.not_before > now + PAUSE_MAX_S)
    return and_(documents.c.status == Status.QUEUED, is_over)


def _held_by(owner: str) -> ColumnElement[bool]:
    return and_(documents.c.lease_owner == owner, documents.c.status.in_(RUNNING))
