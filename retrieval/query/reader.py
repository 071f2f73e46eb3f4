"""Reads a query: what to search for, what to tell the user, and which passages a reference in it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from core.types import Interpretation, Reach
from retrieval.query.letters import transliterated
from retrieval.query.places import is_in_heading, places
from retrieval.query.reference import references, without_references
from retrieval.query.repair import repair
from retrieval.query.vocabulary import Vocabulary
from retrieval.stems import stem_text
from retrieval.store.words import Place


@dataclass(frozen=True, slots=True)
class Reading:
    """A query as understood. `text` is searched for; `original` too where the repair is a guess, else it is empty."""

    text: str
    interpretation: Interpretation
    original: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything to search for, the likeliest first."""
        return (self.text, self.original) if self.original else (self.text,)


class QueryReader:
    """Understands queries by the words of the base. Safe to use from several threads."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def read(self, query: str, allowed: Reach, *, exact: bool = False) -> Reading:
        """Mend a query by the words of the documents within reach; `exact` takes it as it stands."""
        if exact:
            return Reading(query, Interpretation(query))
        found = repair(query, self._vocabulary.view(allowed))
        if found.text == query:
            return Reading(query, Interpretation(query))
        # A word of a document that came this moment is not yet known: then the repair is a guess.
        is_certain = found.is_certain and self._vocabulary.is_current()
        notice = _notice(found.text, is_visible=found.is_visible, is_certain=is_certain)
        return Reading(found.text, Interpretation(found.text, notice), "" if is_certain else query)


def _notice(text: str, *, is_visible: bool, is_certain: bool) -> str:
    if not is_visible:
        return f"Латинские буквы, похожие на русские, прочитаны как русские: «{text}»."
    return f"Показаны результаты {'' if is_certain else 'и '}для «{text}»."


def referred(conn: Connection, query: str, allowed: Reach) -> dict[int, float]:
    """Return the passages that references in `query` name, each with a strength; empty when it names none.

    Where a passage is the place itself, those that only mention it are left out. The words around a reference choose
    among documents that have the same place.
    """
    asked = references(query)
    around = stem_text(without_references(query))
    return {
        place.id: strength + is_in_heading(asked, place) / 2 + _share(around, place)
        for place, strength in places(conn, asked, allowed).items()
    }


def lift(best: Mapping[int, float], named: Mapping[int, float], top_k: int) -> dict[int, float]:
    """Put named passages above all others, the surest first, among equals in the order that the search gave them."""
    ceiling, floor = max(best.values(), default=0.0), min(best.values(), default=0.0)
    spread = (ceiling - floor) or 1.0
    raised = {id_: ceiling + strength + (best.get(id_, floor) - floor) / spread for id_, strength in named.items()}
    ranked = sorted({**best, **raised}.items(), key=lambda item: -item[1])
    return dict(ranked[:top_k])


def _share(around: Sequence[str], place: Place) -> float:
    """How much of the words around the reference names the document, its section or stands in the passage; 0..4."""
    if not around:
        return 0.0
    title = set(stem_text(f"{place.document.replace('_', ' ')} {place.section}"))
    title |= {transliterated(stem) for stem in title}
    in_title = sum(stem in title or transliterated(stem) in title for stem in around)
    in_text = len(set(around) & set(stem_text(place.text)))
    return (3 * in_title + in_text) / len(around)
