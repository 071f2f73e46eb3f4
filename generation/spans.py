"""Answers by the model that was taught to answer with words of the passages: it chooses, a measured scale judges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from statistics import fmean

from core.types import Passage
from generation.comparison import comparison
from generation.found_words import Found, as_shown, locate, state
from generation.language_model import Completion, LanguageModel
from generation.marks import harmless
from generation.prompt import estimate_tokens, stable_order, title
from generation.request import AnswerRequest
from generation.scales import Scales, Signals
from generation.several import Judge, Judged, compare, enumerate_found, wants_list
from generation.span_prompt import END, REFUSAL, answer_grammar, context_text, question_text, read_answer
from generation.statements import Statement
from retrieval.embedding.encoder import Encoder
from retrieval.stems import stem_text

PASSAGES_READ = 3  # at once
MAX_TOKENS = 64
ALTERNATIVES = 10

# Passages are read one by one, the best first: side by side they mislead a model so small. Below these probabilities
# the next one is read, and in the end the service refuses; a passage that search ranks lower must be surer.
MIN_ANSWERABLE = (0.5, 0.9, 0.9)


class SpansWriter:
    """Answers with the words of the passages that the model chooses, or not at all."""

    def __init__(self, model: LanguageModel, encoder: Encoder, executor: Executor, scales: Scales) -> None:
        """`executor` runs the encoder, beside the model; `scales` are those of the model's adapter."""
        self._model = model
        self._encoder = encoder
        self._executor = executor
        self._scales = scales

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._model.server.name

    async def write(
        self, request: AnswerRequest, passages: tuple[Passage, ...], heard: Callable[[], None]
    ) -> AsyncGenerator[Statement]:
        """Give one statement, several where the question compares or asks for a list, none when it would be wrong."""
        question = request.question

        async def judge(asked: str, passage: Passage) -> Judged:
            judged = await self.judge(asked, passage)
            heard()
            return judged

        if compared := comparison(question):
            statements = await compare(compared.sides, passages, judge)
        elif wants_list(question):
            statements = await enumerate_found(question, passages, judge)
        else:
            statements = await _one(question, passages, judge)
        for statement in statements:
            yield statement

    async def judge(self, question: str, passage: Passage) -> Judged:
        """What the model would say by one passage, and how sure its scales are of it."""
        found, signals = await self.propose(question, (passage,))
        return Judged(found, self._scales.answerable.probability(signals), self._scales.right.probability(signals))

    async def propose(self, question: str, passages: Sequence[Passage]) -> tuple[tuple[Found, ...], Signals]:
        """The words the model would answer with, whether or not they should be said, and what speaks for them."""
        shown = readable(passages, question, self._model.server.context_tokens)
        seen = tuple(as_shown(passage) for passage in shown)
        completion = await self._model.complete(
            context_text(seen) + question_text(harmless(question)),
            grammar=answer_grammar(seen),
            stop=END,
            max_tokens=MAX_TOKENS,
            alternatives=ALTERNATIVES,
        )
        found = locate(read_answer(completion.text), shown, question)
        call = asyncio.get_running_loop().run_in_executor
        return found, await call(self._executor, weigh, question, found, completion, self._encoder)


async def _one(question: str, passages: Sequence[Passage], judge: Judge) -> tuple[Statement, ...]:
    for passage, enough in zip(passages, MIN_ANSWERABLE, strict=False):
        judged = await judge(question, passage)
        if judged.found and judged.answerable >= enough:
            return (state(judged.found, judged.right),)
    return ()


def readable(passages: Sequence[Passage], question: str, context_tokens: int) -> tuple[Passage, ...]:
    """The best passages in a stable order, as many as the model has the time and the context to read; one at least."""
    kept = passages[:PASSAGES_READ]
    while len(kept) > 1 and _tokens(kept, question) > context_tokens - MAX_TOKENS:
        kept = kept[:-1]
    return stable_order(kept)


def weigh(question: str, found: Sequence[Found], completion: Completion, encoder: Encoder) -> Signals:
    """What speaks for the first and weightiest of the words found."""
    words = [
        p for t, p in zip(completion.tokens, completion.logprobs, strict=True) if t.strip() and t.strip() not in "[]"
    ]
    least_listed = min(completion.first.values(), default=0.0)
    answering = completion.first.get(" [", least_listed) - completion.first.get(REFUSAL, least_listed)
    if not found:
        return Signals(answering, fmean(words or [0.0]), min(words, default=0.0), 0.0, 0.0)
    sentence = found[0].sentence
    near = float(encoder.encode_passages([sentence.text])[0] @ encoder.encode_queries([question])[0])
    asked = frozenset(stem_text(question))
    held = frozenset(stem_text(f"{title(sentence.passage)} {sentence.text}"))
    shared = len(asked & held) / len(asked) if asked else 0.0
    return Signals(answering, fmean(words or [0.0]), min(words, default=0.0), near, shared)


def _tokens(passages: Sequence[Passage], question: str) -> int:
    return estimate_tokens([context_text(map(as_shown, passages)) + question_text(question)])[0]
