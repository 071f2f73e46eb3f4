"""Questions that compare: which things they name, each as it would be asked about alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.types import Passage
from retrieval.query.russian import forms

SIDES_MAX = 3
_SIDE_CHARS = 120  # a longer side is no name of anything
_THING = rf".{{2,{_SIDE_CHARS}}}?"
_LAST = rf".{{2,{_SIDE_CHARS}}}"
_MORE = r"больше|меньше|длиннее|короче|дольше|выше|ниже|дороже|дешевле|раньше|позже|быстрее|медленнее|лучше|чаще|реже"
_FRAMES = tuple(
    re.compile(frame, re.IGNORECASE)
    for frame in (
        rf"(?:чем|как|насколько)\s+(?P<a>{_THING})\s+отлича\w+\s+от\s+(?P<b>{_LAST})",
        rf"(?:чем|как|насколько)\s+отлича\w+\s+(?P<a>{_THING})\s+(?:от|и)\s+(?P<b>{_LAST})",
        rf"(?:.*\s)?(?:разниц\w+|различи\w+|отличи\w+)\s+между\s+(?P<a>{_THING})\s+и\s+(?P<b>{_LAST})",
        rf"(?:в\s+ч[её]м\s+|каков[ыо]\s+|какие\s+)?отличи\w+\s+(?P<a>{_THING})\s+от\s+(?P<b>{_LAST})",
        rf"(?:.*\s)?сравн(?:и|ите|ить)\s+(?P<a>{_THING})\s+и\s+(?P<b>{_LAST})",
        rf"(?:.*\s)?сравн(?:и|ите|ить)\s+(?P<a>{_THING})\s+со?\s+(?P<b>{_LAST})",
        rf"(?P<rest>.*\b(?:{_MORE})\b[^:—]*?)\s*[:,—–]\s*(?P<a>{_THING})\s+или\s+(?P<b>{_LAST})",
    )
)
_WORD = re.compile(r"[^\s,;:?!]+")
_COMMAS = re.compile(r"\s*,\s*")


@dataclass(frozen=True, slots=True)
class Comparison:
    """`sides` are two or three things, each in the question's words and made whole («дополнительного отпуск»)."""

    sides: tuple[str, ...]


def comparison(question: str) -> Comparison | None:
    """The things that a question compares; None where it does not, or names but one."""
    asked = question.strip().rstrip("?.! ")
    match = next((found for frame in _FRAMES if (found := frame.fullmatch(asked))), None)
    if match is None:
        return None
    named = [*_COMMAS.split(match["a"]), match["b"]]
    if len(named) > SIDES_MAX:
        return None
    first, last = _WORD.findall(named[0]), _WORD.findall(named[-1])
    whole = [_with_noun_of(first, last), *(_with_start_of(_WORD.findall(one), first) for one in named[1:])]
    rest = match.groupdict().get("rest") or ""
    sides = tuple(" ".join([*_WORD.findall(rest), *words]) for words in whole)
    return Comparison(sides) if len(set(sides)) == len(sides) else None


def interleave(results: Sequence[Sequence[Passage]], top_k: int) -> tuple[Passage, ...]:
    """The best passages of each result in turn, so that no side is crowded out; each passage once."""
    found: dict[int, Passage] = {}
    for place in range(max(map(len, results), default=0)):
        for passages in results:
            if place < len(passages):
                found.setdefault(passages[place].id, passages[place])
    return tuple(found.values())[:top_k]


def _with_noun_of(words: list[str], last: Sequence[str]) -> list[str]:
    """«основной» beside «дополнительного отпуска» is «основной отпуска»."""
    if not all(_is(word, "ADJF") for word in words):
        return words
    noun = next((at for at, word in enumerate(last) if _is(word, "NOUN")), len(last))
    return [*words, *last[noun:]]


def _with_start_of(words: list[str], first: Sequence[str]) -> list[str]:
    """What the second side leaves out because the first has said it.

    «по России и за границу», «основной отпуск и дополнительный», «отпуск директора и бухгалтера».
    """
    opening = words[0]
    nouns = [at for at, word in enumerate(first) if _is(word, "NOUN")]
    if _is(opening, "PREP"):
        before = [at for at, word in enumerate(first) if _is(word, "PREP")]
        before = [at for at in before if first[at].lower() == opening.lower()] or before
        return [*first[: before[-1]], *words] if before else words
    if _is(opening, "ADJF") and (len(words) == 1 or not _is(words[1], "NOUN", "ADJF")):
        return [opening, *(first[nouns[0] : nouns[0] + 1] if nouns else ()), *words[1:]]
    is_bare = len(nouns) > 1 and sum(_is(word, "NOUN") for word in words) == 1
    if is_bare and _is_genitive(opening) and _is_genitive(first[nouns[-1]]) and not _is_genitive(first[nouns[0]]):
        return [*first[: nouns[-1]], *words]
    return words


def _is(word: str, *parts: str) -> bool:
    return forms(word)[0].part in parts


def _is_genitive(word: str) -> bool:
    return any((form.part, form.case) == ("NOUN", "gent") for form in forms(word))
