"""Search by vectors that always sees what the database holds: an index file, what came since, less what went."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from sqlalchemy import Connection

from retrieval.index import Hits, Ids, IndexFile, Mask, Vectors, read_index, top
from retrieval.store import vectors as stored
from retrieval.store.vectors import Added, IndexState

Codes = Ids
GONE = -1


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which passages may be found: those of `collections` (None: of all), and besides them those with ids `singles`."""

    collections: frozenset[str] | None = None
    singles: Ids = field(default_factory=lambda: _no_ids())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The base at one revision. The body is what the index file holds, the tail what the database holds beyond it.

    Each code numbers a passage's collection in `names`; that of a removed passage is `GONE`. Body and tail share no id.
    """

    state: IndexState
    names: tuple[str, ...]
    body: IndexFile | None
    body_codes: Codes
    tail_ids: Ids
    tail_vectors: Vectors
    tail_codes: Codes

    @property
    def size(self) -> int:
        """How many passages the base holds."""
        return len(self.tail_ids) + int((self.body_codes != GONE).sum())

    def search(self, query: Vectors, limit: int, allowed: Allowed) -> Hits:
        """Return the `limit` passages nearest to `query` (dimension) among the allowed ones.

        Exact: the same as computing every inner product.
        """
        found = [self._search_tail(query, limit, self._mask(self.tail_ids, self.tail_codes, allowed))]
        if self.body is not None:
            found.append(self.body.search(query, limit, self._mask(self.body.ids, self.body_codes, allowed)))
        ids = np.concatenate([hits.ids for hits in found])
        scores = np.concatenate([hits.scores for hits in found])
        best = top(scores, limit)
        return Hits(ids[best], scores[best])

    def scores(self, query: Vectors, ids: Ids) -> Vectors:
        """Return the inner product of `query` with each of `ids`; NaN for those not here."""
        scores = np.full(len(ids), np.nan, np.float32)
        is_here, rows = _positions(self.tail_ids, ids)
        if len(rows):
            scores[is_here] = self.tail_vectors[rows] @ query
        if self.body is not None:
            is_here, rows = _positions(self.body.ids, ids)
            if len(rows):
                scores[is_here] = self.body.vectors(rows) @ query
        return scores

    def readable(self, ids: Ids, allowed: Allowed) -> Mask:
        """Tell which of `ids` are here, not removed, and allowed."""
        may_read = np.zeros(len(ids), np.bool_)
        is_here, rows = _positions(self.tail_ids, ids)
        may_read[is_here] = self._mask(self.tail_ids, self.tail_codes, allowed)[rows]
        if self.body is not None:
            is_here, rows = _positions(self.body.ids, ids)
            may_read[is_here] = self._mask(self.body.ids, self.body_codes, allowed)[rows]
        return may_read

    def count(self, allowed: Allowed) -> int:
        """Return how many passages are here and allowed."""
        body = () if self.body is None else ((self.body.ids, self.body_codes),)
        parts = ((self.tail_ids, self.tail_codes), *body)
        return sum(int(self._mask(ids, codes, allowed).sum()) for ids, codes in parts)

    def _mask(self, ids: Ids, codes: Codes, allowed: Allowed) -> Mask:
        # One entry a collection and a last one for GONE, which is -1: looking up costs less than comparing sets.
        names = allowed.collections
        is_open = np.array([*(names is None or name in names for name in self.names), False])
        mask: Mask = is_open[codes]
        _, rows = _positions(ids, allowed.singles)
        mask[rows] = codes[rows] != GONE
        return mask

    def _search_tail(self, query: Vectors, limit: int, allowed: Mask) -> Hits:
        # All rows are multiplied, because picking the allowed ones out copies them, which costs more.
        scores = np.where(allowed, self.tail_vectors @ query, -np.inf) if len(allowed) else np.zeros(0, np.float32)
        best = top(scores, min(limit, int(allowed.sum())))
        return Hits(self.tail_ids[best], scores[best].astype(np.float32))


class VectorIndex:
    """Keeps a snapshot in step with the database. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None

    def refresh(self, conn: Connection) -> Snapshot:
        """Return the snapshot of exactly the state that `conn`'s transaction sees.

        Reads one row when nothing has changed, only the changes when the index file is the same, else loads the file.
        Cheapest as the first read of the transaction: then states come here in their order.
        """
        with self._lock:
            state = stored.state(conn)
            known = self._snapshot
            if known is None or not _is_same_file(known.state, state) or state.revision < known.state.revision:
                known = self._load(conn, state)
            elif state.revision != known.state.revision:
                known = _caught_up(known, conn, state)
            self._snapshot = known
            return known

    def _load(self, conn: Connection, state: IndexState) -> Snapshot:
        body = self._body(state)
        revision = body.manifest.revision if body else 0
        empty = Snapshot(state, (), body, _no_ids(), _no_ids(), np.zeros((0, 0), np.float32), _no_ids())
        if body is not None:
            living = stored.collections_until(conn, revision)
            names = _numbered((), living.values())
            codes = {name: code for code, name in enumerate(names)}
            body_codes = [codes[living[id_]] if id_ in living else GONE for id_ in body.ids.tolist()]
            empty = replace(empty, names=names, body_codes=np.array(body_codes, np.int64))
        return _extended(empty, stored.added_since(conn, revision))

    def _body(self, state: IndexState) -> IndexFile | None:
        """Load the file in force; None when there is none, it is damaged, or another model's vectors are in it."""
        file = read_index(self._folder, state.generation) if state.generation else None
        if file is None or file.manifest.fingerprint != state.fingerprint:
            return None
        return file if file.manifest.revision == state.index_revision else None


def _is_same_file(one: IndexState, other: IndexState) -> bool:
    return (one.generation, one.fingerprint) == (other.generation, other.fingerprint)


def _caught_up(known: Snapshot, conn: Connection, state: IndexState) -> Snapshot:
    """Apply what came and went since `known`."""
    removed = stored.removed_since(conn, known.state.revision)
    stays = ~np.isin(known.tail_ids, removed)
    trimmed = replace(
        known,
        state=state,
        tail_ids=known.tail_ids[stays],
        tail_vectors=known.tail_vectors[stays],
        tail_codes=known.tail_codes[stays],
    )
    if known.body is not None and len(removed):
        trimmed = replace(trimmed, body_codes=np.where(np.isin(known.body.ids, removed), GONE, known.body_codes))
    return _extended(trimmed, stored.added_since(conn, known.state.revision))


def _extended(snapshot: Snapshot, added: Added) -> Snapshot:
    if not len(added.ids):
        return snapshot
    names = _numbered(snapshot.names, added.collections)
    codes = {name: code for code, name in enumerate(names)}
    before = snapshot.tail_vectors if len(snapshot.tail_ids) else np.zeros((0, added.vectors.shape[1]), np.float32)
    return replace(
        snapshot,
        names=names,
        tail_ids=np.concatenate([snapshot.tail_ids, added.ids]),
        tail_vectors=np.concatenate([before, added.vectors]),
        tail_codes=np.concatenate([snapshot.tail_codes, np.array([codes[n] for n in added.collections], np.int64)]),
    )


def _positions(ascending: Ids, ids: Ids) -> tuple[Mask, Ids]:
    """Tell which of `ids` stand in `ascending`, and where those do."""
    rows = np.searchsorted(ascending, ids)
    is_here = np.zeros(len(ids), np.bool_)
    inside = rows < len(ascending)
    is_here[inside] = ascending[rows[inside]] == ids[inside]
    return is_here, rows[is_here]


def _numbered(names: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    return (*names, *sorted(set(more) - set(names)))


def _no_ids() -> Ids:
    return np.zeros(0, np.int64)
