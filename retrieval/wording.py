"""How a query's words stand in the base: which passages hold them, and what each word weighs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from retrieval.evidence import Wanted
from retrieval.store import keyword
from retrieval.store.keyword import Matches
from retrieval.vector_index import Allowed, Snapshot

_IDF_MIN = 1e-6  # FTS5's, for a word of more than half of all passages


@dataclass(frozen=True, slots=True)
class Wording:
    """Passages that may be found and hold some of the words, with BM25; and the words with their weights."""

    matched: Matches
    wanted: Wanted


def in_the_base(conn: Connection, terms: Sequence[str], snapshot: Snapshot, allowed: Allowed) -> Wording:
    """Count over the whole base: for those who may read all of it."""
    matched = keyword.every(conn, terms)
    if allowed.collections is not None:
        matched = _picked(matched, snapshot, allowed)
    counts = keyword.counts(conn, dict.fromkeys(terms))
    return Wording(matched, Wanted(tuple(terms), _weights(terms, counts, snapshot.size)))


def in_what_is_open(conn: Connection, terms: Sequence[str], snapshot: Snapshot, allowed: Allowed) -> Wording:
    """Count over the allowed passages alone, so that no score tells whether a word stands in a closed one."""
    size = snapshot.count(allowed)
    total = Matches(np.zeros(0, np.int64), np.zeros(0, np.float32))
    counts: dict[str, int] = {}
    for term in dict.fromkeys(terms):
        everywhere = keyword.every(conn, [term])
        here = _picked(everywhere, snapshot, allowed)
        counts[term] = len(here.ids)
        factor = _idf(counts[term], size) / _idf(len(everywhere.ids), snapshot.size)
        total = _added(total, Matches(here.ids, (here.scores * factor).astype(np.float32)))
    return Wording(total, Wanted(tuple(terms), _weights(terms, counts, size)))


def _picked(matched: Matches, snapshot: Snapshot, allowed: Allowed) -> Matches:
    may_read = snapshot.readable(matched.ids, allowed)
    return Matches(matched.ids[may_read], matched.scores[may_read])


def _added(one: Matches, other: Matches) -> Matches:
    ids = np.union1d(one.ids, other.ids)
    scores = np.zeros(len(ids), np.float32)
    for part in (one, other):
        scores[np.searchsorted(ids, part.ids)] += part.scores
    return Matches(ids, scores)


def _idf(count: int, size: int) -> float:
    """FTS5's inverse document frequency, a factor of its BM25 of one word."""
    return max(math.log((max(0, size - count) + 0.5) / (count + 0.5)), _IDF_MIN)


def _weights(terms: Sequence[str], counts: Mapping[str, int], size: int) -> dict[str, float]:
    """Weigh words as BM25 does, but never by nothing."""
    return {
        term: math.log1p(max(0.0, size - counts.get(term, 0) + 0.5) / (counts.get(term, 0) + 0.5)) for term in terms
    }
