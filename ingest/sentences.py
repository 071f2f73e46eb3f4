"""Embeds the sentences of stored passages while no document waits: new ones, and all of an older base."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np

from retrieval.embedding.encoder import Encoder
from retrieval.query.letters import text_in_one_alphabet
from retrieval.sentence_vectors import pack, telling
from retrieval.store import sentences, vectors
from retrieval.store.database import Database
from retrieval.store.passages import Vector
from retrieval.store.sentences import Packed, Waiting

_LOG = logging.getLogger(__name__)
_PART_PASSAGES = 64  # some seconds, for which a new document waits
_KNOWN_MAX = 20_000  # sentences; passages of one document overlap, and pages repeat each other


@dataclass(slots=True)
class SentenceFilling:
    """Cheap to call often: it looks for passages only where the base has changed since none were left."""

    database: Database
    encoder: Encoder
    _revision: int = field(default=-1)
    _below_id: int | None = field(default=None)
    _is_complete: bool = field(default=False)
    _known: dict[str, Vector] = field(default_factory=dict)

    def run(self) -> bool:
        """Embed the sentences of a few passages that lack them; say whether there were any."""
        with self.database.read() as conn:
            state = vectors.state(conn)
            if state.revision != self._revision:
                self._revision, self._below_id, self._is_complete = state.revision, None, False
            if self._is_complete or state.fingerprint != self.encoder.fingerprint:
                return False
            waiting = sentences.waiting(conn, below_id=self._below_id, limit=_PART_PASSAGES)
        if not waiting:
            self._is_complete = True
            self._known.clear()
            return False
        try:
            packed = self._embedded(waiting)
        except Exception:  # noqa: BLE001 -- a text that the encoder cannot take
            # The worker must survive; the passages are found without, and tried again when the base has changed.
            _LOG.exception("sentences of %d passages could not be embedded", len(waiting))
            packed = []
        with self.database.write() as conn:
            sentences.keep(conn, packed)
        self._below_id = waiting[-1].id
        _LOG.debug("sentences of %d passages embedded", len(packed))
        return True

    def _embedded(self, waiting: list[Waiting]) -> list[Packed]:
        told = {one.id: [text_in_one_alphabet(text) for text in telling(one.text)] for one in waiting}
        wanted = list(dict.fromkeys(text for texts in told.values() for text in texts if text not in self._known))
        if len(self._known) + len(wanted) > _KNOWN_MAX:
            self._known.clear()
            wanted = list(dict.fromkeys(text for texts in told.values() for text in texts))
        if wanted:
            self._known.update(zip(wanted, self.encoder.encode_passages(wanted), strict=True))
        return [Packed(one.id, one.vector_key, self._packed(told[one.id])) for one in waiting]

    def _packed(self, texts: list[str]) -> bytes:
        return pack(np.stack([self._known[text] for text in texts])) if texts else b""
