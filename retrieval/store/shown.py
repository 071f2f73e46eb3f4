"""Passages as they leave the store: the one place where personal data of a collection that hides it is masked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection, Row, Select, and_, func, select

from core.types import Passage
from retrieval import personal_data
from retrieval.personal_data import MARGIN_CHARS
from retrieval.store.schema import documents, pages, passages


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a page: its offsets there and its text."""

    start: int
    end: int
    text: str


def whole() -> Select[tuple[object, ...]]:
    """Select passages with all that showing one needs."""
    columns = (documents.c.name.label("document"), documents.c.collection)
    return select(passages, *columns).join(documents)


def passage(conn: Connection, row: Row[tuple[object, ...]], hidden: frozenset[str], score: float = 0.0) -> Passage:
    """A passage as it leaves the store: of a collection in `hidden` without personal data."""
    found = Passage(
        id=row.id,
        document_id=row.document_id,
        document=row.document,
        page=row.page,
        section=row.section,
        text=row.text,
        start=row.start_char,
        end=row.end_char,
        score=score,
    )
    if row.collection not in hidden:
        return found
    return replace(
        found,
        document=personal_data.masked(row.document),
        section=personal_data.masked(row.section) if row.section else row.section,
        text=masked_span(conn, row.document_id, row.page_position, Span(row.start_char, row.end_char, row.text)),
    )


def masked_span(conn: Connection, document_id: str, page_position: int, span: Span) -> str:
    """Mask a piece by what stands around it on its page: a number may begin before it or end after it."""
    begin = max(0, span.start - MARGIN_CHARS)
    around = func.substr(pages.c.text, begin + 1, span.end + MARGIN_CHARS - begin)
    is_page = and_(pages.c.document_id == document_id, pages.c.position == page_position)
    window = conn.execute(select(around).where(is_page)).scalar() or ""
    before, after = window[: span.start - begin], window[span.end - begin :]
    if window[span.start - begin : span.end - begin] != span.text:
        before = after = ""
    return personal_data.masked_piece(span.text, before, after)
