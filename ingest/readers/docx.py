"""Word documents: what a reader sees in the body, in order, with the numbers of list items, then the footnotes.

Left out: deleted text of tracked changes, hidden text, comments, page headers and footers, the table of contents.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from core.types import ParsedDocument
from ingest.cleaning import clean_line
from ingest.limits import Limits
from ingest.media_type import DOCX
from ingest.readers.attribute_number import attribute_number
from ingest.readers.contract import OnProgress
from ingest.readers.docx_numbering import Numbering
from ingest.readers.docx_styles import Styles
from ingest.readers.ooxml import Package
from ingest.readers.page_text import PageText

_NOTES = (("footnotes", "footnote", "Сноски"), ("endnotes", "endnote", "Концевые сноски"))
_WRAPPERS = frozenset({"sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag"})
# Fallback repeats in an older format what stands beside it.
_SKIPPED = frozenset(
    {"del", "moveFrom", "instrText", "delText", "delInstrText", "Fallback", "txbxContent", "pPr", "object"}
)
_CHARACTERS = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": " "}


def read(path: Path, limits: Limits, _on_progress: OnProgress) -> ParsedDocument:
    """Give the text as one page without a number: where a page ends is known only when it is printed."""
    with Package(path, limits, "документ Word") as package:
        main = package.main_part("word/document.xml")
        body = package.must_xml(main).find("body")
        story = _Story(Styles(_first(package, main, "styles")), Numbering(_first(package, main, "numbering")))
        if body is not None:
            story.add(body)
        for part, tag, title in _NOTES:
            story.add_notes(_first(package, main, part), tag, title)
    return ParsedDocument(DOCX, (story.text.page(None),))


def _first(package: Package, main: str, kind: str) -> Element | None:
    parts = package.related(main, kind)
    return package.xml(parts[0]) if parts else None


class _Story:
    """Blocks turned into text one after another; numbering makes their order matter."""

    def __init__(self, styles: Styles, numbering: Numbering) -> None:
        self.text = PageText()
        self._styles = styles
        self._numbering = numbering

    def add(self, container: Element) -> None:
        for block in _blocks(container):
            if block.tag == "tbl":
                self._table(block)
            else:
                self._paragraph(block)

    def add_notes(self, root: Element | None, tag: str, title: str) -> None:
        notes = [note for note in (root if root is not None else ()) if note.tag == tag and not _is_separator(note)]
        texts = [clean_line(" ".join(_text(paragraph) for paragraph in note.iter("p"))) for note in notes]
        if any(texts):
            self.text.heading(title, 1)
        for number, text in enumerate(texts, 1):
            if text:
                self.text.paragraph(f"{number}. {text}")

    def _paragraph(self, paragraph: Element) -> None:
        text, label = _text(paragraph), self._label(paragraph)
        if text.strip() and not self._styles.is_contents(paragraph):
            level = self._styles.heading_level(paragraph)
            if level is None:
                self.text.paragraph(f"{label} {text}".strip())
            else:
                self.text.heading(f"{label} {text}", level)
        for box in _text_boxes(paragraph):
            self.add(box)

    def _label(self, paragraph: Element) -> str:
        """Ask once a paragraph, blank ones too: they count."""
        place = self._styles.list_place(paragraph)
        return self._numbering.next_label(place) if place else ""

    def _table(self, table: Element) -> None:
        rows = [_cells(row) for row in _rows(table)]
        if max(map(len, rows), default=0) > 1:
            self.text.table([[cell for part in row for cell in self._cell(part)] for row in rows])
            return
        for row in rows:
            for cell in row:
                self.add(cell)

    def _cell(self, cell: Element) -> list[str]:
        """A cell's text in its first column, blanks in the others; blank where it goes on a cell above."""
        columns = attribute_number(_property(cell, "gridSpan"), 1)
        return ["" if _is_continued(cell) else self._cell_text(cell), *[""] * min(columns - 1, 100)]

    def _cell_text(self, cell: Element) -> str:
        """All paragraphs on one line; a numbered one may be blank, as in a column of row numbers."""
        return " ".join(f"{self._label(paragraph)} {_text(paragraph)}" for paragraph in cell.iter("p"))


def _blocks(container: Element) -> Iterator[Element]:
    for child in container:
        if child.tag in ("p", "tbl"):
            yield child
        elif child.tag in _WRAPPERS:
            yield from _blocks(child)


def _text(element: Element) -> str:
    return "".join(_pieces(element))


def _pieces(element: Element) -> Iterator[str]:
    for child in element:
        if child.tag == "t":
            yield child.text or ""
        elif child.tag in _CHARACTERS:
            yield _CHARACTERS[child.tag]
        elif child.tag not in _SKIPPED and not _is_hidden(child):
            yield from _pieces(child)


def _is_hidden(run: Element) -> bool:
    mark = run.find("rPr/vanish")
    return mark is not None and mark.get("val") not in ("0", "false")


def _text_boxes(element: Element) -> Iterator[Element]:
    for child in element:
        if child.tag == "txbxContent":
            yield child
        elif child.tag not in ("Fallback", "del", "moveFrom"):
            yield from _text_boxes(child)


def _rows(table: Element) -> list[Element]:
    return [row for row in _unwrapped(table, "tr") if row.find("trPr/del") is None]


def _cells(row: Element) -> list[Element]:
    return list(_unwrapped(row, "tc"))


def _unwrapped(parent: Element, tag: str) -> Iterator[Element]:
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in _WRAPPERS:
            yield from _unwrapped(child, tag)


def _property(cell: Element, name: str) -> str | None:
    element = cell.find(f"tcPr/{name}")
    return element.get("val") if element is not None else None


def _is_continued(cell: Element) -> bool:
    merge = cell.find("tcPr/vMerge")
    return merge is not None and merge.get("val") != "restart"


def _is_separator(note: Element) -> bool:
    return note.get("type") in ("separator", "continuationSeparator", "continuationNotice")
