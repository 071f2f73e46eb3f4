"""The words of the base in memory: which ones a caller's collections know, and which are nearest to a mistyped one."""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from retrieval.query.sound import in_russian_letters, sound_of
from retrieval.stems import plain_text, stem_words

Numbers = NDArray[np.int32]
Counts = NDArray[np.int32]
Hashes = NDArray[np.uint32]
_BEGINNING = 2  # letters; one typo may be in them, or several after them
_WORD = re.compile(r"[а-я]{2,}|[a-z]{2,}")
_LETTERS = {letter: bit for bit, letter in enumerate("абвгдежзийклмнопрстуфхцчшщъыьэюяabcdefghijklmnopqrstuvwxyz")}


def words_of(text: str) -> set[str]:
    """Return the words of a text in small letters, «ё» as «е», without numbers and codes."""
    return set(_WORD.findall(plain_text(text)))


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A word of the base near a mistyped one: how many typos apart, and how many documents have it."""

    word: str
    distance: int
    documents: int


class Words:
    """Every word ever seen, by number, with what finds it. Only grows: a word that no document has counts nowhere.

    One thread may add while others read: what is added later has numbers that earlier views do not count.
    """

    def __init__(self) -> None:
        self.known: list[str] = []
        self.numbers: dict[str, int] = {}
        self.stems: dict[str, int] = {}
        self.stem_of = array("i")
        self.letters = array("Q")
        self.sounds = array("I")
        self.stem_sounds = array("I")
        self._beginning: defaultdict[str, array[int]] = defaultdict(_no_numbers)
        self._rest: defaultdict[str, array[int]] = defaultdict(_no_numbers)

    def number(self, words: Iterable[str]) -> Numbers:
        """Return the numbers of words (n), new ones for those not seen before."""
        wanted = sorted(words)
        new = [word for word in wanted if word not in self.numbers]
        for word, stem in zip(new, stem_words(new), strict=True):
            number = len(self.known)
            if stem not in self.stems:
                self.stems[stem] = len(self.stems)
                self.stem_sounds.append(_hashed(sound_of(stem)))
            self.stem_of.append(self.stems[stem])
            self.letters.append(_letters(word))
            self.sounds.append(_hashed(sound_of(word)))
            self.known.append(word)
            self.numbers[word] = number
            self._beginning[word[:_BEGINNING]].append(number)
            self._rest[word[_BEGINNING + 1 :]].append(number)
        return np.array([self.numbers[word] for word in wanted], np.int32)

    def alike(self, word: str) -> Numbers:
        """Return the numbers of words with the same beginning, or with the same rest after one typo in it."""
        lists = [self._beginning.get(word[:_BEGINNING])]
        lists += [self._rest.get(word[_BEGINNING + shift :]) for shift in (0, 1, 2) if len(word) > _BEGINNING + shift]
        return np.unique(np.concatenate([_no_numbers(), *(np.array(found, np.int32) for found in lists if found)]))


@dataclass(frozen=True, slots=True)
class View:
    """The words that some collections hold: `documents` (words) and `of_stems` (stems) count those that have it.

    Nothing here tells of a word that only other collections have.
    """

    words: Words
    letters: NDArray[np.uint64]
    sounds: Hashes
    stem_sounds: Hashes
    stem_of: Numbers
    documents: Counts
    of_stems: Counts

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to repair by."""
        return not self.documents.any()

    def knows(self, word: str) -> bool:
        """Whether some document has the word, in this form or another."""
        return bool(self.documents_with(word))

    def documents_with(self, word: str) -> int:
        """How often documents have the word, each of its forms counted by itself."""
        stem = self._stem(word)
        return int(self.of_stems[stem]) if stem < len(self.of_stems) else 0

    def forms_of(self, word: str) -> list[str]:
        """Return the forms of the word that documents have."""
        return self._forms(self.stem_of == self._stem(word))

    def sounding(self, word: str) -> list[str]:
        """Return the words of the other alphabet that sound like this one, those spelt nearest first."""
        is_other = _is_latin if _is_russian(word) else _is_russian
        alike = self._forms(self.sounds == _hashed(sound_of(word)))
        found = [other for other in alike if is_other(other) and sound_of(other) == sound_of(word)]
        return _nearest_first(word, found)

    def forms_sounding(self, word: str) -> list[str]:
        """Return Russian words of which some form sounds like this word in Latin letters, those spelt nearest first."""
        stem = sound_of(stem_words([in_russian_letters(word)])[0])
        stems = np.flatnonzero(self.stem_sounds == _hashed(stem))
        forms = self._forms(np.isin(self.stem_of, stems))
        found = [form for form in forms if _is_russian(form) and sound_of(stem_words([form])[0]) == stem]
        return _nearest_first(word, found)

    def count(self, word: str) -> int:
        """How many documents have exactly this form."""
        number = self.words.numbers.get(word, len(self.documents))
        return int(self.documents[number]) if number < len(self.documents) else 0

    def nearest(self, word: str, distance: int) -> list[Neighbour]:
        """Return the words at most `distance` typos away, a swap of two letters being one; the likeliest first.

        Of two typos at most one may be in the first two letters.
        """
        rows = self.words.alike(word)
        rows = rows[rows < len(self.documents)]
        # A typo changes at most two of the letters that a word is made of: this leaves few to compare in earnest.
        differing = np.bitwise_count(self.letters[rows] ^ np.uint64(_letters(word)))
        rows = rows[(differing <= 2 * distance) & (self.documents[rows] > 0)]
        near = [self.words.known[row] for row in rows.tolist()]
        found = process.extract(word, near, scorer=OSA.distance, score_cutoff=distance, limit=None)
        neighbours = [Neighbour(other, int(apart), self.count(other)) for other, apart, _ in found]
        return sorted(neighbours, key=lambda near: (near.distance, near.word[0] != word[0], -near.documents, near.word))

    def _stem(self, word: str) -> int:
        return self.words.stems.get(stem_words([word])[0], len(self.of_stems))

    def _forms(self, are_wanted: NDArray[np.bool_]) -> list[str]:
        rows = np.flatnonzero(are_wanted & (self.documents > 0))
        return [self.words.known[row] for row in sorted(rows.tolist(), key=lambda row: -int(self.documents[row]))]


def view_of(words: Words, documents: Iterable[Numbers]) -> View:
    """Return the view of a set of documents, each given by the numbers of its words."""
    # Another thread may be adding words: what comes after this count is not of this view.
    known = len(words.known)
    every = np.concatenate([np.zeros(0, np.int32), *documents])
    counts = np.bincount(every[every < known], minlength=known).astype(np.int32)
    stem_of = np.array(words.stem_of, np.int32)[:known]
    of_stems = np.bincount(stem_of, weights=counts, minlength=len(words.stems)).astype(np.int32)
    return View(
        words,
        np.array(words.letters, np.uint64)[:known],
        np.array(words.sounds, np.uint32)[:known],
        np.array(words.stem_sounds, np.uint32),
        stem_of,
        counts,
        of_stems,
    )


def _no_numbers() -> array[int]:
    return array("i")


def _nearest_first(word: str, others: list[str]) -> list[str]:
    spelled = in_russian_letters(word) if _is_latin(word) else word
    return sorted(others, key=lambda other: OSA.distance(spelled, other))


def _hashed(sound: str) -> int:
    return crc32(sound.encode())


def _is_russian(word: str) -> bool:
    return "а" <= word[:1] <= "я"


def _is_latin(word: str) -> bool:
    return "a" <= word[:1] <= "z"


def _letters(word: str) -> int:
    bits = 0
    for letter in word:
        bits |= 1 << _LETTERS.get(letter, 63)
    return bits
