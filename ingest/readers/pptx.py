"""Presentations: a page a slide, its title as the heading, then texts and tables in order, then the speaker's notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from core.types import Page, ParsedDocument
from ingest.limits import Limits
from ingest.media_type import PPTX
from ingest.readers.contract import OnProgress
from ingest.readers.ooxml import Package
from ingest.readers.page_text import PageText

_TITLES = frozenset({"title", "ctrTitle"})
_FURNITURE = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})


def read(path: Path, limits: Limits, on_progress: OnProgress) -> ParsedDocument:
    """Give one page a slide; a slide's number is its place in the show."""
    with Package(path, limits, "презентация PowerPoint") as package:
        main = package.main_part("ppt/presentation.xml")
        ids = package.must_xml(main).findall("sldIdLst/sldId")
        slides = [package.target(main, slide.get("r:id", "")) for slide in ids]
        pages = []
        for number, slide in enumerate(slides, 1):
            pages.append(_page(package, slide, number))
            on_progress(number, len(slides))
    return ParsedDocument(PPTX, tuple(pages))


def _page(package: Package, slide: str, number: int) -> Page:
    text = PageText()
    root = package.xml(slide)
    shapes = list(_shapes(root)) if root is not None else []
    for shape in sorted(shapes, key=lambda shape: _role(shape) not in _TITLES):
        _add(shape, text)
    for diagram in package.related(slide, "diagramData"):
        _add_paragraphs(package.xml(diagram), text)
    for notes in package.related(slide, "notesSlide"):
        _add_notes(package.xml(notes), text)
    return text.page(number)


def _shapes(parent: Element) -> Iterator[Element]:
    for child in parent:
        if child.tag in ("sp", "graphicFrame"):
            yield child
        elif child.tag != "Fallback":
            yield from _shapes(child)


def _role(shape: Element) -> str:
    placeholder = shape.find("nvSpPr/nvPr/ph")
    return placeholder.get("type", "body") if placeholder is not None else ""


def _add(shape: Element, text: PageText) -> None:
    role = _role(shape)
    if role in _TITLES:
        text.heading(" ".join(_paragraphs(shape)), 1)
    elif (table := shape.find("graphic/graphicData/tbl")) is not None:
        text.table([[_cell(cell) for cell in row.findall("tc")] for row in table.findall("tr")])
    elif role not in _FURNITURE:
        text.gap()
        _add_paragraphs(shape, text)


def _add_paragraphs(root: Element | None, text: PageText) -> None:
    for paragraph in _paragraphs(root):
        text.paragraph(paragraph)


def _add_notes(root: Element | None, text: PageText) -> None:
    bodies = [shape for shape in (_shapes(root) if root is not None else ()) if _role(shape) == "body"]
    lines = [line for body in bodies for line in _paragraphs(body) if line.strip()]
    if lines:
        text.gap()
        text.paragraph("Заметки: " + "\n".join(lines))


def _paragraphs(root: Element | None) -> list[str]:
    return ["".join(_pieces(paragraph)) for paragraph in (root.iter("p") if root is not None else ())]


def _pieces(paragraph: Element) -> Iterator[str]:
    for element in paragraph.iter():
        if element.tag == "t":
            yield element.text or ""
        elif element.tag == "br":
            yield "\n"


def _cell(cell: Element) -> str:
    is_merged = "1" in (cell.get("hMerge"), cell.get("vMerge")) or "true" in (cell.get("hMerge"), cell.get("vMerge"))
    return "" if is_merged else " ".join(_paragraphs(cell))
