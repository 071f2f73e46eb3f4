"""Sentences of Russian prose, laws and lists, as spans of the text they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

# Never the last word of a sentence: something always follows («ст. 5», «им. Пушкина», «см. рис. 2»).
_LEADING = re.compile(
    r"ст|п|пп|п\.п|подп|абз|гл|разд|см|ср|рис|табл|прил|стр|с|им|ул|пер|пл|просп|пос|дер|д|корп|кв|оф|тел|акад|проф|доц"
    r"|чл|канд|гр|тов|ред|сост|изд|напр|т\.е|т\.к|т\.н|и\.о|св|о|ок|прим|г|англ|лат|греч|нем|фр|итал|исп|рус|род|ум"
)
# May close a sentence: they do when a capital letter follows («и т. д. Затем», «10 руб. Оплата»).
_CLOSING = re.compile(r"гг|в|вв|руб|коп|тыс|млн|млрд|трлн|др|пр|т\.д|т\.п|н\.э|мин|сек|час|ч|мес|чел|экз|шт|л")
_END = re.compile(r"[.!?…]+[»”\"’)\]]*(?=\s|$)")
_FOLLOWING = re.compile(r"\s*(?:\[[\d,; ]+\]\s*)*(\S?)")  # references say nothing of where a sentence ends
_LAST_WORD = re.compile(r"(?:(?<![^\W_])[^\W\d_]{1,2}\.[ ]?)*(?P<last>[^\W\d_]+)$")
_ITEM = re.compile(r"(?:\d{1,3}(?:\.\d{1,3})*[.)]|[а-яёa-z]\)|[-–—•*▪])\s", re.IGNORECASE)
_ITEM_NUMBER = re.compile(
    r"(?:^|\n)[ \t]*(?:(?:стать|глав|раздел|част|пункт)\w*[ \t]+)?\d{1,3}(?:\.\d{1,3})*$", re.IGNORECASE
)
_SHORT_LINE = 0.6  # of the longest one: such a line was ended by its author, not by the margin


@dataclass(frozen=True, slots=True)
class Sentence:
    """`text` stands at `start:end` of what was split, without white space around it."""

    start: int
    end: int
    text: str


def split_sentences(text: str) -> tuple[Sentence, ...]:
    """Cut `text` into sentences that keep their place: `text[s.start : s.end] == s.text`, only space between them.

    An abbreviation, an initial or the number of an item does not end a sentence; an empty line or the next item of a
    list does, and so does a line end after which a new statement plainly starts. A line merely wrapped does not.
    """
    cuts = sorted({0, len(text), *_stops(text), *_line_breaks(text)})
    spans = (_trim(text, start, end) for start, end in pairwise(cuts))
    return tuple(Sentence(start, end, text[start:end]) for start, end in spans if start < end)


def ends_in_abbreviation(text: str) -> bool:
    """Whether the full stop that ends `text` belongs to its last word: «10 руб.», «Пушкин А. С.», but not «14 лет.»"""
    match = _LAST_WORD.search(text[-40:-1]) if text.endswith(".") else None
    if not match:
        return False
    last, whole = match["last"], match.group().replace(" ", "").lower()
    is_initial = len(last) == 1 and last.isupper()
    return is_initial or any(known.fullmatch(word) for known in (_CLOSING, _LEADING) for word in (whole, last.lower()))


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))


def _stops(text: str) -> Iterator[int]:
    for match in _END.finditer(text):
        following = _FOLLOWING.match(text, match.end())[1]  # type: ignore[index]
        if not following or _ends_here(text, match, following):
            yield match.end()


def _ends_here(text: str, mark: re.Match[str], following: str) -> bool:
    if following.islower():
        return False
    if mark.group().rstrip('»”"’)]') != ".":
        return True
    return not _is_abbreviated(text[max(0, mark.start() - 40) : mark.start()], following)


def _is_abbreviated(before: str, following: str) -> bool:
    """Whether the full stop after `before` belongs to its last word."""
    if _ITEM_NUMBER.search(before):
        return True
    match = _LAST_WORD.search(before)
    if not match:
        return False
    last, whole = match["last"], match.group().replace(" ", "").lower()
    if len(last) == 1 and last.isupper():
        return True
    if last == "г" and before[: match.start()].rstrip()[-1:].isdigit():
        return not following.isupper() or following == "N" or _opens_sentence(before)
    if _CLOSING.fullmatch(whole) or _CLOSING.fullmatch(last.lower()):
        return not following.isupper()
    return bool(_LEADING.fullmatch(whole) or _LEADING.fullmatch(last.lower()))


def _opens_sentence(before: str) -> bool:
    """Whether only the beginning of a sentence stands there: «В 2020 г. Совет решил» is one sentence."""
    return len(re.split(r"[.!?]\s", before)[-1].split()) <= 3


def _line_breaks(text: str) -> Iterator[int]:
    """Ends of lines at which a statement ends without a full stop: headings, list items, paragraphs."""
    lines = list(re.finditer(r"[^\n]*\n?", text))
    width = max((len(line.group().rstrip()) for line in lines), default=0)
    for line, following in pairwise(lines):
        if _is_line_final(line.group().rstrip(), following.group().lstrip(), width):
            yield line.end()


def _is_line_final(line: str, following: str, width: int) -> bool:
    if not line or not following or _ITEM.match(following):
        return True
    starts_anew = following[0].isupper() or following[0].isdigit() or following[0] in '«"|'
    return starts_anew and (line[-1] in ":;|" or len(line) < _SHORT_LINE * width)
