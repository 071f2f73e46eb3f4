"""What an answer may not invent: numbers, dates, sums, codes and names, each in one form however it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generation.number_words import spelled_numbers
from retrieval.stems import stem_text

NAME = "name:"

_SPACE = "\u0020\u00a0\u2009\u202f"
_NUMBER = re.compile(
    rf"(?<![\d.,])(?:\d{{1,3}}(?:[{_SPACE}]\d{{3}})+(?![\d])(?:,\d+)?|\d{{1,3}}(?:,\d{{3}})+(?![\d,])|\d+(?:[.,:]\d+)*)"
)
_ENGLISH_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_SCALED = rf"[{_SPACE}]*(тыс|млн|млрд|трлн|миллион|миллиард|триллион|тысяч|thousand|million|billion|trillion)"
_SCALE = re.compile(_SCALED, re.IGNORECASE)
_ZEROS = {"тыс": 3, "tho": 3, "млн": 6, "мил": 6, "mil": 6, "млр": 9, "bil": 9, "трл": 12, "три": 12, "tri": 12}
_MILLIARD = re.compile("миллиард", re.IGNORECASE)
_PERCENT = re.compile(rf"[{_SPACE}]*(?:%|процент|percent|per cent)", re.IGNORECASE)
_NUMBERED = re.compile(rf"(?:№|\bN|\bномер\w*|\bNo\.?)[{_SPACE}]*(\d[\d/.-]*\d|\d)", re.IGNORECASE)
# Numbers that are names, in a document's words: «доб. 417» may be told as «номер 417».
_CALLED = re.compile(
    rf"\b(?:ext(?:ension)?|room|phone|number|доб(?:авочн\w+)?|кабинет\w*|каб|комнат\w+|тел(?:ефон\w*)?)\.?[{_SPACE}]*(\d[\d-]*)",
    re.IGNORECASE,
)
_TWELVE_HOURS = re.compile(r"\b(1[0-2]|0?[1-9])(?:[:.]([0-5]\d))?\s*([ap])\.?\s?m\b", re.IGNORECASE)
# Letters with a capital beside digits («Т-13», «152-ФЗ»): «28-дневный» and «90-х» are plain numbers.
_CODE = re.compile(r"(?<![\w-])(?:[A-ZА-ЯЁ]{1,6}[-/]?\d[\w/-]*|\d+[-/][A-ZА-ЯЁ]{1,6}\d*)(?![\w-])")
_LOOK_ALIKES = str.maketrans("ABCEHKMOPTXY", "АВСЕНКМОРТХУ")

_MONTHS = ("янв", "фев", "мар", "апр", "май", "июн", "июл", "авг", "сен", "окт", "ноя", "дек")
_ENGLISH_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(январ|феврал|март|апрел|ма[йяе]\b|июн|июл|август|сентябр|октябр|ноябр|декабр"
    r"|January|February|March|April|May\b|June|July|August|September|October|November|December)\w*"
)
_MONTH_NAME = re.compile(rf"\b{_MONTH}", re.IGNORECASE)
_DAYS_OF_MONTH = re.compile(rf"\b(\d{{1,2}}(?:\s*(?:[-–—,]|по|до|и)\s*\d{{1,2}})*)\s+{_MONTH}", re.IGNORECASE)
_MONTH_AND_DAY = re.compile(rf"\b{_MONTH}\s+(\d{{1,2}})(?!\d)")
_DATE = re.compile(r"\b0?(\d{1,2})[./]0?(\d{1,2})[./](\d{4})\b")
_ISO_DATE = re.compile(r"\b(\d{4})-0?(\d{1,2})-0?(\d{1,2})\b")

_CAPITALISED = r"[A-ZА-ЯЁ][^\W\d_]*(?:-[^\W_]+)*"
_NAMED = re.compile(rf"(?<=[^\s.!?…:«\"(–—-])[\s«\"(]+({_CAPITALISED})|\b([A-Za-z]{{2,}})\b")
# A sentence's first capital says nothing, unless initials follow or the word ends as surnames do.
_FIRST = re.compile(
    rf"\W*({_CAPITALISED})(?=\s+[A-ZА-ЯЁ]\.)"
    r"|\W*([А-ЯЁ][а-яё]{2,}(?:ский|ская|цкий|цкая|енко|швили|дзе|[оеё]в))\b"
)


def facts(text: str) -> frozenset[str]:
    """Numbers, dates, codes and names of a sentence, or of a passage.

    A scaled number («1,5 млн») is its value; a date with its day is one fact, so that a day and a month of two dates
    do not make a third. Names begin with `name:` and stand as stems.
    """
    dated, rest = _dates(text)
    return frozenset({*dated, *_numbers(rest), *_codes(text), *(f"{NAME}{stem}" for stem in _names(text))})


def offered(text: str) -> frozenset[str]:
    """The facts of a passage in every form a sentence may use: «1,5 млн» also as 1.5, 6 p.m. as 18:00."""
    plain = {_plain(number) for number in _NUMBER.findall(text)}
    plain |= {number.replace(",", "") for number in _ENGLISH_THOUSANDS.findall(text)}
    plain |= {f"№{number}" for number in _CALLED.findall(text)} | set(_hours(text))
    return facts(text) | plain | {f"month:{_month(name)}" for name in _MONTH_NAME.findall(text)}


def _hours(text: str) -> Iterator[str]:
    """Hours of the twelve-hour clock as they are written in Russian: «9», «9:00», «18:00»."""
    for hour, minutes, half in _TWELVE_HOURS.findall(text):
        counted = int(hour) % 12 + (12 if half.lower() == "p" else 0)
        yield f"{counted}.{minutes or '00'}"
        yield str(counted)


def _dates(text: str) -> tuple[set[str], str]:
    """The dates of `text`, and the text without them."""
    found: set[str] = set()
    for day, month, year in _DATE.findall(text):
        found |= _dated(day, month, year)
    for year, month, day in _ISO_DATE.findall(text):
        found |= _dated(day, month, year)
    rest = _ISO_DATE.sub(" ", _DATE.sub(" ", text))
    for days, month in _DAYS_OF_MONTH.findall(rest):
        found |= {f"day:{int(day)}.{_month(month)}" for day in re.findall(r"\d+", days)}
    found |= {f"day:{int(day)}.{_month(month)}" for month, day in _MONTH_AND_DAY.findall(rest)}
    rest = _MONTH_AND_DAY.sub(" ", _DAYS_OF_MONTH.sub(" ", rest))
    return found | {f"month:{_month(name)}" for name in _MONTH_NAME.findall(rest)}, rest


def _dated(day: str, month: str, year: str) -> set[str]:
    name = _MONTHS[int(month) - 1] if 1 <= int(month) <= len(_MONTHS) else month
    return {f"day:{int(day)}.{name}", year}


def _month(name: str) -> str:
    """The Russian short name of a month written in Russian or English."""
    lower = name.lower()
    if lower[:3] in _ENGLISH_MONTHS:
        return _MONTHS[_ENGLISH_MONTHS.index(lower[:3])]
    return "май" if lower.startswith("ма") and not lower.startswith("мар") else lower[:3]


def _numbers(text: str) -> Iterator[str]:
    numbered = {match.start(1) for match in _NUMBERED.finditer(text)}
    for match in _NUMBER.finditer(text):
        number = _plain(match.group())
        if scale := _SCALE.match(text, match.end()):
            yield _scaled(number, scale[1])
            continue
        yield number
        if _PERCENT.match(text, match.end()):
            yield f"{number}%"
        if match.start() in numbered:
            yield f"№{number}"
    yield from spelled_numbers(text)


def _plain(digits: str) -> str:
    """«1 500,00», «1500» and «01500» alike; «10:30» as «10.30»."""
    plain = re.sub(r"\s", "", digits)
    plain = plain.replace(",", "") if re.fullmatch(r"\d{1,3}(?:,\d{3}){2,}", plain) else plain
    plain = plain.replace(",", ".").replace(":", ".")
    whole, dot, rest = plain.partition(".")
    is_sum = rest.strip("0") == "" and len(rest) == 2 and len(whole) > 2
    return (whole.lstrip("0") or "0") + ("" if is_sum else dot + rest)


def _scaled(number: str, scale: str) -> str:
    zeros = 9 if _MILLIARD.match(scale) else _ZEROS[scale.lower()[:3]]
    whole, _, rest = number.partition(".")
    if "." in rest or len(rest) > zeros:
        return number
    return (whole + rest.ljust(zeros, "0")).lstrip("0") or "0"


def _codes(text: str) -> Iterator[str]:
    for code in _CODE.findall(text):
        yield "code:" + re.sub(r"[-/]", "", code.upper().translate(_LOOK_ALIKES))


def _names(text: str) -> Iterator[str]:
    codes = {match.span() for match in _CODE.finditer(text)}
    for match in _NAMED.finditer(text):
        if not any(start <= match.end() - 1 < end for start, end in codes):
            yield from stem_text(match[1] or match[2])
    if first := _FIRST.match(text):
        yield from stem_text(first[1] or first[2])
