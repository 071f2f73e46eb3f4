"""Texts of ready documents as their words are read from them, and passages as references are looked for in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, text

from core.types import Reach
from retrieval import personal_data
from retrieval.store.documents import within
from retrieval.store.schema import documents, passages

_HOLDING = "SELECT rowid FROM passage_stems WHERE passage_stems MATCH :query"
_DOCUMENTS = "SELECT id, collection FROM documents WHERE passages > 0"
_PART = 500  # ids in one statement; SQLite's oldest limit of bound parameters is 999


@dataclass(frozen=True, slots=True)
class Place:
    """A passage with what tells where it stands."""

    id: int
    document: str
    section: str
    text: str


def collections_by_document(conn: Connection) -> dict[str, str]:
    """Return the collection of each document that has passages, by the document's id."""
    return {row[0]: row[1] for row in conn.execute(text(_DOCUMENTS))}


def texts_of(conn: Connection, document_id: str) -> Iterator[str]:
    """Yield the document's name, then the sections and the texts of its passages."""
    yield from conn.execute(select(documents.c.name).where(documents.c.id == document_id)).scalars()
    rows = conn.execute(select(passages.c.section, passages.c.text).where(passages.c.document_id == document_id))
    for row in rows:
        said = f"{row.section or ''} {row.text}"
        # Whoever mistypes an address must not be told the right one.
        yield personal_data.masked(said) if "@" in said else said


def holding(conn: Connection, terms: Iterable[str], allowed: Reach, *, limit: int) -> list[int]:
    """Return the ids of up to `limit` passages within reach that hold all of the terms."""
    query = " AND ".join('"' + term.replace('"', '""') + '"' for term in dict.fromkeys(terms))
    if not query:
        return []
    matching = text(_HOLDING).bindparams(query=query).columns(passages.c.id)
    wanted = select(passages.c.id).where(passages.c.id.in_(matching)).limit(limit)
    if allowed.collections is not None:
        wanted = wanted.join(documents).where(within(allowed))
    return list(conn.execute(wanted).scalars())


def places(conn: Connection, ids: Sequence[int], allowed: Reach) -> list[Place]:
    """Return those passages that exist within reach."""
    wanted = (
        select(passages.c.id, documents.c.name, passages.c.section, passages.c.text)
        .join(documents)
        .where(passages.c.id.in_(bindparam("ids", expanding=True)), within(allowed))
    )
    parts = (ids[at : at + _PART] for at in range(0, len(ids), _PART))
    rows = (row for part in parts for row in conn.execute(wanted, {"ids": list(part)}))
    return [Place(row.id, row.name, row.section or "", row.text) for row in rows]
