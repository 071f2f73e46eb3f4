"""Which passages are the place that references name: «ч. 2 ст. 131», «приложение 5 к приказу № 1112»."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection

from core.types import Reach
from retrieval.query.reference import Kind, Reference, holds
from retrieval.store import words
from retrieval.store.words import Place

READ_MAX = 2000  # passages with a reference's number that are looked at
_SURE = 2  # from here the passage is the place; below it only mentions it
_OF_PAPER = 1.5  # of a passage in whose document another names the paper: more than a mention, less than the name


def places(conn: Connection, asked: Sequence[Reference], allowed: Reach) -> dict[Place, float]:
    """Return the passages that are the place, or mention it where none is, with how surely: the sum over references.

    Where no passage holds all the numbers, the place is one that holds some: «приказ № 1112» stands on the first page,
    its appendix 5 on the last.
    """
    numbered = [reference for reference in asked if reference.terms]
    every = words.holding(conn, _terms(numbered), allowed, limit=READ_MAX)
    every += words.holding(conn, _terms(one.sounded for one in numbered), allowed, limit=READ_MAX)
    found = _surest(asked, words.places(conn, list(dict.fromkeys(every)), allowed))
    if len(numbered) < 2 or max(found.values(), default=0) >= _SURE * len(numbered):
        return found
    every = [id_ for one in numbered for id_ in words.holding(conn, one.terms, allowed, limit=READ_MAX)]
    return _surest(asked, words.places(conn, list(dict.fromkeys(every)), allowed))


def is_in_heading(asked: Sequence[Reference], place: Place) -> bool:
    """Whether the place's heading or its document's name says what was asked for."""
    return any(_held(reference, place) > _SURE for reference in asked)


def _terms(asked: Iterable[Reference]) -> Iterator[str]:
    return (term for reference in asked for term in reference.terms)


def _surest(asked: Sequence[Reference], found: Sequence[Place]) -> dict[Place, float]:
    held = {place: [_held(reference, place) for reference in asked] for place in found}
    papers = [_documents(held, at) if reference.kind is Kind.NUMBER else set() for at, reference in enumerate(asked)]
    weighed = {
        place: sum(
            _weight(strength, place.document in paper) for strength, paper in zip(strengths, papers, strict=True)
        )
        for place, strengths in held.items()
    }
    surest = max(weighed.values(), default=0)
    return {place: weight for place, weight in weighed.items() if weight == surest > 0}


def _documents(held: Mapping[Place, Sequence[int]], at: int) -> set[str]:
    return {place.document for place, strengths in held.items() if strengths[at] >= _SURE}


def _weight(strength: int, is_of_paper: bool) -> float:
    return min(strength, _SURE) or (_OF_PAPER if is_of_paper else 0)


def _held(reference: Reference, place: Place) -> int:
    return max(
        holds(one, section=place.section, text=place.text, document=place.document)
        for one in dict.fromkeys((reference, reference.sounded))
    )
