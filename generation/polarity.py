"""Whether two sentences deny the same things: «можно» against «нельзя», «не более» against «не менее»."""

from __future__ import annotations

import re
from collections.abc import Iterator

from retrieval.stems import stem_text

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*|[,;:.!?()—–]")
# «Не только», «не менее» and the like say nothing negative.
_HARMLESS = re.compile(
    r"\b(?:не\s+только|не\s+столько|не\s+считая|не\s+исключено|не\s+что\s+иное|тем\s+не\s+менее|едва\s+ли\s+не|чуть\s+не"
    r"|not\s+only|no\s+later|no\s+more|no\s+less|not\s+less|not\s+more|not\s+later"
    r"|не\s+(?:менее|меньше|ранее|раньше|ниже|реже|более|больше|позднее|позже|свыше|выше|чаще|дольше|дальше|старше|моложе)"
    r"|не\s+мог\w*\s+не|нельзя\s+не)\b",
    re.IGNORECASE,
)
_AT_LEAST = re.compile(
    r"\b(?:не\s+(?:менее|меньше|ранее|раньше|ниже|реже)|минимум|как\s+минимум|at\s+least|not?\s+less)\b", re.IGNORECASE
)
_AT_MOST = re.compile(
    r"\b(?:не\s+(?:более|больше|позднее|позже|свыше|выше|чаще|дольше)|максимум|at\s+most|up\s+to|not?\s+(?:more|later))\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"не|ни|нет|нельзя|невозможно|без|кроме|исключая|запре\w+|воспре\w+|лиш[её]н\w*|утрачива\w+|отсутств\w+|никогда|никто|ничто"
    r"|ничего|никак\w*|not|no|never|without|except|cannot|prohibited|forbidden",
    re.IGNORECASE,
)
_REACH = 2  # content words after a denial that it denies


def contradicts(claim: str, source: str) -> bool:
    """Whether one of the two denies what the other says.

    A word denied in the one and said plainly in the other is a contradiction, and so is a denial of the claim's where
    the source has none at all, or an upper bound against a lower one.
    """
    if _bounds(claim) and _bounds(source) and not _bounds(claim) & _bounds(source):
        return True
    denied, said = _denied(claim), _stems(claim)
    denied_there, said_there = _denied(source), _stems(source)
    if denied and not denied_there:
        return True
    plainly, plainly_there = said - denied, said_there - denied_there
    return bool(denied & plainly_there or denied_there & plainly)


def denies(text: str) -> bool:
    """Whether anything is denied, in Russian or English."""
    return any(_DENIAL.fullmatch(word) for word in _WORD.findall(_HARMLESS.sub(" ", text)))


def _bounds(text: str) -> frozenset[str]:
    found = (("least", _AT_LEAST.search(text)), ("most", _AT_MOST.search(text)))
    return frozenset(name for name, match in found if match)


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem_text(text))


def _denied(text: str) -> frozenset[str]:
    """Stems of the content words that a denial reaches: the next two, up to a comma; those before a bare «нет»."""
    return frozenset(_denials(_WORD.findall(_HARMLESS.sub(" ", text))))


def _denials(words: list[str]) -> Iterator[str]:
    for at, word in enumerate(words):
        if not _DENIAL.fullmatch(word):
            continue
        reached = 0
        for following in words[at + 1 :]:
            if not following[0].isalnum() or reached == _REACH:
                break
            if stems := stem_text(following):
                yield from stems
                reached += 1
        if not reached:
            yield from (stem for before in words[max(0, at - _REACH) : at] for stem in stem_text(before))
