"""Cyrillic and Latin: which one a text is written in, and names that are the same in both."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)
_LATIN = re.compile(r"[a-z]", re.IGNORECASE)
_SAME_NAME = 0.8  # share of consonants in common, of names with more than three

# Sounds, in capitals, not letters: only consonants are kept, and those that transliterations confuse fall together.
_RUSSIAN_SOUNDS = {
    "дж": "J", "тч": "C", "кс": "KS", "тс": "S", "дз": "S", "уи": "V", "уо": "V", "уэ": "V", "щ": "S", "ш": "S",
    "ч": "C", "ж": "J", "ц": "S", "х": "H", "б": "B", "в": "V", "г": "G", "д": "D", "з": "S", "к": "K", "л": "L",
    "м": "M", "н": "N", "п": "P", "р": "R", "с": "S", "т": "T", "ф": "F",
}  # fmt: skip
_LATIN_SOUNDS = {
    "sch": "S", "tch": "C", "zh": "J", "kh": "H", "sh": "S", "ch": "C", "ph": "F", "th": "T", "ck": "K", "qu": "KV",
    "wh": "V", "gh": "", "ts": "S", "dg": "J", "ce": "S", "ci": "S", "cy": "S", "x": "KS", "c": "K", "q": "K", "w": "V",
    "z": "S",
}  # fmt: skip
_VOWELS = re.compile(r"[aeiouyаеёиоуыэюяйьъ]|(?<=.)h", re.IGNORECASE)
_DOUBLED = re.compile(r"(.)\1+")
_FIRST = str.maketrans("HJ", "GG")  # «Гарвард» and Harvard, «Женева» and Geneva


def is_cyrillic(text: str) -> bool:
    """Whether most letters are Cyrillic; so is a text without letters."""
    return len(_CYRILLIC.findall(text)) >= len(_LATIN.findall(text))


def sounds_like(name: str, other: str) -> bool:
    """Whether a Cyrillic and a Latin spelling may be one name: «Тьюринг» and Turing, «Шекспир» and Shakespeare."""
    first, second = _consonants(name), _consonants(other)
    if not first or not second or min(len(first), len(second)) <= 3:
        return first == second != ""
    return first[0] == second[0] and SequenceMatcher(None, first, second).ratio() >= _SAME_NAME


def _consonants(name: str) -> str:
    sounds = name.lower()
    for written, sound in (_RUSSIAN_SOUNDS if _CYRILLIC.search(sounds) else _LATIN_SOUNDS).items():
        sounds = sounds.replace(written, sound)
    kept = _DOUBLED.sub(r"\1", _VOWELS.sub("", sounds).upper())
    return kept[:1].translate(_FIRST) + kept[1:]
