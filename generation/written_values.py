"""Numbers and dates as Russian documents write them, with the places where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

_SPACE = "\u0020\u00a0\u2009\u202f"
_GROUPED = rf"\d{{1,3}}(?:[{_SPACE}]\d{{3}})+(?!\d)|\d{{1,3}}(?:\.\d{{3}})+(?=,\d)|\d{{1,3}}(?:,\d{{3}})+(?=\.\d)"
_NUMBER = re.compile(
    rf"(?<![\d.,/-])(?P<sign>[-−–](?=\d))?(?P<whole>{_GROUPED}|\d+)(?P<rest>[.,]\d+)?(?![.,/-]?\d)"
    rf"(?:[{_SPACE}]*(?P<scale>тыс|млн|млрд|трлн|миллион|миллиард)\w*\.?)?"
    rf"(?P<kopecks>[{_SPACE}]*(?:\([^)]{{0,120}}\)[{_SPACE}]*)?руб[а-я]*\.?[{_SPACE}]*(?P<hundredths>\d{{2}})[{_SPACE}]*коп)?",
    re.IGNORECASE,
)
_ZEROS = {"тыс": 3, "млн": 6, "миллион": 6, "млрд": 9, "миллиард": 9, "трлн": 12}
_MONTHS = ("янв", "фев", "мар", "апр", "ма", "июн", "июл", "авг", "сен", "окт", "ноя", "дек")
_MONTH = r"января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря"
_DATES = (
    re.compile(r"(?<!\d)(?P<day>\d{1,2})[./](?P<month>\d{1,2})[./](?P<year>\d{4}|\d{2})(?!\d)"),
    re.compile(r"(?<!\d)(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?!\d)"),
    re.compile(
        rf"(?<!\d)[«\"“]?\s?(?P<day>\d{{1,2}})\s?[»\"”]?\s+(?P<month>{_MONTH})\s+(?P<year>\d{{4}})", re.IGNORECASE
    ),
)


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A day that stands at `start:end` of a text."""

    day: date
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """A number that stands at `start:end` of a text."""

    value: Decimal
    start: int
    end: int


def dates(text: str) -> Iterator[WrittenDate]:
    """Whole dates: «12.03.2026», «12 марта 2026», «2026-03-12»; no such day as 31.02 is one."""
    for pattern in _DATES:
        for found in pattern.finditer(text):
            with suppress(ValueError):
                yield WrittenDate(_date(found), found.start(), found.end())


def numbers(text: str) -> Iterator[WrittenNumber]:
    """Numbers that are no part of a date: «1 500,00», «1,5 млн», «15 000 (пятнадцать тысяч) рублей 50 копеек»."""
    dated = [(found.start, found.end) for found in dates(text)]
    for found in _NUMBER.finditer(text):
        if not any(start < found.end() and found.start() < end for start, end in dated):
            yield WrittenNumber(_number(found), found.start(), found.end())


def _date(found: re.Match[str]) -> date:
    named = found["month"].lower()
    month = int(named) if named.isdigit() else 1 + next(n for n in _ordered() if named.startswith(_MONTHS[n]))
    year = int(found["year"])
    return date(year if year > 99 else 2000 + year, month, int(found["day"]))


def _ordered() -> list[int]:
    """Months by the length of their beginnings, so that «мар» is tried before «ма»."""
    return sorted(range(len(_MONTHS)), key=lambda n: -len(_MONTHS[n]))


def _number(found: re.Match[str]) -> Decimal:
    whole = re.sub(r"\D", "", found["whole"])
    rest = found["rest"] or ""
    value = Decimal(f"{whole}{rest.replace(',', '.')}")
    if scale := found["scale"]:
        value *= 10 ** _ZEROS[scale.lower()]
    if found["hundredths"]:
        value += Decimal(found["hundredths"]) / 100
    return -value if found["sign"] else value
