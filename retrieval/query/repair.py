"""A query as its author meant to type it, by the words that the base holds. Pure but for the dictionary of Russian.

Never touched: what the base knows, what the dictionary of Russian knows, numbers and codes, names in Latin letters,
and what stands in quotation marks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from retrieval.query import layout, letters, russian
from retrieval.query.lexicon import Neighbour, View

_QUOTED = re.compile(r'(«[^»]*»|"[^"]*"|“[^”]*”|„[^“”]*[“”])')
_CHUNK = re.compile(r"\S+")
_WORD = re.compile(r"[^\W_]+(?:[-./_][^\W_]+)*")
_LETTERS = re.compile(r"[^\W\d_]+")
_CYRILLIC = re.compile(r"[а-яё]+", re.IGNORECASE)
_PREPOSITIONS = ("в", "во", "на", "по", "о", "об", "от", "из", "за", "к", "до", "для", "при", "с", "у", "без")
_SHORTEST, _SHORT = 4, 6  # letters: below the first nothing is mended, up to the second one typo
_LONGEST = 32
_RIVAL = 0.25  # of the best word's documents: a rival as near with as many makes the repair a guess
_MENDED_MAX = 6  # words of one query: with more the query is not of this base


@dataclass(frozen=True, slots=True)
class Repair:
    """The query as it is searched for.

    `is_visible`: more than letters that look alike has changed. `is_certain`: nothing else can have been meant.
    """

    text: str
    is_visible: bool = False
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class _Mended:
    word: str
    is_certain: bool


def repair(query: str, view: View) -> Repair:
    """Mend what the base shows to be mistyped; the query itself where there is nothing to mend."""
    if view.is_empty:
        return Repair(query)
    typed = _outside_quotes(query, lambda part: _in_right_layout(part, view))
    spelled = _outside_quotes(typed, lambda part: _WORD.sub(lambda m: _in_one_alphabet(m.group(), view), part))
    certain: list[bool] = []
    mended = _outside_quotes(spelled, lambda part: _without_typos(part, view, certain))
    if len(certain) > _MENDED_MAX:
        mended, certain = spelled, []
    return Repair(mended, is_visible=mended != spelled or typed != query, is_certain=all(certain))


def _outside_quotes(text: str, mend: Callable[[str], str]) -> str:
    parts = _QUOTED.split(text)
    return "".join(part if at % 2 else mend(part) for at, part in enumerate(parts))


def _in_right_layout(text: str, view: View) -> str:
    """Read words typed in the other layout; a long one that makes sense takes the short ones around it along."""
    chunks = _CHUNK.findall(text)
    readings = [_other_layout(chunk, view) for chunk in chunks]
    if not any(reading and len(reading) >= _SHORTEST for reading in readings):
        return text
    to_russian = any(reading and _CYRILLIC.search(reading) for reading in readings)
    replaced = iter(
        reading or (_short_in_russian(chunk) if to_russian else chunk)
        for chunk, reading in zip(chunks, readings, strict=True)
    )
    return _CHUNK.sub(lambda _: next(replaced), text)


def _other_layout(chunk: str, view: View) -> str | None:
    """Return the chunk in the other layout where only that makes a word; None where the typed one may be right."""
    if letters.is_latin(chunk):
        if any(view.knows(word.casefold()) for word in _LETTERS.findall(chunk)):
            return None
        return next((reading for reading in layout.readings(chunk) if _is_russian(reading, view)), None)
    word = chunk.strip(".,?!:;()")
    if not _CYRILLIC.fullmatch(word) or len(word) < _SHORTEST or _is_known(word, view):
        return None
    latin = layout.to_latin(word)
    return latin if latin.isalpha() and view.count(latin.casefold()) else None


def _is_russian(text: str, view: View) -> bool:
    words = _LETTERS.findall(text)
    core = text.strip('.,?!:;()"«»')
    is_plain = bool(core) and all(_CYRILLIC.fullmatch(part) for part in core.split("-"))
    return is_plain and bool(words) and all(len(word) >= 3 and _is_known(word, view) for word in words)


def _short_in_russian(chunk: str) -> str:
    reading = layout.readings(chunk)[0]
    is_short = letters.is_latin(chunk) and len(chunk.strip(".,?!:;")) < 3
    return reading if is_short and russian.is_word(reading.strip(".,?!:;")) else chunk


def _is_known(word: str, view: View) -> bool:
    plain = word.casefold().replace("ё", "е")
    return view.knows(plain) or russian.is_word(word)


def _in_one_alphabet(word: str, view: View) -> str:
    if letters.is_mixed(word):
        return "".join(letters.one_alphabet(part) for part in re.split(r"([-./_])", word))
    spelled = letters.abbreviation_in_cyrillic(word) if word.isalpha() and letters.is_latin(word) else None
    if spelled and not view.count(word.casefold()) and view.count(spelled.casefold()):
        return spelled
    return word


def _without_typos(text: str, view: View, certain: list[bool]) -> str:
    """Mend words one by one, after joining those that a stray space split; notes for each whether it is sure."""
    joined = _joined(text, view, certain)

    def mend(match: re.Match[str]) -> str:
        mended = _mended(match.group(), view) if _may_be_mended(match, view) else None
        if mended is None:
            return match.group()
        # A name in the middle of a query may well be one that the base does not hold.
        certain.append(mended.is_certain and not (match.start() and match.group().istitle()))
        return _in_case_of(match.group(), mended.word)

    return _WORD.sub(mend, joined)


def _may_be_mended(match: re.Match[str], view: View) -> bool:
    word = match.group()
    is_plain = bool(_CYRILLIC.fullmatch(word)) and _SHORTEST <= len(word) <= _LONGEST
    return is_plain and not _is_known(word, view)


def _mended(word: str, view: View) -> _Mended | None:
    plain = word.casefold().replace("ё", "е")
    near = view.nearest(plain, 1)
    split = next(_prepositions(plain, view), None) or (None if near else next(_halves(plain, view), None))
    if split:
        return _Mended(split, is_certain=True)
    if not near and len(plain) > _SHORT:
        near = view.nearest(plain, 2)
    if not near or _is_other_form(plain, near[0].word):
        return None
    return _Mended(near[0].word, not _has_rival(near) and near[0].distance == 1)


def _is_other_form(word: str, other: str) -> bool:
    """Whether only the ending differs: a name that no dictionary has, in another case."""
    return len(word) > _SHORT and word[: len(word) - 2] == other[: len(word) - 2]


def _has_rival(near: list[Neighbour]) -> bool:
    best = near[0]
    others = (other for other in near[1:] if other.distance == best.distance and other.word[:4] != best.word[:4])
    return any(other.documents >= _RIVAL * best.documents for other in others)


def _prepositions(word: str, view: View) -> Iterator[str]:
    for first in _PREPOSITIONS:
        rest = word.removeprefix(first)
        if rest != word and len(rest) >= _SHORTEST and view.count(rest):
            yield f"{first} {rest}"


def _halves(word: str, view: View) -> Iterator[str]:
    for at in range(_SHORTEST, len(word) - _SHORTEST + 1):
        if view.count(word[:at]) and view.count(word[at:]):
            yield f"{word[:at]} {word[at:]}"


def _joined(text: str, view: View, certain: list[bool]) -> str:
    words = list(_WORD.finditer(text))
    for first, second in pairwise(words):
        if text[first.end() : second.start()] == " " and _belong_together(first.group(), second.group(), view):
            certain.append(True)
            return _joined(text[: first.end()] + text[second.start() :], view, certain)
    return text


def _belong_together(first: str, second: str, view: View) -> bool:
    both = (first + second).casefold().replace("ё", "е")
    is_plain = bool(_CYRILLIC.fullmatch(both)) and len(both) >= _SHORT
    return is_plain and view.count(both) > 0 and not (_is_known(first, view) and _is_known(second, view))


def _in_case_of(original: str, word: str) -> str:
    if original.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if original[:1].isupper() else word
