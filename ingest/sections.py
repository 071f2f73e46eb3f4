"""Where the sections of a document begin: headings that readers gave, and numbered ones found in Russian text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from core.types import Page
from ingest.table_places import TablePlaces

_KINDS = ("Часть", "Раздел", "Подраздел", "Глава", "Параграф", "Статья")
_APPENDIX_LEVEL, _KIND_LEVEL, _NUMBER_LEVEL = 10, 11, 20  # below every level a reader gives
_TITLE_CHARS, _LABEL_CHARS, _PATH_CHARS = 120, 80, 150

_NAMED = re.compile(
    rf"^[ \t]*({'|'.join((*_KINDS, *(kind.upper() for kind in _KINDS)))})[ \t]+"
    r"(\d+(?:\.\d+)*(?:-\d+)?|[IVXLC]+)(\.?)(?=[ \t\n]|\Z)[ \t]*(.*)$",
    re.MULTILINE,
)
_APPENDIX = re.compile(
    r"^[ \t]*(?:Приложение|ПРИЛОЖЕНИЕ)(?:[ \t]*(?:№|N)?[ \t]*(\d+(?:\.\d+)*|[А-Я](?![а-яё])))?[ \t]*(?=$|к[ \t\n]|\.)",
    re.MULTILINE,
)
_NUMBERED = re.compile(
    r"^[ \t]*(?:п\.[ \t]*|Пункт[ \t]+)?(\d{1,2}(?:\.\d{1,3}){1,3}\.?|\d{1,2}\.)[ \t]+(?=[А-ЯЁA-Z«\"])(.*)$",
    re.MULTILINE,
)
_LEADING_NUMBER = re.compile(r"(\d{1,2}(?:\.\d{1,3}){0,3})\.?\s")
_UPPER_LINE = re.compile(r"\n[ \t]*([^a-zа-яё\n]*[А-ЯЁ]{2}[^a-zа-яё\n]*)(?=\n|\Z)")


@dataclass(frozen=True, slots=True)
class Section:
    """From `start` up to the next section, text belongs to `path`, outermost first; its heading ends at `body`."""

    start: int
    body: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Mark:
    """One heading; a greater `level` is deeper. `number` is what it counts, () for none."""

    start: int
    body: int
    level: int
    label: str
    number: tuple[int, ...] = ()


class Outline:
    """The sections open at a point of one document, carried from page to page."""

    def __init__(self) -> None:
        self._open: list[_Mark] = []
        self._number: tuple[int, ...] = ()

    def sections(self, page: Page) -> list[Section]:
        """Return the sections of the next page in order; the first starts at 0, mostly inside one opened earlier."""
        tables = TablePlaces(page.tables)
        found = (*_given(page), *_named(page, tables), *_appendices(page, tables), *_numbered(page, tables))
        marks = sorted(found, key=_by_place)
        sections = [Section(0, 0, self._path())]
        taken = -1
        for mark in marks:
            if mark.start >= taken and self._fits(mark):
                self._enter(mark)
                taken = max(mark.body, mark.start + 1)
                sections.append(Section(mark.start, mark.body, self._path()))
        return sections

    def _fits(self, mark: _Mark) -> bool:
        if mark.level < _NUMBER_LEVEL:
            return True
        # An article numbers its parts, which nobody calls points.
        in_article = any(mark.label.casefold().startswith("статья") for mark in self._open)
        restarts = all(part == 1 for part in mark.number)
        return not in_article and (restarts or _follows(self._number, mark.number))

    def _enter(self, mark: _Mark) -> None:
        while self._open and self._open[-1].level >= mark.level:
            self._open.pop()
        self._open.append(mark)
        self._number = mark.number or self._number

    def _path(self) -> tuple[str, ...]:
        return tuple(mark.label for mark in self._open)


def path_text(path: tuple[str, ...]) -> str | None:
    """Join a section's path for a citation: innermost parts first to be kept, about 150 characters at most."""
    parts: list[str] = []
    for label in reversed(path):
        part = label if len(label) <= _LABEL_CHARS else label[: _LABEL_CHARS - 1].rstrip() + "…"
        if parts and sum(map(len, parts)) + 3 * len(parts) + len(part) > _PATH_CHARS:
            break
        parts.append(part)
    return " › ".join(reversed(parts)) or None


def common_path(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Return the path true of both sections; points of one parent become a range: «пп. 4.2–4.5»."""
    if first[:-1] == second[:-1] and _is_point(first) and _is_point(second):
        begin = first[-1].split()[1].split("–")[0]
        return (*first[:-1], f"пп. {begin}–{second[-1].split()[1]}")
    shared = [ours for ours, theirs in zip(first, second, strict=False) if ours == theirs]
    return first[: len(shared)] if first[: len(shared)] == tuple(shared) else ()


def _is_point(path: tuple[str, ...]) -> bool:
    return bool(path) and path[-1].startswith(("п. ", "пп. "))


def _by_place(mark: _Mark) -> tuple[int, int]:
    return mark.start, mark.level


def _given(page: Page) -> Iterator[_Mark]:
    for heading in page.headings:
        title = " ".join(heading.title.split())
        if title:
            level = min(max(heading.level, 1), _APPENDIX_LEVEL - 1)
            yield _Mark(heading.start, _line_end(page.text, heading.start), level, title, _number(title))


def _named(page: Page, tables: TablePlaces) -> Iterator[_Mark]:
    for match in _NAMED.finditer(page.text):
        kind, number, dot, title = match.groups()
        title = title.strip()
        if tables.at(match.start()) or title[:1].islower() or (title and not dot and title[-1] in ".,;:"):
            continue
        label, body = f"{kind.capitalize()} {number}", match.start()
        if not title or _is_title(title):
            title, body = _whole_title(page.text, title, match.end())
            label += f". {title}" if title else ""
        yield _Mark(
            _text_start(match), body, _KIND_LEVEL + _KINDS.index(kind.capitalize()), label, _number(f"{number} ")
        )


def _appendices(page: Page, tables: TablePlaces) -> Iterator[_Mark]:
    for match in _APPENDIX.finditer(page.text):
        if not tables.at(match.start()):
            label = f"Приложение № {match[1]}" if match[1] else "Приложение"
            yield _Mark(_text_start(match), _line_end(page.text, match.end()), _APPENDIX_LEVEL, label)


def _numbered(page: Page, tables: TablePlaces) -> Iterator[_Mark]:
    found = [match for match in _NUMBERED.finditer(page.text) if not tables.at(match.start())]
    numbers = [tuple(int(part) for part in match[1].rstrip(".").split(".")) for match in found]
    for match, (number, following) in zip(found, pairwise([*numbers, ()]), strict=True):
        title = match[2].strip()
        heads_others = following == (*number, 1)
        if len(number) == 1 and not heads_others and not (title.isupper() and _is_title(title)):
            continue  # an item of an ordinary list
        is_heading = _is_title(title) and (heads_others or len(number) == 1 or _ends_paragraph(page.text, match.end()))
        dotted = ".".join(map(str, number))
        label, body = (f"{dotted}. {title}", match.end()) if is_heading else (f"п. {dotted}", match.start())
        yield _Mark(_text_start(match), body, _NUMBER_LEVEL + len(number), label, number)


def _follows(last: tuple[int, ...], number: tuple[int, ...]) -> bool:
    """Tell a numbered point from a figure that happens to begin a line: points count up (one may be missed)."""
    same = next((i for i, (a, b) in enumerate(zip(last, number, strict=False)) if a != b), min(len(last), len(number)))
    if same == len(number):
        return False
    step = number[same] - (last[same] if same < len(last) else 0)
    return 1 <= step <= 2 and all(part == 1 for part in number[same + 1 :])


def _number(title: str) -> tuple[int, ...]:
    match = _LEADING_NUMBER.match(title)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def _is_title(line: str) -> bool:
    if line.isupper():
        return len(line) <= 2 * _TITLE_CHARS
    return len(line) <= _TITLE_CHARS and line[-1:] not in (".", ";", ":", ",", "")


def _whole_title(text: str, title: str, end: int) -> tuple[str, int]:
    """Append the lines that continue a title written in capitals."""
    while title.isupper() and len(title) < _TITLE_CHARS and (match := _UPPER_LINE.match(text, end)):
        title, end = f"{title} {match[1].strip()}", match.end()
    return title, end


def _text_start(match: re.Match[str]) -> int:
    return match.start() + len(match[0]) - len(match[0].lstrip())


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _ends_paragraph(text: str, end: int) -> bool:
    return not text[end + 1 : _line_end(text, end + 1)].strip()
