"""From a question to an answer with citations: search, prompt, model, check."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Protocol

from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda

from core.types import Answer, Interpretation, Passage, Principal, Timings
from generation.comparison import comparison, interleave
from generation.draft import Draft
from generation.escalation import needs_person
from generation.events import AnswerEvent, Done, Sources, Token
from generation.follow_up import FollowUps
from generation.request import AnswerRequest
from generation.statements import Statement, Written

ESCALATE_BELOW = 0.5  # the setting's default: more probably wrong than right

__all__ = ["AnswerRequest", "Answerer", "Found", "Search", "Writer"]


class Found(Protocol):
    """What a search gives, as far as an answer needs it."""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """Best first."""

    @property
    def interpretation(self) -> Interpretation:
        """The query as it was understood."""


class Search(Protocol):
    """`Searcher.search`: blocking, safe to call from several threads."""

    def __call__(
        self, query: str, *, principal: Principal, collection: str | None, top_k: int, exact: bool = False
    ) -> Found:
        """Find passages that `principal` may read; `exact` searches for the words as typed."""


class Writer(Protocol):
    """Makes statements of passages with a model's help."""

    @property
    def model(self) -> str:
        """Name of the model, for the answer."""

    def write(
        self, request: AnswerRequest, passages: tuple[Passage, ...], heard: Callable[[], None]
    ) -> AsyncGenerator[Written]:
        """Give checked statements and what was held back, as they come; call `heard` at each token.

        No statement means that the passages hold no answer.
        """


class Answerer:
    """Answers questions from documents. Searching and generating are two steps, so that only the latter need queue."""

    def __init__(
        self,
        search: Search,
        writer: Writer,
        executor: Executor,
        *,
        clock: Callable[[], float] = time.perf_counter,
        escalate_below: float = ESCALATE_BELOW,
        follow_ups: FollowUps | None = None,
    ) -> None:
        """`executor` runs the blocking search; `clock` counts seconds.

        Answers of a confidence under `escalate_below`, 0..1, are marked for a person to look at.
        Without `follow_ups` the rules alone make questions whole.
        """
        self._search = search
        self._writer = writer
        self._executor = executor
        self._clock = clock
        self._escalate_below = escalate_below
        self._follow_ups = follow_ups or FollowUps()

    async def search(self, request: AnswerRequest) -> Sources:
        """Find the passages that the answer may rest on."""
        asked_s = self._clock()
        question = request.question
        if not request.exact:
            question = await self._follow_ups.whole(question, request.history)
        found = await self._found(question, request)
        understood = found.interpretation
        passages = await self._both_sides(tuple(found.passages), understood.searched, request)
        search_ms = (self._clock() - asked_s) * 1000
        if question != request.question:
            understood = replace(understood, notice=f"Вопрос понят так: «{understood.searched}»")
        return Sources(passages, search_ms, asked_s, understood)

    async def _both_sides(
        self, passages: tuple[Passage, ...], question: str, request: AnswerRequest
    ) -> tuple[Passage, ...]:
        """What a comparison finds for each of its sides and as a whole, in turn: else one side crowds out the other."""
        compared = comparison(question)
        if compared is None:
            return passages
        sides = await asyncio.gather(*(self._found(side, request) for side in compared.sides))
        return interleave([*(side.passages for side in sides), passages], request.top_k)

    async def _found(self, query: str, request: AnswerRequest) -> Found:
        call = partial(
            self._search,
            query,
            principal=request.principal,
            collection=request.collection,
            top_k=request.top_k,
            exact=request.exact,
        )
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    async def generate(self, request: AnswerRequest, sources: Sources) -> AsyncGenerator[Token | Done]:
        """Answer from `sources`. Closing this iterator breaks off the model at once.

        Raises what `LanguageModel` raises when the model is down, at the first step or in the middle.
        """
        # What was searched for is also what is answered: a model can make nothing of «jngecr».
        request = replace(request, question=sources.interpretation.searched)
        watch = _Watch(self._clock, sources.asked_s)
        draft = Draft(sources)
        if sources.passages:
            async with aclosing(self._writer.write(request, sources.passages, watch.heard)) as told:
                async for written in told:
                    draft.take(written)
                    if isinstance(written, Statement):
                        yield Token(written.text)
        if draft.refusal:
            yield Token(draft.refusal)
        timings = Timings(sources.search_ms, watch.first_token_ms, watch.elapsed_ms())
        answer = draft.answer(self._writer.model, timings)
        is_open = needs_person(request.question, answer, below=self._escalate_below)
        yield Done(replace(answer, escalate=is_open), draft.retries)

    async def stream(self, request: AnswerRequest) -> AsyncGenerator[AnswerEvent]:
        """Search, then generate: one `Sources`, `Token`s, one `Done`."""
        sources = await self.search(request)
        yield sources
        async with aclosing(self.generate(request, sources)) as events:
            async for event in events:
                yield event

    async def answer(self, request: AnswerRequest) -> Answer:
        """The whole answer at once."""
        async with aclosing(self.stream(request)) as events:
            answers = [event.answer async for event in events if isinstance(event, Done)]
        return answers[0]

    def as_runnable(self) -> Runnable[AnswerRequest, AnswerEvent]:
        """The same as a LangChain runnable: `astream` gives the events, `ainvoke` ends with `Done`."""

        async def prepare(request: AnswerRequest) -> tuple[AnswerRequest, Sources]:
            return request, await self.search(request)

        async def complete(found: AsyncIterator[tuple[AnswerRequest, Sources]]) -> AsyncGenerator[AnswerEvent]:
            async for request, sources in found:
                yield sources
                async with aclosing(self.generate(request, sources)) as events:
                    async for event in events:
                        yield event

        return RunnableLambda(prepare) | RunnableGenerator(complete)


class _Watch:
    """Milliseconds since the question came."""

    def __init__(self, clock: Callable[[], float], asked_s: float) -> None:
        self._clock = clock
        self._asked_s = asked_s
        self.first_token_ms: float | None = None

    def elapsed_ms(self) -> float:
        return (self._clock() - self._asked_s) * 1000

    def heard(self) -> None:
        if self.first_token_ms is None:
            self.first_token_ms = self.elapsed_ms()
