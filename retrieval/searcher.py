"""From a question to the passages that answer it: by meaning, by words, by right."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from core.types import Interpretation, Passage, Principal, Reach
from retrieval.embedding.encoder import Encoder
from retrieval.embedding.encoders import Encoders
from retrieval.evidence import weigh
from retrieval.folding import fold
from retrieval.fusion import Meaning, fuse
from retrieval.index import Ids, Vectors, top
from retrieval.query.reader import QueryReader, Reading, lift, referred
from retrieval.reranking import Reranker
from retrieval.sentence_vectors import nearness
from retrieval.store import documents, keyword, passages, sentences
from retrieval.store.database import Database
from retrieval.store.keyword import Matches
from retrieval.terms import root_text
from retrieval.vector_index import Allowed, Snapshot, VectorIndex
from retrieval.wording import Wording, in_the_base, in_what_is_open

CANDIDATES = (100, 400, 1600)  # of each of the two searches; more while repetitions take the places of others
SPARE = 20  # passages shown beyond those asked for, because repetitions will fold
TERMS_MAX = 64  # of a query: beyond that it is a text, and the rest adds time rather than sense

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SearchTimings:
    """Milliseconds; `search_ms` is the whole, `embed_ms` the question's vector within it."""

    embed_ms: float
    search_ms: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Passages, best first, and the query as it was understood."""

    passages: tuple[Passage, ...]
    timings: SearchTimings
    interpretation: Interpretation


@dataclass(frozen=True, slots=True)
class Candidates:
    """Passages that one of the searches proposed, with what both say of them; all arrays are (n).

    `is_all` says that a longer list would hold no more.
    """

    ids: Ids
    meaning: Meaning
    keyword: NDArray[np.float32]
    is_all: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query: its direction (dimension), None when no model is there to give it, its words, where to look for it."""

    text: str
    vector: Vectors | None
    wording: Wording
    allowed: Allowed


class Searcher:
    """Searches one database. Safe to call from several threads; each search sees one state of the base throughout."""

    def __init__(
        self,
        database: Database,
        encoder: Encoder | Encoders,
        index: VectorIndex,
        *,
        dense_weight: float,
        reader: QueryReader | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        """Without a `reader` queries are searched for as they stand; without a `reranker` the fusion ranks alone."""
        self._database = database
        self._encoders = encoder if isinstance(encoder, Encoders) else Encoders(encoder)
        self._fingerprint: str | None = None  # of the base when it was last seen
        self._index = index
        self._dense_weight = dense_weight
        self._reader = reader
        self._reranker = reranker

    def search(
        self, query: str, *, principal: Principal, collection: str | None, top_k: int, exact: bool = False
    ) -> SearchResult:
        """Find the `top_k` best passages of `collection` (None: of all that the principal may read), none twice.

        `exact` searches for the words as typed, mistyped or not.
        Raises `NotFound` when the principal may not use the collection.
        """
        started_s = time.perf_counter()
        with self._database.read() as conn:
            reach = documents.reach(conn, principal, collection)
        reading = self._read(query, reach, exact=exact)
        met = self._fingerprint
        vector = self._vector(reading, met)
        embedded_s = time.perf_counter()
        with self._database.read() as conn:
            snapshot = self._index.refresh(conn)
            if snapshot.state.fingerprint != met:  # the first search, or the first after a switch
                self._fingerprint = snapshot.state.fingerprint
                vector = self._vector(reading, snapshot.state.fingerprint)
            terms = root_text(" ".join(reading.texts))[:TERMS_MAX]
            allowed = Allowed(reach.collections, passages.ids_of(conn, reach.documents))
            count_in = in_the_base if principal.reads.collections is None else in_what_is_open
            asked = _Asked(reading.text, vector, count_in(conn, terms, snapshot, allowed), allowed)
            named = referred(conn, reading.text, reach)
            for limit in CANDIDATES:
                candidates = self._candidates(conn, snapshot, asked, limit)
                best = self._ranked(conn, candidates, asked, principal)
                found = _distinct(conn, lift(best, named, len(best) + len(named)), principal, top_k)
                if len(found) == top_k or candidates.is_all:
                    break
        timings = SearchTimings((embedded_s - started_s) * 1000, (time.perf_counter() - started_s) * 1000)
        return SearchResult(found, timings, reading.interpretation)

    def _read(self, query: str, reach: Reach, *, exact: bool) -> Reading:
        if self._reader is None:
            return Reading(query, Interpretation(query))
        return self._reader.read(query, reach, exact=exact)

    def _vector(self, reading: Reading, fingerprint: str | None) -> Vectors | None:
        """Embed a query with the model that made the base's vectors; None when that one cannot be had."""
        encoder = self._encoders.of(fingerprint)
        return _middle(encoder.encode_queries(reading.texts)) if encoder else None

    def _candidates(self, conn: Connection, snapshot: Snapshot, asked: _Asked, limit: int) -> Candidates:
        """Join the `limit` best of both searches; rights and collection are applied before either ranks."""
        matched = asked.wording.matched
        strongest = matched.ids[top(matched.scores, limit)]
        if asked.vector is None:
            log.debug("the base is being embedded anew and its old model is gone: search by words alone")
            unknown = Meaning.unknown(len(strongest))
            return Candidates(strongest, unknown, _scores_of(matched, strongest), len(strongest) < limit)
        nearest = snapshot.search(asked.vector, limit, asked.allowed).ids
        ids = np.union1d(nearest, strongest)
        packed = sentences.held(conn, ids.tolist())
        near = nearness(asked.vector, [packed.get(id_) for id_ in ids.tolist()])
        meaning = Meaning(snapshot.scores(asked.vector, ids), near)
        return Candidates(ids, meaning, _scores_of(matched, ids), len(nearest) < limit)

    def _ranked(
        self, conn: Connection, candidates: Candidates, asked: _Asked, principal: Principal
    ) -> Mapping[int, float]:
        """Return the score of every candidate, best first."""
        held = keyword.held(conn, candidates.ids.tolist())
        evidence = weigh(asked.wording.wanted, [held[id_] for id_ in candidates.ids.tolist()])
        fused = fuse(candidates.meaning, candidates.keyword, evidence, dense_weight=self._dense_weight)
        order = np.argsort(-fused, kind="stable")
        best = {int(id_): float(score) for id_, score in zip(candidates.ids[order], fused[order], strict=True)}
        if self._reranker is None:
            return best
        first = passages.show(conn, _first(best, self._reranker.limit), principal)
        return self._reranker.rerank(asked.text, first, best)


def _distinct(conn: Connection, best: Mapping[int, float], principal: Principal, top_k: int) -> tuple[Passage, ...]:
    """Return the first `top_k` of different content; all are looked at only when the likely ones do not suffice."""
    found = fold(passages.show(conn, _first(best, top_k + SPARE), principal), top_k)
    if len(found) == top_k or len(best) <= top_k + SPARE:
        return found
    return fold(passages.show(conn, dict(best), principal), top_k)


def _first(best: Mapping[int, float], limit: int) -> dict[int, float]:
    return dict(islice(best.items(), limit))


def _middle(vectors: Vectors) -> Vectors:
    """Return the direction between the vectors (n, dimension) of a query's readings."""
    middle = vectors.mean(axis=0)
    direction: Vectors = (middle / np.linalg.norm(middle)).astype(np.float32) if len(vectors) > 1 else vectors[0]
    return direction


def _scores_of(matched: Matches, ids: Ids) -> NDArray[np.float32]:
    """BM25 of `ids`; 0 for those that hold none of the words."""
    scores = np.zeros(len(ids), np.float32)
    _, here, there = np.intersect1d(ids, matched.ids, return_indices=True)
    scores[here] = matched.scores[there]
    return scores
