"""Builds the text of one page, keeping the offsets of headings and tables as it grows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.types import Heading, Page, Table
from ingest.cleaning import clean, clean_line

CELL_SEPARATOR = " | "
_HEADING_LEVELS = range(1, 10)


class PageText:
    """Blocks in reading order: what a reader adds is cleaned first, so that every offset is final."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._headings: list[Heading] = []
        self._tables: list[Table] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing with a visible character has been added."""
        return self._length == 0

    def paragraph(self, text: str) -> None:
        """Add text that may run over several lines; a blank one adds nothing."""
        stripped = "\n".join(line.rstrip() for line in clean(text).split("\n")).strip("\n")
        if stripped.strip():
            self._add(stripped)

    def gap(self) -> None:
        """Leave one blank line before what comes next."""
        if self._length and not self._ends_blank():
            self._append("\n")

    def heading(self, title: str, level: int) -> None:
        """Add a heading on a line of its own, with a blank line before it; level 1 is the outermost."""
        line = clean_line(title)
        if not line:
            return
        self.gap()
        bounded = min(max(level, _HEADING_LEVELS.start), _HEADING_LEVELS.stop - 1)
        self._headings.append(Heading(start=self._length, level=bounded, title=line))
        self._add(line)

    def table(self, rows: Iterable[Sequence[str]]) -> None:
        """Add rows of cells, one a line; the first row that is not blank is the header.

        A table of one column is a list of paragraphs, and is added as one.
        """
        cleaned = _without_blanks([[clean_line(cell) for cell in row] for row in rows])
        if not cleaned:
            return
        if max(map(len, cleaned)) == 1:
            for row in cleaned:
                self.paragraph(row[0])
            return
        self.gap()
        lines = [CELL_SEPARATOR.join(row).rstrip(" |") for row in cleaned]
        start, starts = self._length, []
        for line in lines:
            starts.append(self._length)
            self._add(line)
        self._tables.append(Table(start, self._length - 1, lines[0], tuple(starts)))
        self.gap()

    def page(self, number: int | None) -> Page:
        """Give the finished page; `number` counts from 1, None where the format has no pages."""
        text = "".join(self._parts).rstrip("\n")
        return Page(number, text, tuple(self._headings), tuple(self._tables))

    def _add(self, block: str) -> None:
        self._append(block + "\n")

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _ends_blank(self) -> bool:
        return self._parts[-1] == "\n"


def _without_blanks(rows: list[list[str]]) -> list[list[str]]:
    """Drop blank rows and columns that are blank in every row, so that only what is written stays."""
    written = sorted({index for row in rows for index, cell in enumerate(row) if cell})
    return [[row[i] if i < len(row) else "" for i in written] for row in rows if any(row)]


def under_title(page: Page, title: str) -> Page:
    """Put `title` over `page` as its outermost heading, its own going one level down; a blank page stays blank."""
    line = clean_line(title)
    if not (page.text.strip() and line):
        return page
    lead = f"{line}\n\n"
    by = len(lead)
    headings = (Heading(0, 1, line), *(Heading(h.start + by, h.level + 1, h.title) for h in page.headings))
    tables = tuple(
        Table(t.start + by, t.end + by, t.header, tuple(start + by for start in t.row_starts)) for t in page.tables
    )
    return Page(page.number, lead + page.text, headings, tables)
