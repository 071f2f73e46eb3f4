"""Personal data in Russian text, told by its form: where it stands, and the text with marks in its place. Pure.

Offsets count characters of the text as it was given. What a number means is judged by at most `CONTEXT_CHARS` around
it, so that a piece of a longer text shows the same as the whole, away from where it was cut.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.types import PersonalKind
from retrieval import check_digits

CONTEXT_CHARS = 60
MARGIN_CHARS = 200  # around a piece, so that nothing found in it depends on where it was cut
MARKS = {
    PersonalKind.PASSPORT: "[паспорт]",
    PersonalKind.SNILS: "[СНИЛС]",
    PersonalKind.INN: "[ИНН]",
    PersonalKind.PHONE: "[телефон]",
    PersonalKind.EMAIL: "[e-mail]",
    PersonalKind.CARD: "[номер карты]",
}
PERSONAL = frozenset(MARKS)  # all kinds but a company's ИНН, which is public

_SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_SPACES += "\u2028\u2029\u202f\u205f\u3000"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d"
_PLAIN = {ord(space): " " for space in _SPACES} | {ord(dash): "-" for dash in _DASHES}
_PLAIN |= {0xFF10 + digit: str(digit) for digit in range(10)}
_PLAIN |= {0x1D7CE + place: str(place % 10) for place in range(50)}  # mathematical digits
_PLAIN |= {0xFF08: "(", 0xFF09: ")", 0xFF0B: "+", 0xFF0E: ".", 0xFF20: "@", 0xFF0F: "/"}
_UNSEEN = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_LOOKALIKE = re.compile(r"(?<=\d)[OОoоЗзIІl|]{1,2}(?=-?\d)")
_TELLING = {**dict.fromkeys("OОoо", "0"), **dict.fromkeys("Зз", "3"), **dict.fromkeys("IІl|", "1")}
_CANDIDATE = re.compile(r"\d|[@＠]|[\[(](?:at|собака)[\])]")

_AT = re.compile(r"@|[\[(](?:at|собака)[\])]")
_LOCAL_CHARS, _DOMAIN_CHARS = 66, 200
_EMAIL = re.compile(
    r"(?<![\w.+%-])\w[\w.+%-]{0,63}(?:@ ?| @ | ?[\[(](?:at|собака)[\])] ?)"
    r"(?:[\w-]{1,63}(?:\.| ?[\[(](?:dot|точка)[\])] ?)){1,5}[^\W\d_]{2,24}(?![\w-])"
)
_RUN = re.compile(r"(?<!\d)(?<!\d[.,])\d(?:[ -]{0,3}\d){12,40}(?!\d)")
_SNILS = re.compile(r"(?<![\d-])(?<!\d[ .,/])\d{3}([ -]{0,2})\d{3}[ -]{0,2}\d{3}[ -]{0,3}\d{2}(?![\d-])(?! \d)")
_INN = re.compile(r"(?<![\d.,/-])\d(?: ?\d){9,11}(?![\d-])(?!\.\d)")
_NUMBERS = r"(?:№|N[oо]?|номер\w*|ном)?"
_PASSPORT = re.compile(
    rf"(?<![\d.,/-])\d\d ?-?\d\d[ ,;:]{{0,3}}{_NUMBERS}[ .:]{{0,3}}\d{{3}} ?\d{{3}}(?!\d)(?![.,/-]\d)", re.IGNORECASE
)
_FOREIGN = re.compile(rf"(?<![\d.,/-])\d\d[ ,]{{0,2}}{_NUMBERS}[ .:]{{0,3}}\d{{7}}(?!\d)(?![.,/-]\d)", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\d+])(?<!\d[.,/-])(?:\+ ?7|[78])(?:[ .()-]{0,3}\d){10}(?!\d)(?![/-]\d)")
_ABROAD = re.compile(r"(?<![\w+])\+(?!7)[1-9](?:[ .()-]{0,2}\d){9,13}(?!\d)")
_BRACKETED = re.compile(r"(?<![\w(])\((\d{3,5})\) ?\d{1,3}[ -]?\d\d[ -]?\d\d(?!\d)(?!-\d)")
_LOCAL = re.compile(r"(?<![\w.,/+-])(?:[3489]\d\d[ -]?)?\d{2,3}[ -]\d\d[ -]\d\d(?!\d)(?![.,/-]\d)")
_TEN = re.compile(r"(?<![\w.,/+-])[3489]\d{9}(?!\d)")

_ABOUT_PASSPORT = re.compile(r"паспорт|сери[яию]|сер\.|удостоверяющ\w+ личность|удостоверени\w+ личности")
_ABOUT_THINGS = re.compile(
    r"паспорт\w*[ -]*(?:сделк|издели|транспорт|техническ|оборудован|объект|качеств|безопасн|проект|прибор|здани)"
    r"|(?:техническ|технологическ|экологическ|энергетическ|санитарн)\w+ паспорт"
)
_ABOUT_FOREIGN = re.compile(r"загран|заграничн\w+ паспорт|паспорт\w*")
_ISSUED = re.compile(r"[ ,;.(]{0,3}(?:кем )?выдан")
_ABOUT_SNILS = re.compile(r"снилс|страхов\w+ (?:номер|свидетельств)|индивидуальн\w+ лицев")
_ABOUT_INN = re.compile(r"инн\b")
_ABOUT_PHONE = re.compile(r"(?:\bтел|факс|\bмоб|\bсот|телефон|звон|whats ?app|ватсап|вайбер|viber|telegram|☎|phone)")
# Numbers of things and of companies: nobody's, however they look.
_OTHER = re.compile(
    r"(?:огрн(?:ип)?|окпо|октмо|окато|оквэд|окв|бик|кпп|кбк|уин|уип|р/с|к/с|р\.с|рас[сч]+[её]тн\w+ сч[её]т|сч[её]т\w*"
    r"|лицев\w+ сч[её]т|штрих-?код\w*|артикул\w*|кадастров\w+ номер|гост|isbn|imei|ean|заказ\w*|договор\w*)"
    r"[ :№#.-]{0,4}(?:номер\w*|n)?[ :№#.-]{0,3}$"
)


@dataclass(frozen=True, slots=True)
class Found:
    """Personal data of a kind at text[start:end]."""

    kind: PersonalKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Match:
    """A place in the plain form of a text, which `text` is; `digits` are those within it."""

    text: str
    start: int
    end: int

    @property
    def digits(self) -> str:
        return "".join(filter(str.isdigit, self.text[self.start : self.end]))

    @property
    def before(self) -> str:
        return self.text[max(0, self.start - CONTEXT_CHARS) : self.start].lower()

    @property
    def groups(self) -> tuple[int, ...]:
        return tuple(map(len, re.findall(r"\d+", self.text[self.start : self.end])))


def find(text: str) -> tuple[Found, ...]:
    """Return what is found in a text, in order, none overlapping another."""
    if not _CANDIDATE.search(text):
        return ()
    plain, places = _plain(text)
    taken: list[Found] = []
    for kind, match in _matches(plain):
        found = Found(kind, places(match.start), places(match.end - 1) + 1)
        at = bisect_left(taken, found.start, key=lambda other: other.start)
        if not any(found.start < other.end and other.start < found.end for other in taken[max(0, at - 1) : at + 1]):
            taken.insert(at, found)
    return tuple(taken)


def masked(text: str) -> str:
    """Return a text with a mark such as «[телефон]» in place of each piece of personal data."""
    return with_marks(text, find(text))


def masked_piece(piece: str, before: str, after: str) -> str:
    """Mask a piece of a text by what stands around it: a number that begins before it is masked to its end."""
    start = len(before)
    end = start + len(piece)
    inside = [
        Found(found.kind, max(found.start, start) - start, min(found.end, end) - start)
        for found in find(before + piece + after)
        if found.start < end and start < found.end
    ]
    return with_marks(piece, inside)


def with_marks(text: str, found: Iterable[Found]) -> str:
    """Put a mark in place of each of `found`, which do not overlap; a company's ИНН stays."""
    for one in sorted(found, key=lambda each: -each.start):
        if one.kind in PERSONAL:
            text = text[: one.start] + MARKS[one.kind] + text[one.end :]
    return text


def _plain(text: str) -> tuple[str, Callable[[int], int]]:
    """Return a text with one kind of space, dash and digit, nothing unseen, and the way back to its offsets."""
    text = text.translate(_PLAIN)
    places: Sequence[int] | None = None
    if _UNSEEN.search(text):
        places = [place for place, letter in enumerate(text) if not _UNSEEN.match(letter)]
        text = "".join(text[place] for place in places)
    text = _LOOKALIKE.sub(lambda match: "".join(_TELLING[letter] for letter in match[0]), text)
    return text, (places.__getitem__ if places is not None else int)


def _matches(text: str) -> Iterator[tuple[PersonalKind, _Match]]:
    """What is surest first: a later one gives way where two overlap."""
    for kind, finder in (
        (PersonalKind.EMAIL, _emails),
        (PersonalKind.PASSPORT, _passports),
        (PersonalKind.SNILS, _snils),
        (PersonalKind.INN, _named_inn),
        (PersonalKind.COMPANY_INN, _company_inn),
        (PersonalKind.CARD, _cards),
        (PersonalKind.PHONE, _phones),
        (PersonalKind.INN, _bare_inn),
    ):
        for match in finder(text):
            yield kind, match


def _each(pattern: re.Pattern[str], text: str) -> Iterator[_Match]:
    return (_Match(text, *match.span()) for match in pattern.finditer(text))


def _emails(text: str) -> Iterator[_Match]:
    """Around each sign, because a search from every letter of a long text would take minutes."""
    reached = 0
    for sign in _AT.finditer(text):
        found = _EMAIL.search(text, max(reached, sign.start() - _LOCAL_CHARS), sign.end() + _DOMAIN_CHARS)
        if found and found.start() < sign.end() and not found[0].startswith("git@"):
            reached = found.end()
            yield _Match(text, *found.span())


def _passports(text: str) -> Iterator[_Match]:
    for match in _each(_PASSPORT, text):
        is_named = _ABOUT_PASSPORT.search(match.before) or _ISSUED.match(text[match.end : match.end + 12].lower())
        if is_named and not _ABOUT_THINGS.search(match.before) and not _OTHER.search(match.before):
            yield match
    for match in _each(_FOREIGN, text):
        if _ABOUT_FOREIGN.search(match.before) and not _ABOUT_THINGS.search(match.before):
            yield match


def _snils(text: str) -> Iterator[_Match]:
    for match in _each(_SNILS, text):
        is_named = _ABOUT_SNILS.search(match.before) is not None
        is_grouped = match.groups in ((3, 3, 3, 2), (9, 2))
        looks_else = _OTHER.search(match.before) or (match.digits[0] in "78" and match.digits[1] == "9")
        if check_digits.is_snils(match.digits) and (is_named or is_grouped or not looks_else):
            yield match


def _named_inn(text: str) -> Iterator[_Match]:
    for match in _each(_INN, text):
        if check_digits.is_person_inn(match.digits) and _ABOUT_INN.search(match.before):
            yield match


def _company_inn(text: str) -> Iterator[_Match]:
    for match in _each(_INN, text):
        if check_digits.is_company_inn(match.digits) and _ABOUT_INN.search(match.before):
            yield match


def _bare_inn(text: str) -> Iterator[_Match]:
    for match in _each(_INN, text):
        if check_digits.is_person_inn(match.digits) and len(match.groups) == 1 and not _OTHER.search(match.before):
            yield match


def _cards(text: str) -> Iterator[_Match]:
    for run in _each(_RUN, text):
        if not _OTHER.search(run.before) or "карт" in run.before:
            yield from _cards_in(run)


def _cards_in(run: _Match) -> Iterator[_Match]:
    """A run of digits that is a card, or has one in it: sixteen, followed by a date or a code, say."""
    if 13 <= len(run.digits) <= 19 and check_digits.is_card(run.digits):
        yield run
        return
    groups = [
        (run.start + group.start(), run.start + group.end())
        for group in re.finditer(r"\d+", run.text[run.start : run.end])
    ]
    for first in range(len(groups)):
        for last in range(first, min(first + 4, len(groups))):
            card = _Match(run.text, groups[first][0], groups[last][1])
            around = [end - start for start, end in (*groups[first - 1 : first], *groups[last + 1 : last + 2])]
            is_shaped = card.groups in ((4, 4, 4, 4), (4, 6, 5), (16,)) and 4 not in around
            if is_shaped and check_digits.is_card(card.digits):
                yield card


def _phones(text: str) -> Iterator[_Match]:
    for match in _each(_PHONE, text):
        if _is_phone(match):
            yield match
    yield from (match for match in _each(_ABROAD, text) if len(match.groups) > 1 or _ABOUT_PHONE.search(match.before))
    yield from (match for match in _each(_BRACKETED, text) if len(match.digits) == 10)
    for match in (*_each(_LOCAL, text), *_each(_TEN, text)):
        if _ABOUT_PHONE.search(match.before[-25:]) and len(match.digits) in (6, 7, 10):
            yield match


def _is_phone(match: _Match) -> bool:
    """Eleven digits grouped as people write phones; without a plus they must not be called something else."""
    digits, is_plus = match.digits, match.text[match.start] == "+"
    if digits[1] not in "3489" or len(set(digits[1:])) == 1:
        return False
    groups = match.groups
    if len(groups) == 1:
        return is_plus or (digits[1] in "489" and not _is_called_else(match))
    if groups[0] == 1:
        groups = groups[1:]
    is_grouped = len(groups) <= 5 and 3 <= groups[0] <= 10 and all(size >= 2 for size in groups[1:-1])
    return is_grouped and (is_plus or not _is_called_else(match)) and not _is_sum(match, groups)


def _is_called_else(match: _Match) -> bool:
    return _OTHER.search(match.before) is not None


def _is_sum(match: _Match, groups: tuple[int, ...]) -> bool:
    """«8 495 123 456» by thousands, or a table's cells, are no phone: groups of three to the end."""
    return match.text[match.start] != "+" and all(size == 3 for size in groups)


def count(texts: Iterable[str]) -> dict[PersonalKind, int]:
    """Return how often each kind is found in the texts; kinds that are not found are missing."""
    counts: dict[PersonalKind, int] = {}
    for text in texts:
        for found in find(text):
            counts[found.kind] = counts.get(found.kind, 0) + 1
    return counts
