"""Is this text what the page shows? Judged by the letters alone, so that glyph soup is not indexed as text.

A broken text layer looks like text to a parser: its font maps glyphs to wrong characters. What gives it away is that
letters follow each other as they do in no language. Measured in bits a letter (`letter_bigrams`): Russian and English
prose 3.4 to 4.5, tables of names and identifiers up to 5.5, glyph soup 6.5 and more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ingest.letter_bigrams import ENGLISH_ALPHABET, ENGLISH_BITS, RUSSIAN_ALPHABET, RUSSIAN_BITS, bits_table

_RUSSIAN = bits_table(RUSSIAN_ALPHABET, "".join(RUSSIAN_BITS))
_ENGLISH = bits_table(ENGLISH_ALPHABET, "".join(ENGLISH_BITS))

_SOUP_BITS = 6.0
_WINDOW_WORDS = 40
_WINDOW_LETTERS = 40
_BROKEN_SHARE = 0.25
_CAMEL_BITS = 8.0
_SAME_LETTERS = 0.95
_UNMAPPED_SHARE = 0.1

_WORD = re.compile(r"[^\W\d_]+")
_CYRILLIC_WORD = re.compile("[а-яё]+")
_LATIN_WORD = re.compile("[a-z]+")
_FOREIGN_LETTER = re.compile("[^\\W\\d_a-zа-яё]", re.IGNORECASE)
_UNMAPPED = re.compile("[\ufffd\ue000-\uf8ff\x00-\x08\x0e-\x1f]|\\(cid:\\d+\\)")
_WORD_WITH_SIGN_INSIDE = re.compile(r"[a-z][\[\]\\^`@<>|~{}§¤]+[a-z]", re.IGNORECASE)
_CAMEL = re.compile("[а-яё][А-ЯЁ]")


def count_letters(text: str) -> int:
    """Count letters of any script."""
    return sum(map(str.isalpha, text))


def is_broken(text: str) -> bool:
    """Tell whether at least a quarter of `text` is not what a reader of the page sees.

    Texts too short to judge, numbers, code and languages other than Russian and English are let through.
    """
    visible = len(text) - sum(map(str.isspace, text))
    if not visible:
        return False
    if sum(len(match) for match in _UNMAPPED.findall(text)) > _UNMAPPED_SHARE * visible:
        return True
    verdicts = [_is_soup(window) for window in _windows(text)]
    return sum(verdicts) > _BROKEN_SHARE * len(verdicts)


def repair_mojibake(text: str) -> str | None:
    """Undo cp1251 shown as Latin-1 («Ïðèêàç» for «Приказ»), or None where that gives no Russian."""
    high = sum("\u00c0" <= char <= "\u00ff" for char in text)
    if high < 0.5 * count_letters(text) or high < _WINDOW_LETTERS / 2:
        return None
    repaired = "".join(_as_cp1251(char) for char in text)
    words = _CYRILLIC_WORD.findall(repaired.lower())
    return repaired if mean_bits(words, _RUSSIAN) < _SOUP_BITS else None


def is_second_better(first: str, second: str) -> bool:
    """Tell whether the second parser's text of a page should be taken: it has the letters, or the better spaces.

    Where both have all letters, the words that only one of them has tell whose spaces are right.
    """
    if is_broken(first) != is_broken(second):
        return is_broken(first)
    letters = count_letters(first), count_letters(second)
    if min(letters) < _SAME_LETTERS * max(letters):
        return letters[1] > letters[0]
    words = set(_WORD.findall(first)), set(_WORD.findall(second))
    return oddness(words[1] - words[0]) < oddness(words[0] - words[1])


def oddness(words: Iterable[str]) -> float:
    """Bits a letter of words, their edges included: words torn in two or run together are odder than the right ones."""
    words = list(words)
    run_together = sum(len(_CAMEL.findall(word)) for word in words)
    lower = [word.lower() for word in words]
    russian = [word for word in lower if _CYRILLIC_WORD.fullmatch(word)]
    english = [word for word in lower if _LATIN_WORD.fullmatch(word)]
    letters = sum(map(len, russian)) + sum(map(len, english))
    if not letters:
        return 0.0
    bits = mean_bits(russian, _RUSSIAN) * sum(map(len, russian)) + mean_bits(english, _ENGLISH) * sum(map(len, english))
    return (bits + _CAMEL_BITS * run_together) / letters


def mean_bits(words: Iterable[str], table: dict[str, int]) -> float:
    """Mean surprise of the pairs of letters in lower-case `words`, edges included; 0 without words."""
    pairs = [table[pair] for word in words for pair in _pairs(word.replace("ё", "е"))]
    return sum(pairs) / len(pairs) if pairs else 0.0


def _pairs(word: str) -> Iterator[str]:
    padded = f" {word} "
    return (padded[i : i + 2] for i in range(len(padded) - 1))


def _windows(text: str) -> Iterator[str]:
    words = text.split()
    return (" ".join(words[i : i + _WINDOW_WORDS]) for i in range(0, len(words), _WINDOW_WORDS))


def _is_soup(window: str) -> bool:
    lower = window.lower()
    letters = count_letters(window)
    if letters < _WINDOW_LETTERS:
        return False
    if len(_FOREIGN_LETTER.findall(window)) > letters / 2:
        return repair_mojibake(window) is not None
    cyrillic, latin = _CYRILLIC_WORD.findall(lower), _LATIN_WORD.findall(lower)
    if sum(map(len, cyrillic)) >= letters / 2:
        return mean_bits(cyrillic, _RUSSIAN) > _SOUP_BITS
    return mean_bits(latin, _ENGLISH) > _SOUP_BITS and _signs_inside(window) > 0.01 * letters


def _signs_inside(window: str) -> int:
    return len(_WORD_WITH_SIGN_INSIDE.findall(window))


def _as_cp1251(char: str) -> str:
    try:
        return char.encode("latin-1").decode("cp1251")
    except UnicodeError:
        return char
