"""A parsed document as JSON, for the way from the parser child to the service."""

from __future__ import annotations

import json
from typing import Any

from core.types import Heading, Page, ParsedDocument, Problem, Table


def dumps(document: ParsedDocument) -> bytes:
    """Encode in UTF-8; rows of tables and headings as bare lists, because there are many."""
    problem = document.problem
    value = {
        "media_type": document.media_type,
        "problem": [problem.code, problem.detail] if problem else None,
        "pages": [_page_value(page) for page in document.pages],
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def loads(data: bytes) -> ParsedDocument:
    """Decode what `dumps` made."""
    value = json.loads(data)
    problem = Problem(*value["problem"]) if value["problem"] else None
    return ParsedDocument(value["media_type"], tuple(map(_page, value["pages"])), problem)


def _page_value(page: Page) -> list[Any]:
    headings = [(heading.start, heading.level, heading.title) for heading in page.headings]
    tables = [(table.start, table.end, table.header, table.row_starts) for table in page.tables]
    return [page.number, page.text, headings, tables]


def _page(value: list[Any]) -> Page:
    number, text, headings, tables = value
    return Page(
        number,
        text,
        tuple(Heading(*heading) for heading in headings),
        tuple(Table(start, end, header, tuple(rows)) for start, end, header, rows in tables),
    )
