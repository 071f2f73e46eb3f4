"""Answers by a model that only continues text: it hints, the answer is sentences of the documents, word for word."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from core.types import Passage
from generation.citations import Numbering, Quote, Statement, shorten
from generation.language_model import LanguageModel
from generation.prompt import retrieval_query, stable_order, title
from generation.request import AnswerRequest
from retrieval.embedding.encoder import Encoder
from retrieval.sentences import split_sentences
from retrieval.stems import stem_text

PASSAGES_READ = 4  # by the model: it reads 300 tokens a second
_MAX_TOKENS = 80
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

# Of a logistic regression on the sentences that hold the answers of XQuAD's `train` questions.
WEIGHTS = np.array([18.0, 2.0, 1.0, 1.0, 1.5, 0.7])
BIAS = -18.0
MIN_CONFIDENCE = 0.3  # of the best sentence: below, the service refuses
_SECOND = 0.6  # of the best one's confidence: a second sentence is quoted too, from there

_ASKS_NUMBER = re.compile(
    r"\b(?:когда|сколько|скольк\w+|как(?:ой|ого|ом) (?:год|век|числ|номер)\w*|как часто|дата)\b", re.I
)
_DIGITS = re.compile(r"\d+")
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
        question = retrieval_query(request.question, request.history)
        hint = ""
        prompt = completion_prompt(passages[:PASSAGES_READ], question)
        async with aclosing(self._model.stream_completion(prompt, max_tokens=_MAX_TOKENS, stop=_STOP)) as pieces:
            async for piece in pieces:
                heard()
                hint += piece
        loop = asyncio.get_running_loop()
        ranked = await loop.run_in_executor(self._executor, rank, question, passages, hint, self._encoder)
        numbering = Numbering()
        for position, candidate in enumerate(choose(ranked)):
            (number,), citations = numbering.cite([candidate.quote])
            introduction = "Также сказано" if position else "В документе сказано"
            text = " ".join(candidate.quote.text.split())
            yield Statement(f"{' ' if position else ''}{introduction}: «{text}» [{number}].", citations)


def completion_prompt(passages: Sequence[Passage], question: str) -> str:
    """Examples, the passages in a stable order, the question last: a base model goes on with answer and quotation."""
    listed = "\n\n".join(f"{title(passage)}\n{passage.text}" for passage in stable_order(passages))
    return f"{_EXAMPLES}{listed}\n\nВопрос: {question}\nОтвет:"


def choose(ranked: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The best sentence when it is probable enough, and the next one when it is nearly as probable."""
    if not ranked or ranked[0].confidence < MIN_CONFIDENCE:
        return ()
    enough = max(MIN_CONFIDENCE, _SECOND * ranked[0].confidence)
    return (ranked[0], *(candidate for candidate in ranked[1:2] if candidate.confidence >= enough))


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
    return tuple(Candidate(shorten(quotes[i], quotes[i].start), 1 / (1 + math.exp(-float(scores[i])))) for i in order)


def features(question: str, quotes: Sequence[Quote], hint: str, encoder: Encoder) -> np.ndarray:
    """Six numbers a sentence, (n, 6): nearness, words of the question in it, in its passage, rank, hint, a number."""
    similarity = encoder.encode_passages([quote.text for quote in quotes]) @ encoder.encode_queries([question])[0]
    asked, hinted = frozenset(stem_text(question)), frozenset(stem_text(hint))
    passages = list(dict.fromkeys(quote.passage for quote in quotes))
    around = {p.id: _share(asked, frozenset(stem_text(f"{title(p)} {p.text}"))) for p in passages}
    rows = []
    for quote, near in zip(quotes, similarity, strict=True):
        held = frozenset(stem_text(quote.text))
        rank_score = 1 / (1 + passages.index(quote.passage))
        number = float(_gives_number(question, quote.text))
        rows.append(
            (near, _share(asked, held), around[quote.passage.id], rank_score, _share(hinted - asked, held), number)
        )
    return np.array(rows, dtype=np.float64)


def _share(wanted: frozenset[str], held: frozenset[str]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 0.0


def _gives_number(question: str, sentence: str) -> bool:
    """Whether a number is asked for and the sentence has one that the question has not."""
    if not _ASKS_NUMBER.search(question):
        return False
    return bool(set(_DIGITS.findall(sentence)) - set(_DIGITS.findall(question)))
