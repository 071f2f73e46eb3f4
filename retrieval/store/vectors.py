"""Vectors in the database, and what an index needs of it: its revision, what came and went, which file is in force."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, delete, func, select, update

from retrieval.store import removal
from retrieval.store.passages import Vector
from retrieval.store.schema import documents, index_state, passages, removals


@dataclass(frozen=True, slots=True)
class IndexState:
    """`generation` 0 means that no index file has been written yet; `fingerprint` names the model of all vectors.

    `terms` is the form of the keyword index (`retrieval.terms.TERMS_VERSION`). No index file of an earlier state than
    `clean_revision` may stay.
    """

    revision: int
    generation: int
    index_revision: int
    fingerprint: str | None
    terms: int
    clean_revision: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether the index file in force holds nothing of a document that was erased."""
        return self.generation == 0 or self.index_revision >= self.clean_revision


@dataclass(frozen=True, slots=True)
class Added:
    """Passages in order of id: ids (n), vectors (n, d) float32, and the collection of each."""

    ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    collections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewVector:
    """Another model's vector of a stored passage."""

    passage_id: int
    vector_key: str
    vector: Vector


def state(conn: Connection) -> IndexState:
    """Return the one row that says where the base and its index file stand."""
    row = conn.execute(select(index_state)).one()
    return IndexState(row.revision, row.generation, row.index_revision, row.fingerprint, row.terms, row.clean_revision)


def added_since(conn: Connection, revision: int) -> Added:
    """Return the passages that were added after `revision` and still exist; 0 returns all of them."""
    rows = conn.execute(
        select(passages.c.id, passages.c.vector, documents.c.collection)
        .join(documents)
        .where(passages.c.revision > revision)
        .order_by(passages.c.id)
    ).all()
    vectors = np.frombuffer(b"".join(row.vector for row in rows), dtype="<f4")
    return Added(
        np.array([row.id for row in rows], dtype=np.int64),
        vectors.reshape(len(rows), -1) if rows else np.zeros((0, 0), dtype=np.float32),
        tuple(row.collection for row in rows),
    )


def with_keys(conn: Connection, *, after_id: int, limit: int) -> list[NewVector]:
    """Return up to `limit` vectors with the names of their texts, after `after_id` in order of id, to be kept aside."""
    rows = conn.execute(
        select(passages.c.id, passages.c.vector_key, passages.c.vector)
        .where(passages.c.id > after_id)
        .order_by(passages.c.id)
        .limit(limit)
    )
    return [NewVector(id_, key, np.frombuffer(vector, dtype="<f4")) for id_, key, vector in rows]


def replace_vectors(conn: Connection, vectors: Iterable[NewVector]) -> int:
    """Give passages another model's vectors and return the revision that they appear with."""
    revision = removal.next_revision(conn)
    changed = (
        update(passages)
        .where(passages.c.id == bindparam("passage_id"))
        .values(vector_key=bindparam("key"), vector=bindparam("bytes"), revision=revision)
    )
    rows = [
        {"passage_id": v.passage_id, "key": v.vector_key, "bytes": np.ascontiguousarray(v.vector, "<f4").tobytes()}
        for v in vectors
    ]
    if rows:
        conn.execute(changed, rows)
    return revision


def collections_until(conn: Connection, revision: int) -> dict[int, str]:
    """Return the collection of every passage that an index of this revision may hold."""
    rows = conn.execute(
        select(passages.c.id, documents.c.collection).join(documents).where(passages.c.revision <= revision)
    )
    return {row[0]: row[1] for row in rows}


def removed_since(conn: Connection, revision: int) -> NDArray[np.int64]:
    """Return the ids of passages removed after `revision`."""
    ids = conn.execute(select(removals.c.passage_id).where(removals.c.revision > revision)).scalars()
    return np.fromiter(ids, dtype=np.int64)


def changes_since_index(conn: Connection) -> int:
    """Return how many passages came or went since the index file in force was written."""
    at = select(index_state.c.index_revision).scalar_subquery()
    came = conn.execute(select(func.count()).select_from(passages).where(passages.c.revision > at)).scalar_one()
    went = conn.execute(select(func.count()).select_from(removals).where(removals.c.revision > at)).scalar_one()
    return came + went


def switch(conn: Connection, *, generation: int, index_revision: int) -> None:
    """Put a written index file in force and forget the removals it already reflects.

    A process that loaded an older file sees the generation move in the same snapshot and loads this one.
    """
    conn.execute(update(index_state).values(generation=generation, index_revision=index_revision))
    conn.execute(delete(removals).where(removals.c.revision <= index_revision))


def set_fingerprint(conn: Connection, fingerprint: str) -> None:
    """Note which model made the vectors."""
    conn.execute(update(index_state).values(fingerprint=fingerprint))
