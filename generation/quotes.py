"""Answers by a model that only continues text: it hints, the answer is sentences of the documents, word for word."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.types import Passage
from generation.checked_passage import place_of
from generation.citations import Numbering, Quote, shorten, without_marks
from generation.language_model import LanguageModel
from generation.marks import harmless, harmless_line
from generation.prompt import estimate_tokens, stable_order, title
from generation.request import AnswerRequest
from generation.statements import Statement
from retrieval.embedding.encoder import Encoder
from retrieval.sentences import split_sentences
from retrieval.stems import stem_text

PASSAGES_READ = 3  # by the model: it reads some 300 tokens a second on two cores
_MAX_TOKENS = 48
_STOP = ("»\n", "\n\n")
_EXAMPLES = """Отрывки:

Компания «Рассвет» основана в 1994 году в Казани. Она выпускает велосипеды и самокаты. В 2010 году завод переехал
в Елабугу.

Заявление на отпуск подают руководителю не позднее чем за 14 дней. Отпуск можно разделить на части.

Вопрос: За сколько дней до отпуска подают заявление?
Ответ: за 14 дней
Цитата: «Заявление на отпуск подают руководителю не позднее чем за 14 дней.»

Вопрос: Где находится завод после переезда?
Ответ: в Елабуге
Цитата: «В 2010 году завод переехал в Елабугу.»

Вопрос: Что выпускает компания «Рассвет»?
Ответ: велосипеды и самокаты
Цитата: «Она выпускает велосипеды и самокаты.»

---

Отрывки:

"""

# Of nearness, words, rank and hint: a logistic regression on sentences under XQuAD's `train` questions, each asked with
# its paragraph, without it, and of other articles only, with the embedded encoder. The hint only parts near equals.
WEIGHTS = np.array([29.2, 6.1, 2.9, 0.5])
BIAS = -32.0
MIN_CONFIDENCE = 0.06  # of the best sentence: below, the service refuses
_SECOND = 0.5  # of the best one's confidence: from there, a second sentence is quoted too
_SENTENCES = 2  # quoted at most
_PLACES = 3  # of one sentence, cited at most
_MIN_STEMS = 2  # a shorter line is a heading or a cell, not a statement


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may be the answer, and how probable that is, between 0 and 1."""

    quote: Quote
    confidence: float


class QuotesWriter:
    """Answers with the one or two sentences of the passages that most probably hold the answer."""

    def __init__(self, model: LanguageModel, encoder: Encoder, executor: Executor) -> None:
        """`executor` runs the encoder, beside the model."""
        self._model = model
        self._encoder = encoder
        self._executor = executor

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._model.server.name

    async def write(
        self, request: AnswerRequest, passages: tuple[Passage, ...], heard: Callable[[], None]
    ) -> AsyncGenerator[Statement]:
        """Give the quotations, the most probable first; none when none is probable enough."""
        question = request.question
        hint = ""
        prompt = completion_prompt(readable(passages, question, self._model.server.context_tokens), question)
        async with aclosing(self._model.stream_completion(prompt, max_tokens=_MAX_TOKENS, stop=_STOP)) as pieces:
            async for piece in pieces:
                heard()
                hint += piece
        loop = asyncio.get_running_loop()
        ranked = await loop.run_in_executor(self._executor, rank, question, passages, hint, self._encoder)
        numbering = Numbering()
        for position, candidates in enumerate(choose(ranked)):
            numbers, citations = numbering.cite([candidate.quote for candidate in candidates])
            introduction = " Также сказано" if position else "В документе сказано"
            marks = "".join(f"[{number}]" for number in numbers)
            yield Statement(
                f"{introduction}: «{shown(candidates[0].quote.text)}» {marks}.", citations, candidates[0].confidence
            )


def readable(passages: Sequence[Passage], question: str, context_tokens: int) -> Sequence[Passage]:
    """The best passages, as many as the model has the time and the context to read; one at least."""
    kept = passages[:PASSAGES_READ]
    while len(kept) > 1 and estimate_tokens([completion_prompt(kept, question)])[0] > context_tokens - _MAX_TOKENS:
        kept = kept[:-1]
    return kept


def shown(quote: str) -> str:
    """A quote for the answer's text: on one line, without the document's own «[3]», which are no citations of ours."""
    return " ".join(without_marks(quote).split())


def completion_prompt(passages: Sequence[Passage], question: str) -> str:
    """Examples, the passages in a stable order, the question last: a base model goes on with answer and quotation."""
    listed = "\n\n".join(f"{harmless_line(title(p))}\n{harmless(p.text)}" for p in stable_order(passages))
    return f"{_EXAMPLES}{listed}\n\nВопрос: {harmless(question)}\nОтвет:"


def choose(ranked: Sequence[Candidate]) -> tuple[tuple[Candidate, ...], ...]:
    """The best sentence when it is probable enough, and the next one when it is nearly as probable.

    Each comes with its other places: a document kept in two formats says the same words twice.
    """
    if not ranked or ranked[0].confidence < MIN_CONFIDENCE:
        return ()
    enough = max(MIN_CONFIDENCE, _SECOND * ranked[0].confidence)
    groups: dict[tuple[str, ...], list[Candidate]] = {}
    for candidate in ranked:
        groups.setdefault(tuple(stem_text(candidate.quote.text)), []).append(candidate)
    best = [group[:_PLACES] for group in groups.values()][:_SENTENCES]
    return tuple(tuple(group) for group in best if group[0].confidence >= enough)


def rank(question: str, passages: Sequence[Passage], hint: str, encoder: Encoder) -> tuple[Candidate, ...]:
    """Every sentence of `passages` (best passage first) with its confidence, the most probable first.

    `hint` is what the model said when asked for answer and quotation.
    """
    quotes = [
        Quote(passage, sentence.start, sentence.end)
        for passage in passages
        for sentence in split_sentences(passage.text)
        if len(stem_text(sentence.text)) >= _MIN_STEMS
    ]
    if not quotes:
        return ()
    scores = features(question, quotes, hint, encoder) @ WEIGHTS + BIAS
    order = np.argsort(-scores, kind="stable")
    asked = frozenset(stem_text(question))
    return tuple(
        Candidate(shorten(quotes[i], place_of(quotes[i], asked)), 1 / (1 + math.exp(-float(scores[i])))) for i in order
    )


def features(question: str, quotes: Sequence[Quote], hint: str, encoder: Encoder) -> NDArray[np.float64]:
    """Four numbers a sentence, (n, 4): nearness to the question, share of its words, rank of the passage, hint."""
    near = encoder.encode_passages([quote.text for quote in quotes]) @ encoder.encode_queries([question])[0]
    asked, hinted = frozenset(stem_text(question)), frozenset(stem_text(hint))
    held = [frozenset(stem_text(quote.text)) for quote in quotes]
    ranks = {passage_id: rank for rank, passage_id in enumerate(dict.fromkeys(quote.passage.id for quote in quotes))}
    return np.column_stack(
        [
            near,
            [_share(asked, stems) for stems in held],
            [1 / (1 + ranks[quote.passage.id]) for quote in quotes],
            [_share(hinted - asked, stems) for stems in held],
        ]
    )


def _share(wanted: frozenset[str], held: frozenset[str]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 0.0
