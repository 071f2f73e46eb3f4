"""Passages with their vectors and stems: committed with their document, found again, shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, func, insert, select, text, update

from core.types import Passage, PersonalKind, Principal, Problem, Status
from retrieval import personal_data
from retrieval.store import jobs, policies, removal, sentences, shown
from retrieval.store.documents import not_found, readable
from retrieval.store.schema import documents, pages, passages
from retrieval.store.shown import Span

Vector = NDArray[np.float32]
VARIABLES_MAX = 500  # bound parameters in one statement; SQLite's oldest limit is 999


@dataclass(frozen=True, slots=True)
class NewPage:
    """A page to store; `number` is None where the format has none."""

    number: int | None
    text: str


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage to store: verbatim `text` = its page's text[start:end], with what finds it.

    `vector_key` names the text that was embedded and the model that did it, `stems` are for the keyword search,
    `context` is what the text needs and does not hold: the header of a table begun earlier.
    """

    page_position: int
    section: str | None
    text: str
    start: int
    end: int
    vector_key: str
    vector: Vector
    stems: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class StoredText:
    """What a stored passage's vector is made of."""

    id: int
    document: str
    section: str | None
    context: str
    text: str


@dataclass(frozen=True, slots=True)
class Ingested:
    """Everything that one version of a document becomes. Without `personal_data` the worker looks for it later."""

    document_id: str
    media_type: str
    pages: tuple[NewPage, ...]
    passages: tuple[NewPassage, ...]
    problem: Problem | None = None
    personal_data: Mapping[PersonalKind, int] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passage begins: character `start` of the document's page `page_position`; `position` counts passages."""

    document_id: str
    page_position: int
    position: int
    start: int


@dataclass(frozen=True, slots=True)
class StoredPage:
    """One page's text; `position` counts from 0 over the document."""

    document_id: str
    document: str
    position: int
    number: int | None
    text: str


def commit(conn: Connection, ingested: Ingested, owner: str, *, now: float) -> bool:
    """Put a document's pages and passages in force, its predecessors out of it, and end it, in one transaction.

    False, and nothing written, when the document is gone or no longer this owner's: a delete wins.
    """
    if not jobs.is_held(conn, ingested.document_id, owner):
        return False
    document_id = ingested.document_id
    _insert_pages(conn, ingested)
    _insert_passages(conn, ingested)
    sentences.inherit(conn, document_id)  # before the older edition goes
    conn.execute(
        update(documents)
        .where(documents.c.id == document_id)
        .values(
            status=Status.PARTIAL if ingested.problem else Status.READY,
            error_code=ingested.problem.code if ingested.problem else None,
            error_detail=ingested.problem.detail if ingested.problem else None,
            media_type=ingested.media_type,
            pages=len(ingested.pages) if any(page.number is not None for page in ingested.pages) else None,
            passages=len(ingested.passages),
            stage=None,
            lease_owner=None,
            updated_at=now,
        )
    )
    if ingested.personal_data is not None:
        policies.note(conn, document_id, ingested.personal_data)
    _supersede(conn, document_id)
    return True


def _insert_pages(conn: Connection, ingested: Ingested) -> None:
    rows = [
        {"document_id": ingested.document_id, "position": position, "number": page.number, "text": page.text}
        for position, page in enumerate(ingested.pages)
    ]
    if rows:
        conn.execute(insert(pages), rows)


def _insert_passages(conn: Connection, ingested: Ingested) -> None:
    if not ingested.passages:
        return
    revision = removal.next_revision(conn)
    rows = [
        {
            "document_id": ingested.document_id,
            "position": position,
            "page_position": passage.page_position,
            "page": ingested.pages[passage.page_position].number,
            "section": passage.section,
            "context": passage.context,
            "text": passage.text,
            "start_char": passage.start,
            "end_char": passage.end,
            "vector_key": passage.vector_key,
            "vector": np.ascontiguousarray(passage.vector, dtype="<f4").tobytes(),
            "revision": revision,
        }
        for position, passage in enumerate(ingested.passages)
    ]
    conn.execute(insert(passages), rows)
    ids = conn.execute(
        select(passages.c.id).where(passages.c.document_id == ingested.document_id).order_by(passages.c.position)
    ).scalars()
    stems = [{"id": id_, "stems": p.stems} for id_, p in zip(ids, ingested.passages, strict=True)]
    conn.execute(text("INSERT INTO passage_stems (rowid, stems) VALUES (:id, :stems)"), stems)


def _supersede(conn: Connection, document_id: str) -> None:
    row = conn.execute(select(documents).where(documents.c.id == document_id)).one()
    if row.is_replacement:
        older = and_(
            documents.c.name == row.name,
            documents.c.collection == row.collection,
            documents.c.id != row.id,
            documents.c.created_at <= row.created_at,
        )
        removal.remove_documents(conn, older, heir=document_id)


def known_vectors(conn: Connection, keys: Sequence[str]) -> dict[str, Vector]:
    """Return the stored vectors of those keys that some passage already has."""
    found: dict[str, Vector] = {}
    for part in _parts(keys):
        wanted = select(passages.c.vector_key, func.min(passages.c.vector)).where(passages.c.vector_key.in_(part))
        rows = conn.execute(wanted.group_by(passages.c.vector_key))
        found.update((key, np.frombuffer(vector, dtype="<f4")) for key, vector in rows)
    return found


def show(conn: Connection, scores: dict[int, float], principal: Principal) -> list[Passage]:
    """Return the passages with these ids that exist and are readable, best score first."""
    found: list[Passage] = []
    hidden = policies.masked(conn)
    for part in _parts(list(scores)):
        rows = conn.execute(shown.whole().where(passages.c.id.in_(part), readable(principal))).all()
        found += [shown.passage(conn, row, hidden, scores[row.id]) for row in rows]
    return sorted(found, key=lambda passage: (-passage.score, passage.id))


def places(conn: Connection, ids: Sequence[int]) -> dict[int, Place]:
    """Return where those passages stand that exist, by id."""
    found: dict[int, Place] = {}
    for part in _parts(ids):
        columns = (passages.c.document_id, passages.c.page_position, passages.c.position, passages.c.start_char)
        rows = conn.execute(select(passages.c.id, *columns).where(passages.c.id.in_(part)))
        found.update((row[0], Place(*row[1:])) for row in rows)
    return found


def stretch(conn: Connection, place: Place, end: int) -> str | None:
    """Return the page's text from a place up to character `end`; None when the document is gone."""
    text_there = func.substr(pages.c.text, place.start + 1, end - place.start)
    is_page = and_(pages.c.document_id == place.document_id, pages.c.position == place.page_position)
    row = conn.execute(
        select(text_there.label("text"), documents.c.collection).join(documents).where(is_page)
    ).one_or_none()
    if row is None or row.collection not in policies.masked(conn):
        return row.text if row else None
    return shown.masked_span(conn, place.document_id, place.page_position, Span(place.start, end, row.text))


def of_document(conn: Connection, document_id: str, principal: Principal) -> list[Passage]:
    """Return every passage of a document, in order; none when it is unknown, unread, or somebody else's."""
    hidden = policies.masked(conn)
    rows = conn.execute(
        shown.whole().where(passages.c.document_id == document_id, readable(principal)).order_by(passages.c.position)
    ).all()
    return [shown.passage(conn, row, hidden) for row in rows]


def ids_of(conn: Connection, document_ids: Iterable[str]) -> NDArray[np.int64]:
    """Return the ids of all passages of these documents, ascending."""
    found: list[int] = []
    for part in _parts(sorted(document_ids)):
        found += conn.execute(select(passages.c.id).where(passages.c.document_id.in_(part))).scalars()
    return np.array(sorted(found), np.int64)


def page(conn: Connection, document_id: str, page_number: int, principal: Principal) -> StoredPage:
    """Return the page with this number; where pages are not numbered, `page_number` counts them from 1."""
    rows = (
        select(pages, documents.c.name.label("document"), documents.c.collection)
        .join(documents)
        .where(pages.c.document_id == document_id, readable(principal))
    )
    row = conn.execute(rows.where(pages.c.number == page_number)).first()
    if row is None:
        row = conn.execute(rows.where(pages.c.number.is_(None), pages.c.position == page_number - 1)).first()
    if row is None:
        raise not_found()
    hide = personal_data.masked if row.collection in policies.masked(conn) else str
    return StoredPage(document_id, hide(row.document), row.position, row.number, hide(row.text))


def stored_texts(conn: Connection, *, after_id: int, limit: int) -> list[StoredText]:
    """Return up to `limit` passages after `after_id` in order of id, for embedding all anew."""
    rows = conn.execute(
        select(passages.c.id, documents.c.name, passages.c.section, passages.c.context, passages.c.text)
        .join(documents)
        .where(passages.c.id > after_id)
        .order_by(passages.c.id)
        .limit(limit)
    )
    return [StoredText(*row) for row in rows]


def passage_ids(conn: Connection) -> NDArray[np.int64]:
    """Return the ids of all passages, ascending."""
    return np.fromiter(conn.execute(select(passages.c.id).order_by(passages.c.id)).scalars(), dtype=np.int64)


def _parts(values: Sequence[object]) -> Iterable[Sequence[object]]:
    return (values[at : at + VARIABLES_MAX] for at in range(0, len(values), VARIABLES_MAX))
