"""A measurement of the built-in sets: their bases, and their questions asked one after another."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from core.settings import Settings
from core.types import Principal
from evaluation.asking import Examiner, stored_pages
from evaluation.base import Base, key_of, open_base
from evaluation.cases import GROUP_TITLES, CaseSet, Plan, sampled
from evaluation.examination import examine, examine_pairs
from evaluation.origin import origin_of
from evaluation.pairs import Pair
from evaluation.report import Report, Scored, make_report
from evaluation.sets import load_set
from generation.chain import Answerer
from generation.language_model import LanguageModel
from generation.model_choice import server_of
from generation.writer import make_writer
from retrieval.embedding.encoder import Encoder
from retrieval.reranking import Reranker
from retrieval.searcher import Searcher
from retrieval.store.database import Database
from retrieval.vector_index import VectorIndex

ASKER = Principal("evaluation")

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Session:
    """The settings' encoder, reranker and model server, which must be up; `on_progress` hears stage, done, total."""

    settings: Settings
    encoder: Encoder
    reranker: Reranker | None
    on_progress: OnProgress

    async def measure(self, plan: Plan, data: Path) -> Report:
        """Ask the built-in sets of the plan; `data` is the folder with `xquad` and `kb`."""
        origin = origin_of(self.settings, server_of(self.settings), self.encoder)
        scored: list[Scored] = []
        for name in plan.sets:
            asked = sampled(load_set(name, data, self.settings), plan)
            scored += await self._measure_set(asked) if asked.cases else ()
        return make_report(origin, plan, scored)

    async def measure_pairs(self, pairs: tuple[Pair, ...], collection: str | None, seed: int) -> Report:
        """Ask a user's pairs of the settings' own base."""
        origin = origin_of(self.settings, server_of(self.settings), self.encoder)
        database = Database(self.settings.sql_url, busy_timeout_s=self.settings.database_busy_timeout_s)
        database.migrate()
        base = Base(database, VectorIndex(self.settings.data_dir / "index"))
        model = LanguageModel(server_of(self.settings))
        try:
            with ThreadPoolExecutor(1) as executor:
                examiner = self._examiner(base, model, executor, collection)
                return await examine_pairs(pairs, examiner, origin, self._told("Ваши вопросы"), seed=seed)
        finally:
            await model.aclose()
            base.close()

    async def _measure_set(self, asked: CaseSet) -> tuple[Scored, ...]:
        folder = self.settings.cache_dir / "evaluation" / f"{asked.name}-{key_of(asked.sources, self.encoder)}"
        base = open_base(folder, asked.sources, self.encoder, self._told(f"{asked.name}: база"))
        model = LanguageModel(server_of(self.settings))
        scored: list[Scored] = []
        try:
            with ThreadPoolExecutor(1) as executor:
                examiner = self._examiner(base, model, executor, None)
                for group in dict.fromkeys(case.group for case in asked.cases):
                    cases = [case for case in asked.cases if case.group is group]
                    scored += await examine(cases, examiner, self._told(GROUP_TITLES[group]))
        finally:
            await model.aclose()
            base.close()
        return tuple(scored)

    def _examiner(self, base: Base, model: LanguageModel, executor: Executor, collection: str | None) -> Examiner:
        searcher: Searcher = base.searcher(
            self.encoder, dense_weight=self.settings.dense_weight, reranker=self.reranker
        )
        answerer = Answerer(searcher.search, make_writer(model, self.encoder, executor), executor)
        return Examiner(
            ask=answerer.answer,
            search=searcher.search,
            pages=stored_pages(base.database, ASKER),
            asker=ASKER,
            collection=collection,
            top_k=self.settings.top_k,
        )

    def _told(self, stage: str) -> Callable[[int, int], None]:
        return lambda done, total: self.on_progress(stage, done, total)
