"""Spoils questions the way people do: wrong layout, look-alikes, «ё», one typo, Latin spelling. Pure, by a seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from retrieval.query.layout import to_latin, to_russian

_WORD = re.compile(r"[а-яё]+", re.IGNORECASE)
_LATIN_WORD = re.compile(r"[a-z]{4,}", re.IGNORECASE)
_LETTERS = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
_LOOK_ALIKES = str.maketrans("АВЕКМНОРСТХаеорсух", "ABEKMHOPCTXaeopcyx")
_TYPO_LETTERS = 6  # and more: a typo in a shorter word makes another word too often
_YO_MAX = 3
# How people spell Russian in Latin letters; of several spellings of a letter a writer takes one.
_SPELLINGS: Mapping[str, Sequence[str]] = {
    "а": ("a",), "б": ("b",), "в": ("v",), "г": ("g",), "д": ("d",), "е": ("e",), "ё": ("e", "yo"), "ж": ("zh",),
    "з": ("z",), "и": ("i",), "й": ("y", "j", "i"), "к": ("k",), "л": ("l",), "м": ("m",), "н": ("n",), "о": ("o",),
    "п": ("p",), "р": ("r",), "с": ("s",), "т": ("t",), "у": ("u",), "ф": ("f",), "х": ("kh", "h"),
    "ц": ("ts", "c"), "ч": ("ch",), "ш": ("sh",), "щ": ("shch", "sch"), "ъ": ("",), "ы": ("y",), "ь": ("", "'"),
    "э": ("e",), "ю": ("yu", "ju"), "я": ("ya", "ja"),
}  # fmt: skip


class Spoiling(StrEnum):
    """How a question is spoilt."""

    LAYOUT = "layout"
    LAYOUT_WORD = "layout_word"
    LAYOUT_LATIN = "layout_latin"
    LOOK_ALIKE = "look_alike"
    YO = "yo"
    INSERTED = "inserted"
    DELETED = "deleted"
    SWAPPED = "swapped"
    REPLACED = "replaced"
    TRANSLIT = "translit"


def spoil(text: str, how: Spoiling, chance: random.Random) -> str:
    """Return the question spoilt; itself where it has nothing that could be."""
    return _WAYS[how](text, chance)


def _in_latin_layout(text: str, _chance: random.Random) -> str:
    """Only a wholly Russian question is typed without switching: a Latin name in it would have been noticed."""
    return text if _LATIN_WORD.search(text) else to_latin(text)


def _one_word_in_latin_layout(text: str, chance: random.Random) -> str:
    return _in_one_word(text, chance, to_latin)


def _latin_word_in_russian_layout(text: str, chance: random.Random) -> str:
    words = list(_LATIN_WORD.finditer(text))
    if not words:
        return text
    word = chance.choice(words)
    return text[: word.start()] + to_russian(word.group()) + text[word.end() :]


def _with_look_alikes(text: str, chance: random.Random) -> str:
    """Half of the words; in each the first letter stays, so that some of both alphabets stand side by side."""

    def mixed(match: re.Match[str]) -> str:
        word = match.group()
        return word[:1] + word[1:].translate(_LOOK_ALIKES) if chance.random() < 0.5 else word

    return _WORD.sub(mixed, text)


def _with_yo(text: str, chance: random.Random) -> str:
    """«ё» is written «е», or up to three «е» of a text without any are written «ё»."""
    if "ё" in text.lower():
        return text.replace("ё", "е").replace("Ё", "Е")
    places = [at for at, letter in enumerate(text) if letter == "е"]
    for at in chance.sample(places, min(_YO_MAX, len(places))):
        text = f"{text[:at]}ё{text[at + 1 :]}"
    return text


def _typo(change: Callable[[str, int, random.Random], str]) -> Callable[[str, random.Random], str]:
    def spoilt(text: str, chance: random.Random) -> str:
        return _in_one_word(text, chance, lambda word: change(word, chance.randrange(1, len(word) - 1), chance))

    return spoilt


def _inserted(word: str, at: int, chance: random.Random) -> str:
    return word[:at] + chance.choice(_LETTERS) + word[at:]


def _deleted(word: str, at: int, _chance: random.Random) -> str:
    return word[:at] + word[at + 1 :]


def _swapped(word: str, at: int, _chance: random.Random) -> str:
    places = [place for place in range(1, len(word) - 1) if word[place] != word[place + 1]]
    at = min(places, key=lambda place: abs(place - at))
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _replaced(word: str, at: int, chance: random.Random) -> str:
    return word[:at] + chance.choice(_LETTERS.replace(word[at].lower(), "")) + word[at + 1 :]


def _in_one_word(text: str, chance: random.Random, change: Callable[[str], str]) -> str:
    words = [match for match in _WORD.finditer(text) if len(match.group()) >= _TYPO_LETTERS]
    if not words:
        return text
    word = chance.choice(words)
    return text[: word.start()] + change(word.group()) + text[word.end() :]


def _in_latin_letters(text: str, chance: random.Random) -> str:
    habits = {letter: chance.choice(spellings) for letter, spellings in _SPELLINGS.items()}
    return _WORD.sub(lambda match: _spelled(match.group(), habits), text)


def _spelled(word: str, habits: Mapping[str, str]) -> str:
    latin = "".join(habits[letter] for letter in word.lower())
    return latin.capitalize() if word[:1].isupper() else latin


_WAYS: Mapping[Spoiling, Callable[[str, random.Random], str]] = {
    Spoiling.LAYOUT: _in_latin_layout,
    Spoiling.LAYOUT_WORD: _one_word_in_latin_layout,
    Spoiling.LAYOUT_LATIN: _latin_word_in_russian_layout,
    Spoiling.LOOK_ALIKE: _with_look_alikes,
    Spoiling.YO: _with_yo,
    Spoiling.INSERTED: _typo(_inserted),
    Spoiling.DELETED: _typo(_deleted),
    Spoiling.SWAPPED: _typo(_swapped),
    Spoiling.REPLACED: _typo(_replaced),
    Spoiling.TRANSLIT: _in_latin_letters,
}
