"""All sources that were asked for, and the search over their passages."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import InvalidRequest
from core.settings import Settings
from core.types import Passage
from evaluation.pairs import read_pairs
from ingest.limits import Limits
from retrieval.store.database import Database
from training.authored import Source, knowledge_base, our_texts, xquad
from training.collection import Located, locate, material_of_passage, read_collection
from training.mining import mined
from training.ranking import Ranking
from training.selfinstruct import Author, instructed

OWN_LICENCE = "документы организации"
UNGROUNDED = "вопрос учителя: ответа нет в отрывке слово в слово"

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sources a data set is made of; `author` writes questions on the collection's passages."""

    collection: str = ""
    pairs: Path | None = None
    xquad: Path | None = None
    knowledge_base: Path | None = None
    has_our_texts: bool = True
    is_mined: bool = True
    author: Author | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """Sources, and the search that says what stands beside each passage; `close` it in the end."""

    sources: tuple[Source, ...]
    ranking: Ranking

    def finder(self, on_progress: OnProgress) -> Callable[[str], Sequence[str]]:
        """The ids found for a question; tells how many of the sources' questions were searched for."""
        total = sum(len(material.questions) or 1 for source in self.sources for material in source.materials)
        asked = itertools.count(1)

        def found(question: str) -> Sequence[str]:
            on_progress("соседние отрывки", min(next(asked), total), total)
            return self.ranking.ids(question)

        return found

    def close(self) -> None:
        """Close the search's base."""
        self.ranking.close()


def gather(wanted: Wanted, settings: Settings, on_progress: OnProgress) -> Gathered:
    """Read all sources and embed their passages. Raises `InvalidRequest` when there is nothing to read."""
    shown = _collection(wanted, settings)
    others = tuple(_published(wanted))
    bare = [material_of_passage(passage) for passage in shown]
    everything = [*bare, *(material for source in others for material in source.materials)]
    if not everything:
        detail = "Не из чего собирать данные: укажите --collection, --xquad, --kb или оставьте встроенные наборы."
        raise InvalidRequest("no_sources", detail)
    ranking = Ranking.over(everything, settings, lambda done, total: on_progress("отрывки", done, total))
    if not shown:
        return Gathered(others, ranking)
    pairs = read_pairs(wanted.pairs, Limits.of(settings)) if wanted.pairs else ()
    own = _own(wanted, locate(pairs, shown, ranking.ids), on_progress)
    return Gathered((own, *others), ranking)


def _published(wanted: Wanted) -> Iterator[Source]:
    if wanted.has_our_texts:
        yield from our_texts()
    if wanted.xquad:
        yield xquad(wanted.xquad)
    if wanted.knowledge_base:
        yield knowledge_base(wanted.knowledge_base)


def _collection(wanted: Wanted, settings: Settings) -> Sequence[Passage]:
    if not wanted.collection:
        if wanted.pairs:
            detail = "Вопросам из файла нужны документы: укажите коллекцию, где лежат ответы, --collection ИМЯ."
            raise InvalidRequest("no_collection", detail)
        return ()
    database = Database(settings.sql_url, busy_timeout_s=settings.database_busy_timeout_s)
    try:
        database.migrate()
        shown = read_collection(database, wanted.collection)
    finally:
        database.close()
    if not shown:
        detail = (
            f"В коллекции «{wanted.collection}» нет прочитанных документов. Загрузите: znayka ingest ПАПКА "
            f"--collection {wanted.collection}"
        )
        raise InvalidRequest("empty_collection", detail)
    return shown


def _own(wanted: Wanted, located: Located, on_progress: OnProgress) -> Source:
    """The collection as one source: its pairs, mined questions and those that the teacher writes."""
    materials, dropped = located.materials, Counter(located.dropped)
    if wanted.is_mined:
        materials = [replace(m, questions=(*m.questions, *mined(m))) for m in materials]
    if wanted.author:
        grown = []
        for done, (material, lost) in enumerate(instructed(materials, wanted.author), start=1):
            grown.append(material)
            dropped[UNGROUNDED] += lost
            on_progress("вопросы учителя", done, len(materials))
        materials = grown
    return Source(f"Коллекция «{wanted.collection}»", OWN_LICENCE, tuple(materials), dropped)
