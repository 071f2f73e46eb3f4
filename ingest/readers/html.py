"""HTML pages: what a browser would show, without scripts and navigation."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lxml import etree

from core.types import ParsedDocument
from ingest.encoding import decode
from ingest.limits import Limits
from ingest.media_type import HTML
from ingest.readers.attribute_number import attribute_number
from ingest.readers.contract import OnProgress
from ingest.readers.page_text import PageText

_DECLARED = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)|<\?xml[^>]+encoding=[\"']([\w-]+)", re.I)
_DROPPED = frozenset(
    {"script", "style", "noscript", "template", "head", "nav", "aside", "footer", "form", "button", "select"}
    | {"svg", "canvas", "iframe", "object", "audio", "video"}
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_HEADINGS = MappingProxyType({"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6})
_BLOCKS = frozenset(
    {"html", "body", "p", "div", "section", "article", "main", "header", "address", "blockquote", "center", "pre", "hr"}
    | {"figure", "figcaption", "fieldset", "details", "summary", "dl", "dt", "dd", "ul", "ol", "li"}
    | {"table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th", *_HEADINGS}
)
_SPACE = re.compile(r"[ \t\r\n\f]+")


def read(path: Path, _limits: Limits, _on_progress: OnProgress) -> ParsedDocument:
    """Give the text as one page without a number."""
    text = PageText()
    lay_out(path.read_bytes(), text)
    return ParsedDocument(HTML, (text.page(None),))


def lay_out(data: bytes, text: PageText, charset: str | None = None) -> None:
    """Add a page to `text`. `charset` is what a letter's header said; the page's own word comes next."""
    match = _DECLARED.search(data, 0, 4096)
    declared = next((group.decode() for group in match.groups() if group), None) if match else None
    source = decode(data, charset or declared).encode("utf-8", errors="replace")
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True)
    root = etree.fromstring(source, parser) if source.strip() else None
    if root is not None:
        _Layout(text).walk(root)


class _Layout:
    """Blocks of a page in reading order; inline text gathers in `_line` until a block begins or ends."""

    def __init__(self, text: PageText) -> None:
        self.text = text
        self._line: list[str] = []
        self._mark = ""
        self._list_numbers: list[int | None] = []

    def walk(self, root: Any) -> None:
        """Go through the tree without recursion, however deep it is."""
        events = etree.iterwalk(root, events=("start", "end"))
        for event, element in events:
            if event == "start" and self._takes_whole(element):
                events.skip_subtree()
            elif event == "start":
                self._begin(element)
            else:
                self._end(element)
        self._flush()

    def _takes_whole(self, element: Any) -> bool:
        """Deal with elements that are not gone into: dropped ones, headings, tables of data, code."""
        tag = element.tag
        if _is_dropped(element):
            return True
        if tag in _HEADINGS:
            self._flush()
            self.text.heading(_inline(element), _HEADINGS[tag])
        elif tag == "table" and _is_data(element):
            self._flush()
            for caption in element.findall("caption"):
                self.text.paragraph(_inline(caption))
            self.text.table([[_inline(cell) for cell in _cells(row)] for row in element.iter("tr")])
        elif tag == "pre":
            self._flush()
            self.text.paragraph("".join(element.itertext()))
        else:
            return False
        return True

    def _begin(self, element: Any) -> None:
        tag = element.tag
        if tag in _BLOCKS:
            self._flush()
        if tag in ("ul", "ol"):
            self._list_numbers.append(_start(element) if tag == "ol" else None)
        elif tag == "li":
            self._mark = self._next_mark()
        elif tag == "br":
            self._line.append("\n")
        elif tag == "img" and element.get("alt"):
            self._line.append(f" {element.get('alt')} ")
        if element.text:
            self._line.append(_SPACE.sub(" ", element.text))

    def _end(self, element: Any) -> None:
        tag = element.tag
        if tag in _BLOCKS:
            self._flush()
        if tag in ("ul", "ol") and not _is_dropped(element):
            self._list_numbers.pop()
        if tag in ("p", "div", "ul", "ol", "blockquote") and not self._list_numbers:
            self.text.gap()
        if element.tail:
            self._line.append(_SPACE.sub(" ", element.tail))

    def _next_mark(self) -> str:
        number = self._list_numbers[-1] if self._list_numbers else None
        if number is None:
            return "- "
        self._list_numbers[-1] = number + 1
        return f"{number}. "

    def _flush(self) -> None:
        lines = [_SPACE.sub(" ", line).strip() for line in "".join(self._line).split("\n")]
        self._line.clear()
        if any(lines):
            self.text.paragraph(self._mark + "\n".join(lines).strip())
            self._mark = ""


def _is_dropped(element: Any) -> bool:
    style = element.get("style") or ""
    return (
        not isinstance(element.tag, str)
        or element.tag in _DROPPED
        or element.get("hidden") is not None
        or bool(style and _HIDDEN.search(style))
    )


def _is_data(table: Any) -> bool:
    """Whether a table holds data: old pages lay themselves out with tables in tables and single cells."""
    if next(table.iterdescendants("table", "h1", "h2", "h3"), None) is not None:
        return False
    return sum(len(_cells(row)) > 1 for row in table.iter("tr")) > 1


def _cells(row: Any) -> list[Any]:
    return list(row.iterchildren("td", "th"))


def _inline(element: Any) -> str:
    """All text of an element on one line; blocks and breaks inside part words."""
    pieces: list[str] = []
    for event, inner in etree.iterwalk(element, events=("start", "end")):
        if event == "start":
            pieces.append(" " if inner.tag in _BLOCKS or inner.tag == "br" else "")
            pieces.append("" if inner.tag in _DROPPED else inner.text or "")
        elif inner is not element:
            pieces.append(" " if inner.tag in _BLOCKS else "")
            pieces.append(inner.tail or "")
    return _SPACE.sub(" ", "".join(pieces)).strip()


def _start(ordered_list: Any) -> int:
    return attribute_number(ordered_list.get("start"), 1)
