"""Entries of the audit log go when they are older than the settings say, a few at a time, and the log says so."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from retrieval.store import audit
from retrieval.store.database import Database

_LOG = logging.getLogger(__name__)
_DAY_S = 86_400
_STEADY_S = 3600.0
_JUMP_S = 60.0
_BATCH_ENTRIES = 500


@dataclass(slots=True)
class AuditPruning:
    """Once a day; cheap to call often. `keep_days` 0 keeps everything.

    `clock` gives seconds since the epoch, `ticks` seconds that only grow. What is removed does not come back, so the
    clock is believed only after an hour in which it kept step with the ticks.
    """

    database: Database
    keep_days: int
    clock: Callable[[], float] = time.time
    ticks: Callable[[], float] = time.monotonic
    _apart_s: float = field(default=float("inf"))  # clock less ticks when it was last set
    _steady_since: float = 0.0
    _pruned_at: float = field(default=float("-inf"))
    _before: int | None = None  # while entries older than this are being removed

    def run(self) -> bool:
        """Remove some of what is too old; say whether more of it is left. Raises `ServiceError`."""
        if not self.keep_days or not self._is_steady():
            return False
        if self._before is None:
            if self.ticks() - self._pruned_at < _DAY_S:
                return False
            self._pruned_at = self.ticks()
            self._before = self._begin()
        if self._before is None:
            return False
        with self.database.write() as conn:
            removed = audit.prune(conn, self._before, limit=_BATCH_ENTRIES)
        if removed < _BATCH_ENTRIES:
            self._before = None
        return self._before is not None

    def _begin(self) -> int | None:
        """Note in the log what will go; None when nothing is that old."""
        before = int(self.clock()) - self.keep_days * _DAY_S
        with self.database.write() as conn:
            entries = audit.count_before(conn, before)
            if not entries:
                return None
            audit.write(conn, [audit.pruning(before, at=self.clock(), entries=entries)])
        _LOG.info("removing %d entries of the audit log older than %d days", entries, self.keep_days)
        return before

    def _is_steady(self) -> bool:
        now = self.ticks()
        apart_s = self.clock() - now
        if abs(apart_s - self._apart_s) > _JUMP_S:
            self._apart_s, self._steady_since, self._before = apart_s, now, None
        return now - self._steady_since >= _STEADY_S
