"""The numbers of list items («4.2.», «а)»), which DOCX does not store but counts when it shows the page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from ingest.readers.attribute_number import attribute_number
from ingest.readers.docx_styles import ListPlace

_RUSSIAN = "абвгдежзиклмнопрстуфхцчшщэюя"
_LATIN = "abcdefghijklmnopqrstuvwxyz"
_ROMAN = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i"),
        strict=True,
    )
)
_PLACEHOLDER = re.compile(r"%([1-9])")
_ROMAN_MAX = 4000


@dataclass(frozen=True, slots=True)
class _Level:
    start: int = 1
    format: str = "decimal"
    text: str = ""
    is_legal: bool = False


@dataclass(frozen=True, slots=True)
class _List:
    definition: str
    starts: dict[int, int] = field(default_factory=dict)


class Numbering:
    """Counts the lists of one document; ask for each item once, in order."""

    def __init__(self, root: Element | None) -> None:
        """Take the root of the numbering part; None where the document has none."""
        elements = list(root) if root is not None else []
        self._levels = {e.get("abstractNumId", ""): _levels(e) for e in elements if e.tag == "abstractNum"}
        self._lists = {e.get("numId", ""): _list(e) for e in elements if e.tag == "num"}
        self._counters: dict[str, dict[int, int]] = {}
        self._begun: set[str] = set()

    def next_label(self, place: ListPlace) -> str:
        """The label of the next item there: «4.2.», «а)», «-» for a bullet, empty for none."""
        numbered = self._lists.get(place.list_id)
        levels = self._levels.get(numbered.definition, {}) if numbered else {}
        level = levels.get(place.level)
        if numbered is None or level is None:
            return ""
        counters = self._counters.setdefault(numbered.definition, {})
        if place.list_id not in self._begun:
            self._begun.add(place.list_id)
            counters.update({deep: start - 1 for deep, start in numbered.starts.items()})
        counters[place.level] = counters.get(place.level, level.start - 1) + 1
        for deeper in [deep for deep in counters if deep > place.level]:
            del counters[deeper]
        return _label(level, levels, counters)


def _label(level: _Level, levels: dict[int, _Level], counters: dict[int, int]) -> str:
    if level.format == "bullet":
        return "-"

    def written(match: re.Match[str]) -> str:
        at = int(match.group(1)) - 1
        shown = levels.get(at, _Level())
        return _written(counters.get(at, shown.start), "decimal" if level.is_legal else shown.format)

    return "" if level.format == "none" else _PLACEHOLDER.sub(written, level.text).strip()


def _written(number: int, format_: str) -> str:
    if number < 1:
        return str(number)
    if format_ in ("russianLower", "russianUpper"):
        text = _letters(number, _RUSSIAN)
    elif format_ in ("lowerLetter", "upperLetter"):
        text = _letters(number, _LATIN)
    elif format_ in ("lowerRoman", "upperRoman"):
        text = _roman(number)
    else:
        return f"{number:02d}" if format_ == "decimalZero" else str(number)
    return text.upper() if format_.startswith("upper") or format_.endswith("Upper") else text


def _letters(number: int, alphabet: str) -> str:
    """After the last letter come doubled ones: «яя», as Word writes them."""
    times, at = divmod(number - 1, len(alphabet))
    return alphabet[at] * min(times + 1, 10)


def _roman(number: int) -> str:
    if number >= _ROMAN_MAX:
        return str(number)
    text = ""
    for value, letters in _ROMAN:
        text += letters * (number // value)
        number %= value
    return text


def _levels(definition: Element) -> dict[int, _Level]:
    return {_int(level.get("ilvl")): _level(level) for level in definition.findall("lvl")}


def _level(element: Element) -> _Level:
    values = {child.tag: child.get("val") for child in element}
    is_legal = "isLgl" in values and values["isLgl"] not in ("0", "false")
    return _Level(
        _int(values.get("start"), 1), values.get("numFmt") or "decimal", values.get("lvlText") or "", is_legal
    )


def _list(element: Element) -> _List:
    definition = element.find("abstractNumId")
    starts = {}
    for override in element.findall("lvlOverride"):
        if (start := override.find("startOverride")) is not None:
            starts[_int(override.get("ilvl"))] = _int(start.get("val"), 1)
    return _List(definition.get("val", "") if definition is not None else "", starts)


def _int(value: str | None, otherwise: int = 0) -> int:
    return max(0, attribute_number(value, otherwise))
