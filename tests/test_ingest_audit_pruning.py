"""Old entries of the audit log go by age, a few at a time, with a word about it in the log; no others can."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from core.errors import ServiceError
from ingest import audit_pruning
from ingest.audit_pruning import AuditPruning
from retrieval.store import audit
from retrieval.store.audit import Action, Event, Span
from tests.small_base import SmallBase

DAY_S = 86_400.0
NOW = 1_700_000_000.0


@dataclass
class Clock:
    """A wall clock that may jump, and ticks that only grow."""

    wall: float = NOW
    ticks: float = 5.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.ticks += seconds


@dataclass
class Log:
    """An audit log with an entry a day for a hundred days, and what prunes it."""

    base: SmallBase
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        with self.base.database.write() as conn:
            audit.write(conn, (Event(NOW - (99.5 - n) * DAY_S, "бот", Action.ASKED) for n in range(100)))

    def pruning(self, keep_days: int) -> AuditPruning:
        return AuditPruning(self.base.database, keep_days, lambda: self.clock.wall, lambda: self.clock.ticks)

    def entries(self) -> list[Event]:
        with self.base.database.read() as conn:
            return [entry.event for entry in audit.listing(conn, Span(), limit=1000)]

    def run(self, pruning: AuditPruning) -> int:
        """Let it run until nothing is left to do; return how often it was called."""
        calls = 1
        while pruning.run():
            calls += 1
        return calls


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    base = SmallBase(tmp_path)
    yield Log(base)
    base.close()


def test_entries_older_than_kept_go_in_small_parts_and_the_log_says_so(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_pruning, "_BATCH_ENTRIES", 20)
    pruning = log.pruning(30)
    assert not pruning.run()
    log.clock.pass_by(2 * 3600)
    assert log.run(pruning) == 70 // 20 + 1
    *kept, told = log.entries()
    assert len(kept) == 30
    assert min(event.at for event in kept) >= log.clock.wall - 30 * DAY_S
    assert (told.action, told.principal, told.detail) == (Action.AUDIT_PRUNED, "worker", {"entries": "70"})
    assert told.object == "2023-10-16T00:13:20Z", "all before this moment"
    log.clock.pass_by(3600)
    log.run(pruning)
    assert len(log.entries()) == 31, "once a day"
    log.clock.pass_by(DAY_S)
    log.run(pruning)
    assert len(log.entries()) == 31, "one more too old, one more word about it"


def test_by_default_nothing_goes(log: Log) -> None:
    pruning = log.pruning(0)
    pruning.run()
    log.clock.pass_by(1000 * DAY_S)
    assert not pruning.run()
    assert len(log.entries()) == 100


def test_a_clock_that_jumps_ahead_removes_nothing_until_it_has_been_steady(log: Log) -> None:
    pruning = log.pruning(365)
    pruning.run()
    log.clock.pass_by(2 * 3600)
    assert not pruning.run()
    for jump_s in (400 * DAY_S, -400 * DAY_S):
        log.clock.wall += jump_s
        assert not pruning.run()
        log.clock.pass_by(1800)
        assert not pruning.run()
    log.clock.pass_by(DAY_S)
    log.run(pruning)
    assert len(log.entries()) == 100


def test_what_no_entry_announces_cannot_be_removed(log: Log) -> None:
    before = int(NOW - 50 * DAY_S)
    with pytest.raises((ServiceError, DatabaseError), match="append-only"), log.base.database.write() as conn:
        audit.prune(conn, before, limit=10)
    with log.base.database.write() as conn:
        audit.write(conn, [audit.pruning(before, at=NOW, entries=50)])
    for statement in (
        "DELETE FROM audit",
        f"DELETE FROM audit WHERE at < {before + 2 * DAY_S}",
        "UPDATE audit SET at = 0",
    ):
        with pytest.raises((ServiceError, DatabaseError), match="append-only"), log.base.database.write() as conn:
            conn.execute(text(statement))
    assert len(log.entries()) == 101
    with log.base.database.write() as conn:
        assert audit.prune(conn, before, limit=1000) == 50
    assert len(log.entries()) == 51


def test_a_part_of_a_large_log_goes_in_a_moment(log: Log) -> None:
    with log.base.database.write() as conn:
        audit.write(conn, (Event(float(n), "бот", Action.ASKED) for n in range(50_000)))
    with log.base.database.read() as conn:
        plan = conn.execute(text("EXPLAIN QUERY PLAN SELECT max(object) FROM audit WHERE action = 'audit_pruned'"))
        assert "ix_audit_pruned" in str(plan.fetchall()), "the trigger asks this for every row"
    with log.base.database.write() as conn:
        audit.write(conn, [audit.pruning(60_000, at=NOW, entries=50_000)])
        assert audit.prune(conn, 60_000, limit=500) == 500
