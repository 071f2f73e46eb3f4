"""XQuAD's questions answered in process: with their paragraph in the collection, without it, and with others' only."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.settings import Settings
from core.types import Answer, Interpretation, Passage, Principal
from generation.chain import Answerer, AnswerRequest
from generation.language_model import LanguageModel
from generation.model_choice import server_of
from generation.writer import make_writer
from retrieval.embedding.encoder import Encoder, make_encoder

ME = Principal("benchmark")


@dataclass(frozen=True, slots=True)
class Question:
    """A question of XQuAD with the paragraph (its passage's id) and the article that hold its answer."""

    text: str
    answer: str
    passage_id: int
    article: str


@dataclass(frozen=True, slots=True)
class Found:
    passages: tuple[Passage, ...]
    interpretation: Interpretation


class ParagraphSearch:
    """Nearest paragraphs by the encoder, without those in `hidden`."""

    def __init__(self, passages: Sequence[Passage], encoder: Encoder) -> None:
        self._passages = passages
        self._encoder = encoder
        self._vectors = encoder.encode_passages([passage.text for passage in passages])
        self.hidden: frozenset[int] = frozenset()

    def __call__(self, query: str, *, principal: Principal, collection: str | None, top_k: int) -> Found:
        """Search; everybody may read everything here."""
        del principal, collection
        near = np.argsort(-(self._vectors @ self._encoder.encode_queries([query])[0]))
        shown = (self._passages[i] for i in near if self._passages[i].id not in self.hidden)
        return Found(tuple(passage for passage, _ in zip(shown, range(top_k), strict=False)), Interpretation(query))


async def measure_xquad(settings: Settings, root: Path, number: int, seed: int) -> dict[str, Any]:
    """Figures over `number` questions of the `dev` articles; the model server of the settings must be running."""
    passages, questions = load(root.parent / "shared" / "data" / "xquad")
    chosen = random.Random(seed).sample(questions, min(number, len(questions)))
    encoder = make_encoder(
        settings.embedding_model,
        backend=settings.embedding_backend,
        cache_dir=settings.cache_dir,
        threads=settings.embedding_threads,
    )
    search = ParagraphSearch(passages, encoder)
    model = LanguageModel(server_of(settings))
    answers: dict[str, list[Answer]] = {"answerable": [], "removed": [], "foreign": []}
    with ThreadPoolExecutor(1) as executor:
        answerer = Answerer(search, make_writer(model, encoder, executor), executor)
        for question in chosen:
            article = frozenset(passage.id for passage in passages if passage.document_id == question.article)
            for kind, hidden in (("answerable", ()), ("removed", {question.passage_id}), ("foreign", article)):
                search.hidden = frozenset(hidden)
                answers[kind].append(await answerer.answer(AnswerRequest(question.text, ME)))
    await model.aclose()
    return {"model": model.server.name, "encoder": encoder.name, "seed": seed, **_figures(chosen, answers)}


def load(folder: Path) -> tuple[list[Passage], list[Question]]:
    """All 240 paragraphs, and the questions of the `dev` articles."""
    dev = set(json.loads((folder / "split.json").read_text(encoding="utf-8"))["dev"])
    passages: list[Passage] = []
    questions: list[Question] = []
    for article in json.loads((folder / "xquad.ru.json").read_text(encoding="utf-8"))["data"]:
        title = article["title"]
        for paragraph in article["paragraphs"]:
            text, id_ = paragraph["context"], len(passages)
            passages.append(Passage(id_, title, title.replace("_", " "), None, None, text, 0, len(text)))
            if title in dev:
                questions += [Question(q["question"], q["answers"][0]["text"], id_, title) for q in paragraph["qas"]]
    return passages, questions


def _figures(questions: Sequence[Question], answers: dict[str, list[Answer]]) -> dict[str, float]:
    given = [(q, a) for q, a in zip(questions, answers["answerable"], strict=True) if not a.refused]
    passages = [{p.id: p for p in a.passages} for _, a in given]
    right = sum(
        any(q.passage_id in here and c.quote in here[q.passage_id].text for c in a.citations)
        for (q, a), here in zip(given, passages, strict=True)
    )
    first_ms = [a.timings.first_token_ms for a in answers["answerable"] if a.timings.first_token_ms is not None]
    return {
        "questions": len(questions),
        "answerable_refused": 1 - len(given) / len(questions),
        "removed_refused": sum(a.refused for a in answers["removed"]) / len(questions),
        "foreign_refused": sum(a.refused for a in answers["foreign"]) / len(questions),
        "right_paragraph_cited_of_answered": right / max(1, len(given)),
        "gold_span_in_answer_of_answered": sum(_holds(a.answer, q.answer) for q, a in given) / max(1, len(given)),
        "token_f1": sum(token_f1(a.answer, q.answer) for q, a in given) / len(questions),
        "first_token_ms_median": float(np.median(first_ms)) if first_ms else 0.0,
    }


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", re.sub(r"\[\d+\]", " ", text).lower())


def _holds(answer: str, gold: str) -> bool:
    return f" {' '.join(_words(gold))} " in f" {' '.join(_words(answer))} "


def token_f1(answer: str, gold: str) -> float:
    """SQuAD's token F1, without its English articles; quotations are sentences, so that short spans score low."""
    said, wanted = Counter(_words(answer)), Counter(_words(gold))
    common = (said & wanted).total()
    return 2 * common / (said.total() + wanted.total()) if common else 0.0
