"""Sentence vectors of stored passages, packed: which passages lack them, what is held, what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, select, text, true

from retrieval.store.schema import passage_sentences, passages

# The passage may have been deleted since it was read.
_KEEP = """
INSERT OR REPLACE INTO passage_sentences (passage_id, vectors)
SELECT id, :vectors FROM passages WHERE id = :id AND vector_key = :key
"""
# Keys first: a text that is repeated in both documents would be joined with itself, the square of its times.
_INHERIT = """
WITH known AS MATERIALIZED (
    SELECT vector_key, (
        SELECT held.vectors FROM passages older JOIN passage_sentences held ON held.passage_id = older.id
        WHERE older.vector_key = fresh_keys.vector_key AND older.document_id <> :document LIMIT 1
    ) AS vectors
    FROM (SELECT DISTINCT vector_key FROM passages WHERE document_id = :document) AS fresh_keys
)
INSERT INTO passage_sentences (passage_id, vectors)
SELECT fresh.id, known.vectors FROM passages fresh JOIN known ON known.vector_key = fresh.vector_key
WHERE fresh.document_id = :document AND known.vectors IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A passage without sentence vectors; `vector_key` names the text and the model that they are of."""

    id: int
    vector_key: str
    text: str


@dataclass(frozen=True, slots=True)
class Packed:
    """Sentence vectors to store with a passage, as long as it is the one they were made of."""

    passage_id: int
    vector_key: str
    vectors: bytes


def waiting(conn: Connection, *, below_id: int | None, limit: int) -> list[Waiting]:
    """Return up to `limit` passages whose sentences were not embedded yet, the newest first; None: from the last."""
    is_below = true() if below_id is None else passages.c.id < below_id
    rows = conn.execute(
        select(passages.c.id, passages.c.vector_key, passages.c.text)
        .outerjoin(passage_sentences)
        .where(passage_sentences.c.passage_id.is_(None), is_below)
        .order_by(passages.c.id.desc())
        .limit(limit)
    )
    return [Waiting(*row) for row in rows]


def keep(conn: Connection, packed: Iterable[Packed]) -> None:
    """Store vectors; those of passages that were deleted or embedded anew meanwhile are dropped."""
    rows = [{"id": one.passage_id, "key": one.vector_key, "vectors": one.vectors} for one in packed]
    if rows:
        conn.execute(text(_KEEP), rows)


def inherit(conn: Connection, document_id: str) -> None:
    """Give a new document's passages what is held of the same text of others, its own older edition among them."""
    conn.execute(text(_INHERIT), {"document": document_id})


def held(conn: Connection, ids: Iterable[int]) -> dict[int, bytes]:
    """Return the packed vectors of these passages; one that has none yet is missing."""
    rows = conn.execute(
        select(passage_sentences.c.passage_id, passage_sentences.c.vectors).where(
            passage_sentences.c.passage_id.in_(bindparam("ids", expanding=True))
        ),
        {"ids": list(ids)},
    )
    return {row[0]: row[1] for row in rows}


def forget(conn: Connection) -> None:
    """Drop all of them: another model's vectors are never compared."""
    conn.execute(delete(passage_sentences))
