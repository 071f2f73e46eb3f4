"""Numbers written as words, Russian and English: «двадцати восьми дней» says 28."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Left out: «один», a pronoun more often than a number, and «семью», a family.
_FORMS = {
    2: r"дв(?:а|е|ух|ум|умя|ое|оих|оим)|two|twice",
    3: r"тр(?:и|[её]х|[её]м|емя|ое|оих)|three",
    4: r"четыр(?:е|[её]х|[её]м|ьмя)|четверо|four",
    5: r"пят(?:ь|и|ью)|five",
    6: r"шест(?:ь|и|ью)|six",
    7: r"сем(?:ь|и)|seven",
    8: r"вос(?:емь|ьми|емью|ьмью)|eight",
    9: r"девят(?:ь|и|ью)|nine",
    10: r"десят(?:ь|и|ью)|ten",
    11: r"одиннадцат(?:ь|и|ью)|eleven",
    12: r"двенадцат(?:ь|и|ью)|twelve",
    13: r"тринадцат(?:ь|и|ью)|thirteen",
    14: r"четырнадцат(?:ь|и|ью)|fourteen",
    15: r"пятнадцат(?:ь|и|ью)|fifteen",
    16: r"шестнадцат(?:ь|и|ью)|sixteen",
    17: r"семнадцат(?:ь|и|ью)|seventeen",
    18: r"восемнадцат(?:ь|и|ью)|eighteen",
    19: r"девятнадцат(?:ь|и|ью)|nineteen",
    20: r"двадцат(?:ь|и|ью)|twenty",
    30: r"тридцат(?:ь|и|ью)|thirty",
    40: r"сорок(?:а)?|forty",
    50: r"пят(?:ьдесят|идесяти|ьюдесятью)|fifty",
    60: r"шест(?:ьдесят|идесяти|ьюдесятью)|sixty",
    70: r"сем(?:ьдесят|идесяти|ьюдесятью)|seventy",
    80: r"вос(?:емьдесят|ьмидесяти)|eighty",
    90: r"девяност(?:о|а)|ninety",
    100: r"ст(?:о|а)",
    200: r"дв(?:ести|ухсот)",
    300: r"тр(?:иста|[её]хсот)",
    400: r"четыр(?:еста|[её]хсот)",
    500: r"пят(?:ьсот|исот)",
    600: r"шест(?:ьсот|исот)",
    700: r"сем(?:ьсот|исот)",
    800: r"вос(?:емьсот|ьмисот)",
    900: r"девят(?:ьсот|исот)",
}
_VALUES = tuple(_FORMS)
_WORD = re.compile(r"\b(?:" + "|".join(f"({form})" for form in _FORMS.values()) + r")\b", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s-]+")


@dataclass(frozen=True, slots=True)
class SpelledNumber:
    """A number that words spell at `start:end` of a text."""

    value: int
    start: int
    end: int


def spelled_numbers(text: str) -> Iterator[str]:
    """The numbers that words of `text` spell, in digits; words in a row («двадцать пять») make one number."""
    return (str(number.value) for number in spelled(text))


def spelled(text: str) -> Iterator[SpelledNumber]:
    """The same with the places where they stand."""
    value, start, end = 0, 0, 0
    for match in _WORD.finditer(text):
        word = _VALUES[match.lastindex - 1] if match.lastindex else 0
        continues = bool(value) and bool(_BETWEEN.fullmatch(text, end, match.start())) and word < _unit(value)
        if value and not continues:
            yield SpelledNumber(value, start, end)
        value, start = (value + word, start) if continues else (word, match.start())
        end = match.end()
    if value:
        yield SpelledNumber(value, start, end)


def _unit(value: int) -> int:
    """What a following word must stay below: 20 after «сто двадцать» leaves room for one to nine."""
    for unit in (100, 10):
        if value % unit == 0:
            return unit
    return 1
