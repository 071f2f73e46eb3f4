"""References to places of documents in Russian («п. 4.2», «статья 131», «приказ № 112 от 15.03.2024»). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from retrieval.query import letters
from retrieval.stems import stem_text


class Kind(StrEnum):
    """What a number counts; the first six are parts of a document and stand in its headings."""

    POINT = "point"
    ARTICLE = "article"
    PART = "part"
    SECTION = "section"
    CHAPTER = "chapter"
    APPENDIX = "appendix"
    FORM = "form"
    NUMBER = "number"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Reference:
    """One place or paper: its kind and its number as written, in capitals; a date is «2024-03-15»."""

    kind: Kind
    number: str

    @property
    def terms(self) -> tuple[str, ...]:
        """What the keyword index holds of every passage with it; none for a date, which is written in many ways."""
        return () if self.kind is Kind.DATE else tuple(stem_text(self.number)[:1])

    @property
    def sounded(self) -> Reference:
        """The same with Latin letters read by their sound, «112-OD» as «112-ОД»; itself where there are none."""
        return Reference(self.kind, letters.code_by_sound(self.number))


# How each kind is called in running text, in any case and abbreviated; small letters.
_NAMES = {
    Kind.POINT: r"подпункт\w*|пункт\w*|пп?\.?п?",
    Kind.ARTICLE: r"стать\w+|ст",
    Kind.PART: r"част\w+|ч(?=\.)",
    Kind.SECTION: r"подраздел\w*|раздел\w*|разд",
    Kind.CHAPTER: r"глав\w+|гл",
    Kind.APPENDIX: r"приложени\w+|прил",
    Kind.FORM: r"форм\w+|ф(?=\.)",
}
_SIGN = r"(?:№|(?<!\w)(?:номер\w*|n(?=\W)))"
_DIGITS = r"\d+(?:\.\d+)*(?:-\d+)?"
_CODE = r"(?:[а-яa-z]{1,5}-)?\d+(?:[./-](?:\d+|[а-яa-z]{1,5}))*"
_ROMAN = r"[ivxlc]+"
_WITH_ROMAN = (Kind.SECTION, Kind.CHAPTER, Kind.PART)
_END = r"(?![\w-])(?!\.\d)"
_EXTENSION = re.compile(r"\.[a-z]\w{1,4}$", re.IGNORECASE)
_MONTHS = ["январ", "феврал", "март", "апрел", "ма", "июн", "июл", "август", "сентябр", "октябр", "ноябр", "декабр"]
_DATE = re.compile(
    r"(?<![\d.])(\d{1,2})(?:\.(\d{1,2})\.|\s+(" + "|".join(_MONTHS) + r")[а-я]{0,2}\s+)(\d{4})(?!\d)", re.IGNORECASE
)


def _pattern(kind: Kind) -> re.Pattern[str]:
    number = {Kind.FORM: r"[а-яa-z]{1,4}-\d+", Kind.APPENDIX: rf"{_DIGITS}|[а-я](?!\w)"}.get(kind, _DIGITS)
    number = f"{number}|{_ROMAN}" if kind in _WITH_ROMAN else number
    return re.compile(rf"(?<!\w)(?:{_NAMES[kind]})\.?\s*{_SIGN}?\s*({number}){_END}", re.IGNORECASE)


_PATTERNS = {kind: _pattern(kind) for kind in _NAMES}
_NUMBERED = re.compile(rf"{_SIGN}\s*({_CODE})(?![\w-])", re.IGNORECASE)
# «приказ 112-ОД», without the sign: a paper, a number and nothing that makes it a year, a sum or a date.
_PAPER = re.compile(
    rf"(?<!\w)(?:приказ|распоряжени|постановлени|договор)\w*\s+({_CODE})(?![\w-])(?!\s*(?:г\b|год|руб|дн|час|%|\.\d))",
    re.IGNORECASE,
)


def references(query: str) -> tuple[Reference, ...]:
    """Return what a query refers to, in order of kind; «по статье» without a number refers to nothing."""
    return tuple(dict.fromkeys(reference for reference, _ in _found(query)))


def without_references(query: str) -> str:
    """Return the words around the references: those that name the document or the subject."""
    for _, span in sorted(_found(query), key=lambda found: -found[1][0]):
        query = f"{query[: span[0]]} {query[span[1] :]}"
    return " ".join(query.split())


def holds(reference: Reference, *, section: str, text: str, document: str) -> int:
    """Say how surely a passage is the place: 3 by its heading or its document's name, 2 by its own text, 1 a mention.

    0: it is not. «4.2» is neither «14.2» nor «4.20».
    """
    if reference.kind in (Kind.NUMBER, Kind.DATE, Kind.FORM):
        return _holds_paper(reference, f"{_EXTENSION.sub('', document)}\n{section}", text)
    labels = section.split(" › ")
    if any(_is_label(reference, label) for label in labels):
        return 3
    if any(_is_label(reference, line.strip()) for line in text.split("\n")):
        return 2
    return int(any(match[1].upper() == reference.number for match in _PATTERNS[reference.kind].finditer(text)))


def _found(query: str) -> Iterator[tuple[Reference, tuple[int, int]]]:
    taken: list[tuple[int, int]] = []
    for match in _DATE.finditer(query):
        taken.append(match.span())
        yield Reference(Kind.DATE, _date(match)), match.span()
    for kind, pattern in (*_PATTERNS.items(), (Kind.NUMBER, _NUMBERED), (Kind.NUMBER, _PAPER)):
        for match in pattern.finditer(query):
            if not any(start < match.end() and match.start() < end for start, end in taken):
                taken.append(match.span())
                yield Reference(kind, match[1].upper()), match.span()


def _is_label(reference: Reference, label: str) -> bool:
    """Whether a heading or the beginning of a line is this place's own: «Статья 131. …», «4.2. …», «пп. 4.2–4.5»."""
    if match := re.match(r"пп\. ([\d.]+)–([\d.]+)", label):
        return reference.kind is Kind.POINT and _parts(match[1]) <= _parts(reference.number) <= _parts(match[2])
    match = _PATTERNS[reference.kind].match(label)
    if match is None and reference.kind in (Kind.POINT, Kind.SECTION, Kind.PART, Kind.CHAPTER):
        match = re.match(rf"({_DIGITS})(?:[.)]\s|\s+(?=[А-ЯЁ«]))", label)
    return match is not None and match[1].upper() == reference.number


def _parts(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", number))


def _holds_paper(reference: Reference, title: str, text: str) -> int:
    if _names_paper(reference, title):
        return 3
    return 2 if _names_paper(reference, text) else 0


def _names_paper(reference: Reference, text: str) -> bool:
    if reference.kind is Kind.DATE:
        return any(_date(match) == reference.number for match in _DATE.finditer(text))
    if reference.kind is Kind.FORM:
        form = letters.code_in_cyrillic(reference.number)
        return re.search(rf"(?<![\w-]){re.escape(form)}(?![\w-])", letters.code_in_cyrillic(text.upper())) is not None
    # «№ 112» is also asked for «№ 112-ОД», the same order with its department.
    number = letters.code_in_cyrillic(reference.number)
    found = (letters.code_in_cyrillic(match[1].upper()) for match in _NUMBERED.finditer(text))
    return any(code == number or code.startswith(f"{number}-") for code in found)


def _date(match: re.Match[str]) -> str:
    day, month, name, year = match.groups()
    number = int(month) if month else _MONTHS.index(name.lower()) + 1
    return f"{year}-{number:02}-{int(day):02}"
