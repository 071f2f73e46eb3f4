"""Passages of one's own documents as materials, and questions of one's own found in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from core.types import Passage, Principal
from evaluation.pairs import Pair
from generation.prompt import title
from generation.span_prompt import places_in
from retrieval.store import passages
from retrieval.store.database import Database
from training.material import Material, Question

NOT_FOUND = "ответа нет в документе слово в слово"
UNKNOWN = "документ не найден"

Found = Callable[[str], Sequence[str]]  # a question's materials, best first


def read_collection(database: Database, collection: str) -> list[Passage]:
    """All passages of a collection in the order they were stored."""
    reader = Principal("training", frozenset({collection}))
    with database.read() as conn:
        stored = passages.passage_ids(conn).tolist()
        return sorted(passages.show(conn, dict.fromkeys(stored, 0.0), reader), key=lambda passage: passage.id)


def material_of_passage(passage: Passage) -> Material:
    """A passage under the title that the service shows it under."""
    return Material(f"passage {passage.id}", passage.document, title(passage), passage.text, ())


@dataclass(frozen=True, slots=True)
class Located:
    """Materials with the questions found in them, and how many pairs were left out, by why."""

    materials: list[Material]
    dropped: Mapping[str, int]


def locate(pairs: Iterable[Pair], shown: Sequence[Passage], found: Found) -> Located:
    """Give each pair to the passage that holds its answer, word for word and in the document and page it names.

    A question without an answer goes to the passage that the search takes for the best.
    """
    materials = {f"passage {passage.id}": material_of_passage(passage) for passage in shown}
    by_id = {f"passage {passage.id}": passage for passage in shown}
    dropped: Counter[str] = Counter()
    for pair in pairs:
        ranked = [id_ for id_ in found(pair.question) if id_ in by_id]
        wanted = _within(pair, ranked, by_id)
        if not wanted:
            dropped[UNKNOWN] += 1
        elif not pair.answer:
            best = materials[wanted[0]]
            materials[best.id] = replace(best, unanswered=(*best.unanswered, pair.question))
        elif holder := next((id_ for id_ in wanted if places_in(by_id[id_].text, pair.answer)), None):
            materials[holder] = _asked(materials[holder], pair)
        else:
            dropped[NOT_FOUND] += 1
    return Located(list(materials.values()), dropped)


def _within(pair: Pair, ranked: Sequence[str], by_id: Mapping[str, Passage]) -> list[str]:
    """Passages that may hold the answer: those of the document named, else those that the search found, best first."""
    if not pair.document:
        return list(ranked)
    named = [id_ for id_, passage in by_id.items() if _is_named(pair, passage)]
    order = {id_: place for place, id_ in enumerate(ranked)}
    return sorted(named, key=lambda id_: order.get(id_, len(order)))


def _is_named(pair: Pair, passage: Passage) -> bool:
    return passage.document == pair.document and (pair.page is None or passage.page in (None, pair.page))


def _asked(material: Material, pair: Pair) -> Material:
    start, end = places_in(material.text, pair.answer)[0]
    question = Question(pair.question, (material.text[start:end],))
    return replace(material, questions=(*material.questions, question))
