"""Answers by a model that follows instructions: it writes, and each sentence is checked before anyone sees it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from typing import TypeVar

from langchain_core.messages import BaseMessage, HumanMessage

from core.types import Passage
from generation.citations import Numbering, marked_numbers, with_marks, without_marks
from generation.comparison import comparison
from generation.gate import Said, SentenceGate
from generation.language import is_russian
from generation.language_model import LanguageModel
from generation.nearness import EncoderNearness, Nearness
from generation.prompt import IN_RUSSIAN, Parts, Prompt, build, estimate_tokens, fit, with_sides
from generation.refusal import is_refusal
from generation.request import AnswerRequest
from generation.statements import Dropped, Reason, Retried, Statement, Written
from generation.support import Evidence
from retrieval.embedding.encoder import Encoder

_LIST_MARK = re.compile(r"\s*(?:\d{1,2}[.)]|[-*•–—])\s+")
_EMPHASIS = re.compile(r"\*\*|__|`")

T = TypeVar("T")


class ProseWriter:
    """Lets the model's sentences through when passages support them, with the numbers of those passages."""

    def __init__(self, model: LanguageModel, encoder: Encoder, executor: Executor) -> None:
        """`executor` runs the checks, which ask the encoder."""
        self._model = model
        self._encoder = encoder
        self._executor = executor

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._model.server.name

    async def write(
        self, request: AnswerRequest, passages: tuple[Passage, ...], heard: Callable[[], None]
    ) -> AsyncGenerator[Written]:
        """Give the supported sentences as the model completes them; its refusal ends the answer.

        A model that writes another language is broken off and asked once more for Russian. What it has said in Russian
        by then stands; a foreign sentence of the second try is dropped.
        """
        prompt = await self.prompt(request, passages)
        is_compared = comparison(request.question) is not None
        checker = await self._blocking(_Checker, prompt.passages, EncoderNearness(self._encoder))
        for messages in (prompt.messages, in_russian(prompt.messages)):
            is_foreign = False
            async with aclosing(self._checked(messages, checker, heard, is_compared=is_compared)) as told:
                async for written in told:
                    is_foreign = isinstance(written, Dropped) and written.reason is Reason.LANGUAGE
                    if is_foreign and messages is prompt.messages:
                        break
                    yield written
            if not is_foreign or messages is not prompt.messages:
                return
            yield Retried()

    async def _checked(
        self, messages: Sequence[BaseMessage], checker: _Checker, heard: Callable[[], None], *, is_compared: bool
    ) -> AsyncGenerator[Statement | Dropped]:
        """One try of the model's, sentence by sentence, to its end or its refusal.

        In a comparison it may know nothing of one side and still speak of the other.
        """
        gate = SentenceGate()
        async with aclosing(self._model.stream_chat(messages)) as pieces:
            async for piece in pieces:
                heard()
                for said in gate.feed(piece):
                    if is_refusal(said.text):
                        if is_compared:
                            continue
                        return
                    if written := await self._blocking(checker.check, said):
                        yield written
        for said in gate.finish():
            if not is_refusal(said.text) and (written := await self._blocking(checker.check, said)):
                yield written

    async def _blocking(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, *arguments)

    async def prompt(self, request: AnswerRequest, passages: tuple[Passage, ...]) -> Prompt:
        """The messages for the model, within its context."""
        server = self._model.server
        parts = Parts(with_sides(request.question), passages, request.history)
        texts = parts.texts()
        counts = await self._model.count_tokens(texts) or estimate_tokens(texts)
        return build(fit(parts, counts, server.context_tokens - server.answer_max_tokens))


def in_russian(messages: Sequence[BaseMessage]) -> tuple[BaseMessage, ...]:
    """The same conversation, its last question followed by the demand for Russian; the prefix stays what it was."""
    return (*messages[:-1], HumanMessage(f"{messages[-1].text}\n\n{IN_RUSSIAN}"))


class _Checker:
    """Checks the sentences of one answer and numbers their citations."""

    def __init__(self, passages: Sequence[Passage], nearness: Nearness) -> None:
        self._evidence = Evidence(passages, nearness)
        self._numbering = Numbering()
        self._said: set[str] = set()

    def check(self, said: Said) -> Statement | Dropped | None:
        """The sentence with the numbers of what supports it, or why it may not be said.

        None for what needs no word: a sentence said before, or «Вот условия:» without a claim of its own.
        """
        text = _EMPHASIS.sub("", without_marks(said.text)).strip()
        claim = _LIST_MARK.sub("", text, count=1)
        if claim in self._said:
            return None
        if not is_russian(claim):
            return Dropped(text, Reason.LANGUAGE)
        cited = marked_numbers(said.text)
        finding = self._evidence.check(claim, cited)
        if finding.reason:
            return None if claim.endswith(":") and not cited else Dropped(text, finding.reason)
        numbers, citations = self._numbering.cite(finding.quotes)
        separator = ("\n" if said.starts_line else " ") if self._said else ""
        self._said.add(claim)
        return Statement(separator + with_marks(text, numbers), citations, finding.confidence)
