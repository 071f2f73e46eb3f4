"""Whether the stored base is what was put into it, as far as that can be told."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from core.errors import Misconfigured, ServiceError, StorageFull, TryLater
from ingest.chunking import embedded_text, verbatim_text
from ingest.pipeline import vector_key
from retrieval.store import keyword, passages, vectors
from retrieval.store.database import RESTORE, Database

_LOG = logging.getLogger(__name__)
_SLICE_PASSAGES = 1000
_NORM_TOLERANCE = 1e-2
_EVERY_S = 3600.0
_PAUSE_S = 0.05


def examine(database: Database, *, is_gentle: bool = False) -> list[str]:
    """Return what is damaged, as Russian sentences: SQLite's structures, the keyword index, passages, vectors.

    A passage keeps the hash of what was embedded for it, so that a bit turned in its text or section is seen.
    A gentle look leaves out FTS5's own check, which keeps writers waiting, and pauses between parts.
    """
    try:
        structures = database.damage()
        if structures:
            return [f"структура базы нарушена: {structures[0]}"]
        if not is_gentle:
            with suppress(TryLater, StorageFull), database.write() as conn:
                keyword.check(conn)
        return list(_wrong_passages(database, _PAUSE_S if is_gentle else 0))
    except Misconfigured as exc:
        return [database.damage_met or exc.detail]
    except ValueError as exc:  # a length or a number that no vector has
        return [f"векторы не читаются: {exc}"]


def _wrong_passages(database: Database, pause_s: float) -> Iterator[str]:
    wrong, after_id = [], 0
    while True:
        with database.read() as conn:
            fingerprint = vectors.state(conn).fingerprint or ""
            stored = passages.stored_texts(conn, after_id=after_id, limit=_SLICE_PASSAGES)
            held = {one.passage_id: one for one in vectors.with_keys(conn, after_id=after_id, limit=_SLICE_PASSAGES)}
        if not stored:
            break
        for one in stored:
            vector = held[one.id]
            # An older base has words of both alphabets embedded as they stand.
            is_as_embedded = any(
                vector.vector_key == vector_key(fingerprint, said(one.document, one))
                for said in (embedded_text, verbatim_text)
            )
            if not is_as_embedded or not abs(float(np.linalg.norm(vector.vector)) - 1) < _NORM_TOLERANCE:
                wrong.append(one)
        after_id = stored[-1].id
        time.sleep(pause_s)
    if wrong:
        yield f"не сходится контрольная сумма отрывков: {len(wrong)}, первый из документа «{wrong[0].document}»"


@dataclass(slots=True)
class Watch:
    """Examines the base in a thread of its own at the first question and every hour; `clock` counts seconds."""

    database: Database
    clock: Callable[[], float] = time.monotonic
    _found: list[str] = field(default_factory=list)
    _begun_at: float = field(default=float("-inf"))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def damage(self) -> str:
        """Return what is known to be damaged, with what to do; empty when nothing is. Never waits."""
        with self._lock:
            is_due = self.clock() - self._begun_at >= _EVERY_S
            if is_due:
                self._begun_at = self.clock()
        if is_due:
            threading.Thread(target=self._examine, name="soundness", daemon=True).start()
        known = self.database.damage_met or (self._found[0] if self._found else "")
        return f"База данных повреждена ({known}). {RESTORE}" if known else ""

    def _examine(self) -> None:
        try:
            self._found = examine(self.database, is_gentle=True)
        except ServiceError as exc:
            _LOG.warning("the base could not be examined: %s", exc.code)
        for one in self._found:
            _LOG.error("the base is damaged: %s", one)
