"""What the worker does between documents: the index file, vectors of sentences, files and entries nobody needs."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from functools import partial

from core.errors import ServiceError
from ingest.audit_pruning import AuditPruning
from ingest.compaction import Compaction
from ingest.files import FileStore
from ingest.personal_check import PersonalDataChecking
from ingest.sentences import SentenceFilling
from retrieval.store import documents, vectors
from retrieval.store.database import Database

_LOG = logging.getLogger(__name__)
_SWEEP_EVERY_S = 3600.0
_SWEEP_IDLE_S = 30.0
_COMPACT_EVERY_S = 5.0


@dataclass(slots=True)
class Upkeep:
    """Cheap to call often: looks at the clock first, and never raises for what the next call may find mended."""

    database: Database
    files: FileStore
    compaction: Compaction
    filling: SentenceFilling
    pruning: AuditPruning | None = None
    _swept_at: float = field(default=float("-inf"))
    _swept_revision: int = -1
    _compacted_at: float = field(default=float("-inf"))

    def run(self, *, is_idle: bool) -> bool:
        """Do what is due; `is_idle` says that no document waits. Say whether more of the same is to be done."""
        now = time.monotonic()
        try:
            if now - self._compacted_at >= _COMPACT_EVERY_S:
                self._compacted_at = now
                self.compaction.run(is_idle=is_idle)
            if self._is_sweep_due(now, is_idle=is_idle):
                self._swept_at = now
                self._swept_revision = self._revision()
                sweep(self.database, self.files)
            is_pruning = self.pruning is not None and self.pruning.run()
            is_checking = is_idle and PersonalDataChecking(self.database).run()
            return is_pruning or is_checking or (is_idle and self.filling.run())
        except (ServiceError, OSError) as exc:
            _LOG.warning("upkeep put off: %s", exc)
            return False

    def _is_sweep_due(self, now: float, *, is_idle: bool) -> bool:
        """Every hour, and sooner when idle after changes: editions that gave way left their bytes."""
        since_s = now - self._swept_at
        if not is_idle or since_s < _SWEEP_IDLE_S:
            return since_s >= _SWEEP_EVERY_S
        return since_s >= _SWEEP_EVERY_S or self._revision() != self._swept_revision

    def _revision(self) -> int:
        with self.database.read() as conn:
            return vectors.state(conn).revision


def sweep(database: Database, files: FileStore) -> None:
    """Remove what died uploads left, and files without a document. Raises `ServiceError` or OSError."""
    leftovers = files.sweep()
    with database.read() as conn:
        known = documents.stored_hashes(conn)
    orphans = files.sweep_orphans(known, is_needed=partial(_is_stored, database))
    if leftovers or orphans:
        _LOG.info("removed %d unfinished uploads and %d files without a document", leftovers, orphans)


def remove_unneeded(database: Database, files: FileStore, sha256: str) -> bool:
    """Remove bytes unless a document, of whomever, needs them; say whether they are gone."""
    return files.remove(sha256, is_needed=partial(_is_stored, database, sha256))


def _is_stored(database: Database, sha256: str) -> bool:
    with database.read() as conn:
        return documents.is_stored(conn, sha256)
