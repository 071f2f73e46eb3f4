"""What a DOCX paragraph's style says: its place in the outline and the list it belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from ingest.readers.attribute_number import attribute_number

_HEADING = re.compile(r"(?:heading|заголовок)\s*(\d)", re.I)
_TITLES = frozenset({"title", "название"})
_CONTENTS = re.compile(r"(?:toc|оглавление)\s*\d", re.I)
_BODY_LEVEL = 9
_CHAIN_MAX = 20


@dataclass(frozen=True, slots=True)
class ListPlace:
    """A list and the level in it, from 0; list "0" takes a paragraph out of its style's list."""

    list_id: str
    level: int


class Styles:
    """The styles part, asked paragraph by paragraph."""

    def __init__(self, root: Element | None) -> None:
        """Take the root of the part; None where the document has no styles."""
        styles = root.findall("style") if root is not None else []
        self._by_id = {style.get("styleId", ""): style for style in styles}
        self._default = next(
            (style.get("styleId", "") for style in styles if style.get("type") == "paragraph" and style.get("default")),
            "",
        )

    def heading_level(self, paragraph: Element) -> int | None:
        """Outline level from 1, None for body text."""
        for properties, name in self._layers(paragraph):
            if (outline := properties.find("outlineLvl")) is not None:
                level = attribute_number(outline.get("val"), _BODY_LEVEL)
                return level + 1 if 0 <= level < _BODY_LEVEL else None
            if match := _HEADING.fullmatch(name):
                return int(match.group(1))
            if name in _TITLES:
                return 1
        return None

    def list_place(self, paragraph: Element) -> ListPlace | None:
        """Where the paragraph stands in a list; its own word goes before its style's."""
        list_id, level = None, None
        for properties, _ in self._layers(paragraph):
            numbering = properties.find("numPr")
            if numbering is not None:
                list_id = list_id or _value(numbering, "numId")
                level = level or _value(numbering, "ilvl")
        return ListPlace(list_id, attribute_number(level, 0)) if list_id else None

    def is_contents(self, paragraph: Element) -> bool:
        """Whether it is a line of the table of contents, which only repeats the headings."""
        return any(_CONTENTS.fullmatch(name) for _, name in self._layers(paragraph))

    def _layers(self, paragraph: Element) -> Iterator[tuple[Element, str]]:
        """The paragraph's own properties, then those of its style and of the styles that is based on."""
        own = paragraph.find("pPr")
        if own is not None:
            yield own, ""
        style_id = (_value(own, "pStyle") if own is not None else None) or self._default
        for _ in range(_CHAIN_MAX):
            style = self._by_id.get(style_id)
            if style is None:
                return
            properties = style.find("pPr")
            yield properties if properties is not None else style, (_value(style, "name") or "").lower()
            style_id = _value(style, "basedOn") or ""


def _value(parent: Element, tag: str) -> str | None:
    child = parent.find(tag)
    return child.get("val") if child is not None else None
