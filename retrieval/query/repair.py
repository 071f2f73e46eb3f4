"""A query as its author meant to type it, by the words that the base holds. Pure but for the dictionary of Russian.

Never touched: what the base knows, what the dictionary of Russian knows, numbers and codes, names in Latin letters,
and what stands in quotation marks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from retrieval.query import layout, letters, russian
from retrieval.query.lexicon import View
from retrieval.query.translit import in_latin_letters, in_russian_letters
from retrieval.query.typos import is_known, without_typos

_QUOTED = re.compile(r'(«[^»]*»|"[^"]*"|“[^”]*”|„[^“”]*[“”])')
_CHUNK = re.compile(r"\S+")
_WORD = re.compile(r"[^\W_]+(?:[-./_][^\W_]+)*")
_LETTERS = re.compile(r"[^\W\d_]+")
_CYRILLIC = re.compile(r"[а-яё]+", re.IGNORECASE)
_SHORTEST = 4  # letters of a word that shows by itself what layout was meant
_SHARE = 0.6  # of a query's letters that make words in the other layout: then the rest was typed in it too
_MENDED_MAX = 6  # words of one query: with more the query is not of this base


@dataclass(frozen=True, slots=True)
class Repair:
    """The query as it is searched for.

    `is_visible`: more than letters that look alike has changed. `is_certain`: nothing else can have been meant.
    """

    text: str
    is_visible: bool = False
    is_certain: bool = True


def repair(query: str, view: View) -> Repair:
    """Mend what the base shows to be mistyped; the query itself where there is nothing to mend."""
    if view.is_empty:
        return Repair(query)
    typed = _outside_quotes(query, lambda part: _in_right_layout(part, view))
    spelled = _outside_quotes(typed, lambda part: _WORD.sub(lambda m: _in_one_alphabet(m.group(), view), part))
    certain: list[bool] = []
    told = _outside_quotes(spelled, lambda part: in_russian_letters(part, view, certain))
    named = _outside_quotes(told, lambda part: in_latin_letters(part, view, certain))
    sure: list[bool] = []
    mended = _outside_quotes(named, lambda part: without_typos(part, view, sure))
    if len(sure) > _MENDED_MAX:
        mended, sure = named, []
    return Repair(mended, is_visible=mended != spelled or typed != query, is_certain=all(certain + sure))


def _outside_quotes(text: str, mend: Callable[[str], str]) -> str:
    parts = _QUOTED.split(text)
    return "".join(part if at % 2 else mend(part) for at, part in enumerate(parts))


def _in_right_layout(text: str, view: View) -> str:
    """Read words typed in the other layout; long ones that make sense take the rest of the query along."""
    chunks = _CHUNK.findall(text)
    readings = [_other_layout(chunk, view, is_last=chunk is chunks[-1]) for chunk in chunks]
    if not any(reading and len(reading) >= _SHORTEST for reading in readings):
        return text
    to_russian = any(reading and _CYRILLIC.search(reading) for reading in readings)
    is_whole = to_russian and not _CYRILLIC.search(text) and _share_read(chunks, readings) >= _SHARE
    replaced = iter(
        reading or (_taken_along(chunk, view, is_whole=is_whole) if to_russian else chunk)
        for chunk, reading in zip(chunks, readings, strict=True)
    )
    return _CHUNK.sub(lambda _: next(replaced), text)


def _share_read(chunks: Sequence[str], readings: Sequence[str | None]) -> float:
    letters_of = [sum(letter.isalpha() for letter in chunk) for chunk in chunks]
    read = sum(count for count, reading in zip(letters_of, readings, strict=True) if reading)
    return read / sum(letters_of)


def _other_layout(chunk: str, view: View, *, is_last: bool) -> str | None:
    """Return the chunk in the other layout where only that makes a word; None where the typed one may be right."""
    if letters.is_latin(chunk):
        if any(view.knows(word.casefold()) for word in _LETTERS.findall(chunk)):
            return None
        return next(
            (reading for reading in layout.readings(chunk, is_last=is_last) if _is_russian(reading, view)), None
        )
    word = chunk.strip('.,?!:;()"')
    if not _CYRILLIC.fullmatch(word) or len(word) < _SHORTEST or is_known(word, view):
        return None
    latin = layout.to_latin(word)
    return chunk.replace(word, latin) if latin.isalpha() and view.count(latin.casefold()) else None


def _is_russian(text: str, view: View) -> bool:
    words = _LETTERS.findall(text)
    core = text.strip('.,?!:;()"«»')
    is_plain = bool(core) and all(_CYRILLIC.fullmatch(part) for part in re.split("[-—–]", core))
    return is_plain and bool(words) and all(len(word) >= 3 and is_known(word, view) for word in words)


def _taken_along(chunk: str, view: View, *, is_whole: bool) -> str:
    """A short word beside those that were read; where everything was typed in the layout, names and codes as well."""
    reading = layout.readings(chunk)[0]
    bare = chunk.strip(".,?!:;")
    if is_whole and not (bare.isalpha() and (bare.isupper() or view.knows(bare.casefold()))):
        return reading
    is_short = letters.is_latin(chunk) and len(bare) < 3
    return reading if is_short and russian.is_word(reading.strip(".,?!:;")) else chunk


def _in_one_alphabet(word: str, view: View) -> str:
    if letters.is_mixed(word):
        return "".join(_part_in_one_alphabet(part, view) for part in re.split(r"([-./_])", word))
    spelled = letters.abbreviation_in_cyrillic(word) if word.isalpha() and letters.is_latin(word) else None
    if spelled and not view.count(word.casefold()) and view.count(spelled.casefold()):
        return spelled
    return word


def _part_in_one_alphabet(part: str, view: View) -> str:
    """Of «COM-порт» the name stays, unless the base holds only the word that it looks like."""
    read = letters.one_alphabet(part)
    is_other = letters.is_latin(part) and (view.count(part.casefold()) or not view.count(read.casefold()))
    return part if is_other else read
