"""Latin letters that look like Cyrillic ones, and the other way round, in words of both alphabets. Pure."""

from __future__ import annotations

import re

_LATIN = "ABEKMHOPCTYXaeopcyxkmt"
_CYRILLIC = "АВЕКМНОРСТУХаеорсухкмт"
_TO_CYRILLIC = str.maketrans(_LATIN, _CYRILLIC)
_TO_LATIN = str.maketrans(_CYRILLIC, _LATIN)
# An abbreviation spelled sound by sound: «IT» and «ИТ», «gpk» and «ГПК».
_SOUNDS = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "y", "к": "k",
    "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "h",
    "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
}  # fmt: skip
_LETTER_OF = {sound: letter for letter, sound in reversed(_SOUNDS.items()) if len(sound) == 1}
_HAS_CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)
_HAS_LATIN = re.compile(r"[a-z]", re.IGNORECASE)
_RUN = re.compile(r"[^\W_]+")
# Every word of both alphabets has such a place, and most texts have none: to look at each word takes 40 times as long.
_SEAM = re.compile(r"[A-Za-z](?:(?<=[А-Яа-яЁё0-9].)|[0-9]*[А-Яа-яЁё])")


def is_mixed(word: str) -> bool:
    """Whether letters of both alphabets stand in the word."""
    return bool(_HAS_CYRILLIC.search(word) and _HAS_LATIN.search(word))


def is_latin(word: str) -> bool:
    """Whether the word has Latin letters and no Cyrillic ones."""
    return bool(_HAS_LATIN.search(word)) and not _HAS_CYRILLIC.search(word)


def one_alphabet(word: str) -> str:
    """Return a mixed word in one alphabet, Cyrillic where both would do; unchanged where neither does."""
    cyrillic, latin = word.translate(_TO_CYRILLIC), word.translate(_TO_LATIN)
    return next((read for read in (cyrillic, latin) if not is_mixed(read)), word)


def text_in_one_alphabet(text: str) -> str:
    """Return a text with each word of both alphabets in one, as long as before; the very text where there is none.

    What a hyphen or a point joins are words of their own: «COM-порт» and «web.сайт» stay as they are.
    """
    if not _SEAM.search(text):
        return text
    return _RUN.sub(lambda run: one_alphabet(run[0]) if is_mixed(run[0]) else run[0], text)


def code_in_cyrillic(code: str) -> str:
    """Write look-alikes in capitals with Cyrillic letters, so that two ways to type one code are equal."""
    return code.translate(_TO_CYRILLIC)


def code_by_sound(code: str) -> str:
    """Spell the Latin letters of a code in Cyrillic, part by part: «112-OD» is «112-ОД», «571-P» is «571-П»."""
    return "".join(_part_by_sound(part) for part in re.split(r"([-./])", code))


def _part_by_sound(part: str) -> str:
    read = part.translate(_TO_CYRILLIC) if is_mixed(part) else part
    return "".join(_LETTER_OF.get(letter.lower(), letter) for letter in read).upper()


def transliterated(word: str) -> str:
    """Write a Cyrillic word with Latin letters, in small ones: «ГПК» is «gpk»."""
    return "".join(_SOUNDS.get(letter, letter) for letter in word.casefold().replace("ё", "е"))


def abbreviation_in_cyrillic(word: str) -> str | None:
    """Spell a Latin abbreviation in Cyrillic, letter by letter: «IT» is «ИТ»; None for what is none."""
    letters = [_LETTER_OF.get(letter) for letter in word.lower()]
    known = [letter for letter in letters if letter]
    return "".join(known).upper() if word.isupper() and 2 <= len(word) <= 5 and len(known) == len(letters) else None
