"""Typos in Russian words, mended by the words that the base holds and by the language's own forms of them.

A candidate is a word of the base, or another form of one that the dictionary has: «вентеляция» is «вентиляция» though
the base says «вентиляции».
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from retrieval.query import russian
from retrieval.query.lexicon import Neighbour, View

_WORD = re.compile(r"[^\W_]+(?:[-./_][^\W_]+)*")
_CYRILLIC = re.compile(r"[а-яё]+", re.IGNORECASE)
_LETTERS = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
_PREPOSITIONS = ("в", "во", "на", "по", "о", "об", "от", "из", "за", "к", "до", "для", "при", "с", "у", "без")
_SHORTEST, _SHORT = 4, 6  # letters: below the first nothing is mended; up to the second an ending says little
_LONG = 10  # letters from which two typos are looked for: in shorter words they make too many other words
_LONGEST = 32
_RIVAL = 0.25  # of the best word's documents: a rival as near with as many makes the repair a guess


@dataclass(frozen=True, slots=True)
class _Mended:
    word: str
    is_certain: bool


def is_known(word: str, view: View) -> bool:
    """Whether the language or the base has the word.

    A form that the dictionary lacks is known where the base has another form of it that the dictionary lacks too: a
    name. Where the dictionary has that one («беременные»), this is a typo («беременых»).
    """
    plain = _plain(word)
    if view.count(plain) or russian.is_word(word) or russian.is_word(plain):
        return True
    forms = view.forms_of(plain)
    return bool(forms) and not any(russian.is_word(form) for form in forms)


def without_typos(text: str, view: View, certain: list[bool]) -> str:
    """Mend words one by one, after joining those that a stray space split; notes for each whether it is sure."""
    joined = _joined(text, view, certain)

    def mend(match: re.Match[str]) -> str:
        mended = _mended(match.group(), view) if _may_be_mended(match, view) else None
        if mended is None:
            return match.group()
        # A name in the middle of a query may well be one that the base does not hold.
        certain.append(mended.is_certain and not (match.start() and match.group().istitle()))
        return in_case_of(match.group(), mended.word)

    return _WORD.sub(mend, joined)


def in_case_of(original: str, word: str) -> str:
    """Write a word in capitals, or with one, as the original is."""
    if original.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if original[:1].isupper() else word


def _plain(word: str) -> str:
    return word.casefold().replace("ё", "е")


def _may_be_mended(match: re.Match[str], view: View) -> bool:
    word = match.group()
    is_plain = bool(_CYRILLIC.fullmatch(word)) and _SHORTEST <= len(word) <= _LONGEST
    return is_plain and not is_known(word, view)


def _mended(word: str, view: View) -> _Mended | None:
    plain = _plain(word)
    near = _near(plain, view)
    split = next(_prepositions(plain, view), None)
    if split and not any(other.word[0] == plain[0] and other.word not in split for other in near):
        return _Mended(split, is_certain=True)
    if not near and (halves := next(_halves(plain, view), None)):
        return _Mended(halves, is_certain=True)
    near = near or (view.nearest(plain, 2) if len(plain) >= _LONG else [])
    if not near or _is_name_in_another_case(plain, near[0].word):
        return None
    return _Mended(near[0].word, not _has_rival(near) and near[0].distance == 1)


def _near(word: str, view: View) -> list[Neighbour]:
    """Words one typo away: of the base, and forms of its words; the likeliest first."""
    found = {near.word for near in view.nearest(word, 1)} | set(_forms_near(word, view))
    neighbours = [Neighbour(other, 1, view.documents_with(other)) for other in found]
    return sorted(neighbours, key=lambda near: _likelihood(word, near, view))


def _likelihood(word: str, near: Neighbour, view: View) -> tuple[bool, bool, bool, int, int, str]:
    """Order candidates: few words come of a swap by chance, and people see to the first and the last letter."""
    other = near.word
    is_swap = len(other) == len(word) and sorted(other) == sorted(word)
    return other[0] != word[0], not is_swap, other[-1] != word[-1], -view.count(other), -near.documents, other


def _forms_near(word: str, view: View) -> Iterator[str]:
    """What one typo made of a word, where the dictionary has it and the base some form of it."""
    for changed in _one_typo_away(word):
        if russian.is_word(changed) and view.knows(changed):
            yield changed


def _one_typo_away(word: str) -> Iterator[str]:
    for at in range(len(word) + 1):
        before, after = word[:at], word[at:]
        yield from (before + letter + after for letter in _LETTERS)
        if after:
            yield before + after[1:]
            yield from (before + letter + after[1:] for letter in _LETTERS if letter != after[0])
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]


def _is_name_in_another_case(word: str, other: str) -> bool:
    """Whether only the ending differs, of a word that no dictionary has."""
    return len(word) > _SHORT and word[: len(word) - 2] == other[: len(word) - 2] and not russian.is_word(other)


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
    both = _plain(first + second)
    is_plain = bool(_CYRILLIC.fullmatch(both)) and len(both) >= _SHORT
    return is_plain and view.count(both) > 0 and not (is_known(first, view) and is_known(second, view))
