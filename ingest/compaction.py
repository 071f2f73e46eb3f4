"""Writing the index file anew, so that little is left to be searched without it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from core import faults
from core.faults import Point
from retrieval.index import Edition, is_intact, remove_older, write_index
from retrieval.store import vectors
from retrieval.store.database import Database
from retrieval.store.vectors import IndexState

_LOG = logging.getLogger(__name__)
_CHECK_EVERY_S = 60.0
_IDLE_SHARE = 10  # an idle worker writes after a tenth of the changes that a busy one waits for


@dataclass(slots=True)
class Compaction:
    """Writes the next generation of the index after `threshold` changed passages, or when the file is damaged.

    The database names the file in force, so a death at any point leaves a good one: before the switch the old
    file, after it the new one. The file before that stays, for a process that is about to read it.
    """

    database: Database
    folder: Path
    threshold: int
    _checked_at: float = field(default=float("-inf"))

    def run(self, *, is_idle: bool) -> bool:
        """Write a generation if one is due and say whether it was; an idle worker is satisfied with fewer changes."""
        with self.database.read() as conn:
            state = vectors.state(conn)
            changes = vectors.changes_since_index(conn)
        wanted = max(1, self.threshold // _IDLE_SHARE) if is_idle else self.threshold
        is_due = changes >= wanted or not state.is_clean or (state.generation > 0 and not self._is_sound(state))
        if is_due and state.fingerprint is not None:
            self._write()
        return is_due

    def _write(self) -> None:
        with self.database.read() as conn:
            state = vectors.state(conn)
            added = vectors.added_since(conn, 0)
        edition = Edition(state.generation + 1, state.revision, state.fingerprint or "")
        write_index(self.folder, edition, added.ids, added.vectors)
        faults.reach(Point.INDEX_UNSWITCHED)
        with self.database.write() as conn:
            vectors.switch(conn, generation=edition.generation, index_revision=edition.revision)
        # After an erasure the file before this one goes at once; who was about to read it searches without it.
        remove_older(self.folder, state.generation if state.is_clean else edition.generation)
        _LOG.info("index %d written: %d passages", edition.generation, len(added.ids))

    def _is_sound(self, state: IndexState) -> bool:
        """Look at the file now and then: reading all of it to compare hashes is not free."""
        now = time.monotonic()
        if now - self._checked_at < _CHECK_EVERY_S:
            return True
        self._checked_at = now
        return is_intact(self.folder, Edition(state.generation, state.index_revision, state.fingerprint or ""))
