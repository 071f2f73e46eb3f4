"""Russian written with Latin letters: what sounds alike in both alphabets, and the likeliest Russian spelling. Pure.

People write «otpusk», «Yuliya», «Julia», «bolnichnyj» by many tables and by none (GOST 7.79, passports, the telegraph):
each spelling of a sound becomes one sign, so that words are compared by sound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Signs of sounds: W щ, S ш, C ч, Z ж, c ц; the rest are Latin letters as they are read.
_OF_RUSSIAN = str.maketrans(
    {
        "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "Z", "з": "z", "и": "i", "й": "i",
        "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f",
        "х": "h", "ц": "c", "ч": "C", "ш": "S", "щ": "W", "ъ": "", "ы": "i", "ь": "", "э": "e", "ю": "iu", "я": "ia",
    }
)  # fmt: skip
_OF_LATIN = {
    "shch": "W", "sch": "W", "zh": "Z", "kh": "h", "ch": "C", "sh": "S", "ts": "c", "tz": "c", "ck": "k", "ph": "f",
    "x": "ks", "w": "v", "q": "k", "y": "i", "j": "i", "'": "", "`": "", "’": "",
}  # fmt: skip
_LATIN_SOUND = re.compile("|".join(sorted(_OF_LATIN, key=len, reverse=True)))
# «ия», «ья» and «я», «ие» and «е» are spelt alike too often to tell them apart; so are doubled letters.
_GLIDES = re.compile(r"i+([aueo])")
_GLIDED = {"a": "A", "u": "U", "e": "e", "o": "e"}
_DOUBLED = re.compile(r"(.)\1+")
_SPELLINGS = {
    "tsya": "тся", "tsja": "тся", "shch": "щ", "sch": "щ", "zh": "ж", "kh": "х", "ch": "ч", "sh": "ш", "ts": "ц",
    "yo": "е", "jo": "е", "yu": "ю", "ju": "ю",
    "ya": "я", "ja": "я", "ye": "е", "je": "е", "a": "а", "b": "б", "c": "ц", "d": "д", "e": "е", "f": "ф",
    "g": "г", "h": "х", "i": "и", "j": "й", "k": "к", "l": "л", "m": "м", "n": "н", "o": "о", "p": "п", "q": "к",
    "r": "р", "s": "с", "t": "т", "u": "у", "v": "в", "w": "в", "x": "кс", "z": "з", "'": "ь", "`": "ь", "’": "ь",
}  # fmt: skip
_ENDING = re.compile(r"(?:iy|ij|yi|yy|yj|(?<=[aeo])i)$")
_ENDINGS = {"iy": "ий", "ij": "ий", "i": "й"}
_SPELLING = re.compile("|".join(sorted(_SPELLINGS, key=len, reverse=True)) + "|y")
_VOWELS = "аеиоуыэюя"


def sound_of(word: str) -> str:
    """Return how a word in either alphabet sounds: the same for «Юлия», «Yuliya», «Julia»."""
    latin = _LATIN_SOUND.sub(lambda match: _OF_LATIN[match.group()], word.lower())
    signs = latin.translate(_OF_RUSSIAN).replace("ts", "c")
    glided = _GLIDES.sub(lambda match: _GLIDED[match[1]], signs)
    return _DOUBLED.sub(r"\1", glided.replace("sC", "W"))


def in_russian_letters(word: str) -> str:
    """Spell a Latin word in Russian letters, small ones, the likeliest way; «ь» only where an apostrophe is."""
    small = word.lower()
    ending = _ENDING.search(small)
    body = small[: ending.start()] if ending else small
    spelled = ""
    for match in _SPELLING.finditer(body):
        spelled += _SPELLINGS.get(match.group()) or ("й" if spelled[-1:] in _VOWELS and spelled else "ы")
    return spelled + (_ENDINGS.get(ending.group(), "ый") if ending else "")


def spellings(word: str) -> Iterator[str]:
    """Yield the likeliest spelling, then those with what Latin letters leave out or run together: «ь», «тс» for «ц»."""
    likeliest = in_russian_letters(word)
    yield likeliest
    yield f"{likeliest}ь"
    yield likeliest.replace("тся", "ться")
    yield likeliest.replace("ц", "тс")
    yield likeliest.replace("е", "ье")
