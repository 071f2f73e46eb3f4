"""A sheet of a workbook as a page: its name as the heading, what stands above the table, the table."""

from __future__ import annotations

from collections.abc import Sequence

from core.types import Page
from ingest.readers.page_text import PageText

_HEADER_WITHIN = 20
_HEADER_SHARE = 0.6


def sheet_page(number: int, title: str, rows: Sequence[Sequence[str]]) -> Page:
    """Lay out the sheet that is `number`th in its workbook, from 1; one without cells is an empty page."""
    text = PageText()
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if filled:
        text.heading(title, 1)
        header = _header_row(filled)
        for row in filled[:header]:
            text.paragraph(" ".join(cell for cell in row if cell.strip()))
        text.table(filled[header:])
    return text.page(number)


def _header_row(rows: Sequence[Sequence[str]]) -> int:
    """The first row that is nearly as wide as the widest of the first ones: titles and dates above it are narrow."""
    widths = [sum(bool(cell.strip()) for cell in row) for row in rows[:_HEADER_WITHIN]]
    return next(index for index, width in enumerate(widths) if width >= _HEADER_SHARE * max(widths))
