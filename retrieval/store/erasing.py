"""Erasing documents: all rows that are theirs or quote them, and what is counted to prove it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, or_, select, text, update

from core.errors import NotFound
from retrieval.store import keyword, removal
from retrieval.store.schema import (
    audit,
    documents,
    feedback,
    grants,
    index_state,
    pages,
    passage_sentences,
    passages,
)

_STEMS = "SELECT rowid, stems FROM passage_stems WHERE rowid IN :ids"
_OPTIMIZE = "INSERT INTO passage_stems (passage_stems) VALUES ('optimize')"
_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
_PART = 500
_QUOTES_MAX = 64

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Doomed:
    """A document that is to be erased."""

    id: str
    name: str
    collection: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Marks:
    """By what the rows of erased documents are known once these are gone: ids, and words that stood in no other."""

    ids: tuple[str, ...]
    passage_ids: tuple[int, ...]
    terms: tuple[str, ...]
    excerpts: tuple[str, ...]


def doomed(conn: Connection, wanted: str, collection: str | None) -> list[Doomed]:
    """Return the document with the id `wanted`, or all that bear it as their name in a collection; oldest first.

    Raises `NotFound` when the name stands in several collections and none is given.
    """
    columns = (documents.c.id, documents.c.name, documents.c.collection, documents.c.sha256)
    is_meant = documents.c.name == wanted
    if collection is not None:
        is_meant = and_(is_meant, documents.c.collection == collection)
    rows = conn.execute(select(*columns).where(or_(documents.c.id == wanted, is_meant)).order_by(documents.c.id)).all()
    found = [Doomed(*row) for row in rows]
    places = sorted({one.collection for one in found})
    if len(places) > 1:
        raise NotFound(
            "name_in_several_collections",
            f"Документ с таким именем есть в коллекциях: {', '.join(places)}. Укажите одну: --collection ИМЯ.",
        )
    return found


def same_bytes(conn: Connection, hashes: Collection[str], ids: Collection[str]) -> list[str]:
    """Return the ids of other documents made of the same bytes."""
    is_other = and_(documents.c.sha256.in_(sorted(hashes)), documents.c.id.not_in(sorted(ids)))
    return list(conn.execute(select(documents.c.id).where(is_other)).scalars())


def texts_of(conn: Connection, ids: Collection[str]) -> Iterator[str]:
    """Yield the texts of these documents' pages."""
    wanted = select(pages.c.text).where(pages.c.document_id.in_(sorted(ids)))
    yield from conn.execute(wanted.order_by(pages.c.document_id, pages.c.position)).scalars()


def texts_of_others(conn: Connection, ids: Collection[str]) -> Iterator[str]:
    """Yield the names and the texts of the pages of all other documents."""
    yield from conn.execute(select(documents.c.name).where(documents.c.id.not_in(sorted(ids)))).scalars()
    yield from conn.execute(select(pages.c.text).where(pages.c.document_id.not_in(sorted(ids)))).scalars()


def passage_ids(conn: Connection, ids: Collection[str]) -> tuple[int, ...]:
    """Return the ids of these documents' passages, ascending."""
    wanted = select(passages.c.id).where(passages.c.document_id.in_(sorted(ids))).order_by(passages.c.id)
    return tuple(conn.execute(wanted).scalars())


def own_terms(conn: Connection, ids: Sequence[int], *, limit: int) -> tuple[str, ...]:
    """Return up to `limit` terms of the keyword index that stand in these passages and in no other."""
    held: dict[str, int] = {}
    for part in _parts(ids):
        rows = conn.execute(text(_STEMS).bindparams(bindparam("ids", expanding=True)), {"ids": part})
        for _, stems in rows:
            for term in set(stems.split()):
                held[term] = held.get(term, 0) + 1
    known: dict[str, int] = {}
    for terms in _parts(sorted(held)):
        known |= keyword.counts(conn, terms)
    return tuple(term for term, number in held.items() if known.get(term) == number)[:limit]


def erase(conn: Connection, marks: Marks, tell: Callable[[Connection], None]) -> None:
    """Remove every row of the documents and every row that quotes them; `tell` writes down that it happened.

    Repeated, it finds nothing more to do, and tells nothing.
    """
    is_doomed = documents.c.id.in_(marks.ids)
    forget_quotes(conn, marks)
    if conn.execute(select(documents.c.id).where(is_doomed).limit(1)).first() is None:
        return
    removal.remove_documents(conn, is_doomed)
    conn.execute(text(_OPTIMIZE))  # a deletion leaves terms in the keyword index until its parts are merged
    conn.execute(update(index_state).values(clean_revision=index_state.c.revision))
    tell(conn)


def forget_quotes(conn: Connection, marks: Marks) -> None:
    """Remove opinions on answers from these documents, and their names and words from the audit log.

    Its entries stay, without what names the document: who did what and when is nobody else's to erase.
    """
    conn.execute(feedback.delete().where(_is_opinion_on(marks)))
    found = list(conn.execute(select(audit.c.id).where(_is_naming(marks))).scalars())
    if not found:
        return
    triggers = conn.execute(text(_TRIGGERS)).all()
    for trigger in triggers:
        conn.exec_driver_sql(f'DROP TRIGGER "{trigger.name}"')
    for part in _parts(found):
        nameless = func.json_remove(audit.c.detail, "$.name", "$.question")
        conn.execute(update(audit).where(audit.c.id.in_(part)).values(detail=nameless))
    for trigger in triggers:
        conn.exec_driver_sql(trigger.sql)


def counts(conn: Connection, marks: Marks) -> Mapping[str, int]:
    """Return how many rows of each kind there are of these documents, or quote them."""
    of_document = {"documents": documents.c.id, "pages": pages.c.document_id, "passages": passages.c.document_id}
    found = {name: _count(conn, column.in_(marks.ids)) for name, column in of_document.items()}
    found["sentences"] = found["keywords"] = 0
    for part in _parts(marks.passage_ids):
        found["sentences"] += _count(conn, passage_sentences.c.passage_id.in_(part))
        found["keywords"] += len(keyword.held(conn, part))
    found["terms"] = len(keyword.counts(conn, marks.terms)) if marks.terms else 0
    found["feedback"] = _count(conn, _is_opinion_on(marks))
    found["audit"] = _count(conn, _is_naming(marks))
    found["grants"] = _count(conn, and_(grants.c.object_kind == "document", grants.c.object.in_(marks.ids)))
    return found


def _count(conn: Connection, condition: ColumnElement[bool]) -> int:
    return conn.execute(select(func.count()).where(condition)).scalar_one()


def _asked(marks: Marks) -> tuple[str, ...]:
    """As many excerpts as one statement bears, spread over all; the names come first and are all in it."""
    step = max(1, -(-len(marks.excerpts) // _QUOTES_MAX))
    return tuple(dict.fromkeys([*marks.excerpts[:4], *marks.excerpts[::step]]))


def _is_opinion_on(marks: Marks) -> ColumnElement[bool]:
    said = (feedback.c.question, feedback.c.answer, feedback.c.comment)
    cites = (feedback.c.document_ids.contains(id_, autoescape=True) for id_ in marks.ids)
    quotes = (func.instr(column, excerpt) > 0 for column in said for excerpt in _asked(marks))
    return or_(*cites, *quotes)


def _is_naming(marks: Marks) -> ColumnElement[bool]:
    has_name = or_(*(func.json_extract(audit.c.detail, path).is_not(None) for path in ("$.name", "$.question")))
    quotes = (func.instr(audit.c.detail, excerpt) > 0 for excerpt in _asked(marks))
    return and_(audit.c.detail != "", has_name, or_(audit.c.object.in_(marks.ids), *quotes))


def _parts(values: Sequence[T]) -> Iterator[list[T]]:
    return (list(values[at : at + _PART]) for at in range(0, len(values), _PART))
