"""Numbers with what they count, days, dates and hours of a text, so that two sentences can be held side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from generation.number_words import spelled
from retrieval.query.russian import forms
from retrieval.stems import stem_text

DATE, CLOCK, YEAR = "дата", "часы", "год по счёту"

_SPACE = "\u0020\u00a0\u2009\u202f"
_NUMBER = re.compile(
    rf"(?<![\w.,/№])(?<!№ )(?P<whole>\d{{1,3}}(?:[{_SPACE}]\d{{3}})+|\d+)(?P<rest>[,.]\d+)?(?![.,/]?\d)"
    r"(?:-[а-я]{1,2}\b)?"
    rf"(?:[{_SPACE}]*(?P<scale>тыс|млн|млрд|трлн|миллион|миллиард)\w*\.?)?(?:[{_SPACE}]*\([^)]{{0,80}}\))?",
    re.IGNORECASE,
)
_ZEROS = {"тыс": 3, "млн": 6, "миллион": 6, "млрд": 9, "миллиард": 9, "трлн": 12}
_MONTHS = ("янв", "фев", "мар", "апр", "ма", "июн", "июл", "авг", "сен", "окт", "ноя", "дек")
_MONTH = r"января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря"
_DATE = re.compile(
    rf"(?<!\d)[«\"]?(?P<day>\d{{1,2}})[»\"]?\s+(?P<month>{_MONTH})(?:\s+(?P<year>\d{{4}})(?:\s+г(?:ода|\.)?)?)?"
    r"|(?<![\d.])(?P<day_>\d{1,2})\.(?P<month_>\d{1,2})\.(?P<year_>\d{4})(?!\d)",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"(?<![\d.:])(?:[01]?\d|2[0-3])(?::[0-5]\d|\.[0-5][05](?=\s*(?:до\b|[-–—]|ч\b)))(?![\d:%]|\.\d)"
    r"|(?<=\bдо )(?:[01]?\d|2[0-3])\.[0-5][05](?![\d:%]|\.\d)"
)
_CLAUSE = re.compile(r"(?:^|\n)\s*\d+(?:\.\d+)*[.)]?\s+(?=[А-ЯЁA-Z])|\b(?:п|пп|ст|ч|гл)\.\s*\d+(?:\.\d+)*")
_FOLLOWING = re.compile(r"[\s\u00a0]*([а-яё]+|%|₽|°\s?[CС]?)\.?", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(?:[-–—]|до|и|или|по)\s*(?:до\s+)?")
_SHORT = {
    "руб": "рубль", "р": "рубль", "₽": "рубль", "коп": "копейка", "процент": "%", "мин": "минута", "ч": "час",
    "сек": "секунда", "чел": "человек", "мес": "месяц", "нед": "неделя", "дн": "день", "сутки": "день", "сут": "день",
    "лет": "год", "лето": "год", "г": "год", "гг": "год", "градус": "°", "шт": "штука", "экз": "экземпляр",
}  # fmt: skip
_ONE = re.compile(r"\bодн(?:ого|ому|а|у|ой|о)\b|\bодин\b", re.IGNORECASE)  # a number where a unit follows
_DOTTED = frozenset(("руб", "р", "коп", "мин", "ч", "сек", "чел", "мес", "нед", "дн", "сут", "г", "гг", "шт", "экз"))
_DAYS = {"день": 1, "неделя": 7, "месяц": 30, "год": 365}
_NOT_UNITS = frozenset(("тысяча", "миллион", "миллиард"))
_YEARS = range(1000, 2101)
_UNIT_WORDS = 3  # of which the last is the unit: «28 ежегодных календарных дней»


@dataclass(frozen=True, slots=True)
class Quantity:
    """What stands at `start:end` of a text: `value` of `unit`, in the words `text`.

    A unit is a word in its first form, `%`, or one of `DATE`, `CLOCK` and `YEAR`; a number without any counts nothing
    and has an empty one. `kinds` are stems of the words between, «календарных», «рабочих».
    """

    value: str
    unit: str
    text: str
    start: int
    end: int
    kinds: frozenset[str] = frozenset()

    @property
    def days(self) -> Decimal | None:
        """A span of time in days, a month being 30 and a year 365; None for anything else."""
        return Decimal(self.value) * _DAYS[self.unit] if self.unit in _DAYS else None

    def agrees(self, other: Quantity) -> bool:
        """Whether both say the same; a date without its year agrees with one of the same day."""
        if self.unit == other.unit == DATE:
            return all(
                a == b or "" in (a, b) for a, b in zip(self.value.split("."), other.value.split("."), strict=True)
            )
        if self.days is not None and other.days is not None and self.unit != other.unit:
            return self.days == other.days
        is_same_kind = not self.kinds or not other.kinds or bool(self.kinds & other.kinds)
        return (self.value, self.unit) == (other.value, other.unit) and is_same_kind

    def is_comparable(self, other: Quantity) -> bool:
        """Whether both measure the same: of one unit, or spans of time."""
        return bool(self.unit) and (self.unit == other.unit or (self.days is not None and other.days is not None))


def quantities(text: str) -> tuple[Quantity, ...]:
    """All of a text in order; numbers of clauses («4.2.», «п. 3») are none. In a range each end has the unit."""
    taken = [match.span() for match in _CLAUSE.finditer(text)]
    found = [*_dates(text, taken)]
    taken += [(one.start, one.end) for one in found]
    found += [
        Quantity(m[0].replace(".", ":").zfill(5), CLOCK, m[0], m.start(), m.end()) for m in _free(_CLOCK, text, taken)
    ]
    taken += [(one.start, one.end) for one in found]
    counted = sorted(_counted(text, taken), key=lambda one: one.start)
    for first, second in reversed(tuple(pairwise(range(len(counted))))):
        one, following = counted[first], counted[second]
        if not one.unit and _BETWEEN.fullmatch(text, one.end, following.start):
            counted[first] = Quantity(one.value, following.unit, one.text, one.start, one.end, following.kinds)
    return tuple(sorted([*found, *counted], key=lambda one: one.start))


def _free(pattern: re.Pattern[str], text: str, taken: list[tuple[int, int]]) -> Iterator[re.Match[str]]:
    for match in pattern.finditer(text):
        if not any(start < match.end() and match.start() < end for start, end in taken):
            yield match


def _dates(text: str, taken: list[tuple[int, int]]) -> Iterator[Quantity]:
    for match in _free(_DATE, text, taken):
        named = (match["month"] or "").lower()
        month = next(
            (n for n, name in enumerate(_MONTHS, 1) if named.startswith(name) and (n != 5 or named[:3] != "мар")), 0
        )
        day = int(match["day"] or match["day_"])
        value = f"{day}.{month or int(match['month_'])}.{match['year'] or match['year_'] or ''}"
        yield Quantity(value, DATE, match[0], match.start(), match.end())


def _counted(text: str, taken: list[tuple[int, int]]) -> Iterator[Quantity]:
    seen: list[tuple[int, int]] = []
    for match in _free(_NUMBER, text, taken):
        seen.append(match.span())
        value = Decimal(re.sub(r"\D", "", match["whole"]) + (match["rest"] or "").replace(",", "."))
        value *= 10 ** _ZEROS[match["scale"].lower()] if match["scale"] else 1
        yield _with_unit(value, text, match.start(), match.end())
    for number in spelled(text):
        if not any(start <= number.start < end for start, end in seen):
            yield _with_unit(Decimal(number.value), text, number.start, number.end)
    for match in _ONE.finditer(text):
        if (one := _with_unit(Decimal(1), text, match.start(), match.end())).unit:
            yield one


def _with_unit(value: Decimal, text: str, start: int, end: int) -> Quantity:
    """The number with the first noun after it; only adjectives may stand between."""
    said = f"{value.normalize():f}"
    kinds: list[str] = []
    at = end
    for _ in range(_UNIT_WORDS):
        match = _FOLLOWING.match(text, at)
        if not match:
            break
        word, at = match[1].lower(), match.end()
        unit = _unit(word)
        if unit:
            is_year = unit == "год" and value == int(value) and int(value) in _YEARS
            stop = at if word in _DOTTED else match.end(1)
            return Quantity(said, YEAR if is_year else unit, text[start:stop], start, stop, frozenset(kinds))
        if forms(word)[0].part not in ("ADJF", "PRTF"):
            break
        kinds += stem_text(word)
    return Quantity(said, "", text[start:end].rstrip(), start, end)


def _unit(word: str) -> str:
    if word in _SHORT:
        return _SHORT[word]
    if not word[0].isalpha():
        return "°" if word[0] == "°" else word
    form = forms(word)[0]
    if form.part != "NOUN" or form.lemma in _NOT_UNITS:
        return ""
    return _SHORT.get(form.lemma, form.lemma)
