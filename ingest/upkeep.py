"""What the worker does between documents: the index file, vectors of sentences, files that nobody needs."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from core.errors import ServiceError
from ingest.compaction import Compaction
from ingest.files import FileStore
from ingest.sentences import SentenceFilling
from retrieval.store import documents
from retrieval.store.database import Database

_LOG = logging.getLogger(__name__)
_SWEEP_EVERY_S = 3600.0
_COMPACT_EVERY_S = 5.0


@dataclass(slots=True)
class Upkeep:
    """Cheap to call often: looks at the clock first, and never raises for what the next call may find mended."""

    database: Database
    files: FileStore
    compaction: Compaction
    filling: SentenceFilling
    _swept_at: float = field(default=float("-inf"))
    _compacted_at: float = field(default=float("-inf"))

    def run(self, *, is_idle: bool) -> bool:
        """Do what is due; `is_idle` says that no document waits. Say whether more of the same is to be done."""
        now = time.monotonic()
        try:
            if now - self._compacted_at >= _COMPACT_EVERY_S:
                self._compacted_at = now
                self.compaction.run(is_idle=is_idle)
            if now - self._swept_at >= _SWEEP_EVERY_S:
                self._swept_at = now
                self._sweep()
            return is_idle and self.filling.run()
        except (ServiceError, OSError) as exc:
            _LOG.warning("upkeep put off: %s", exc)
            return False

    def _sweep(self) -> None:
        leftovers = self.files.sweep()
        with self.database.read() as conn:
            known = documents.stored_hashes(conn)
        orphans = self.files.sweep_orphans(known, is_needed=self._is_stored)
        if leftovers or orphans:
            _LOG.info("removed %d unfinished uploads and %d files without a document", leftovers, orphans)

    def _is_stored(self, sha256: str) -> bool:
        with self.database.read() as conn:
            return documents.is_stored(conn, sha256)
