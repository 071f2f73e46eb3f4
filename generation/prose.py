"""Answers by a model that follows instructions: it writes, and each sentence is checked before anyone sees it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from core.types import Passage
from generation.citations import Numbering, marked_numbers, with_marks, without_marks
from generation.gate import Said, SentenceGate
from generation.language_model import LanguageModel
from generation.prompt import Parts, Prompt, build, estimate_tokens, fit
from generation.refusal import is_refusal
from generation.request import AnswerRequest
from generation.statements import Statement
from generation.support import Evidence

_LIST_MARK = re.compile(r"\s*(?:\d{1,2}[.)]|[-*•–—])\s+")
_EMPHASIS = re.compile(r"\*\*|__|`")


class ProseWriter:
    """Lets the model's sentences through when a passage supports them, with the number of that passage."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._model.server.name

    async def write(
        self, request: AnswerRequest, passages: tuple[Passage, ...], heard: Callable[[], None]
    ) -> AsyncGenerator[Statement]:
        """Give the supported sentences as the model completes them; its refusal ends the answer."""
        prompt = await self.prompt(request, passages)
        checker = _Checker(Evidence(prompt.passages))
        gate = SentenceGate()
        async with aclosing(self._model.stream_chat(prompt.messages)) as pieces:
            async for piece in pieces:
                heard()
                for said in gate.feed(piece):
                    if is_refusal(said.text):
                        return
                    if statement := checker.check(said):
                        yield statement
        for said in gate.finish():
            if not is_refusal(said.text) and (statement := checker.check(said)):
                yield statement

    async def prompt(self, request: AnswerRequest, passages: tuple[Passage, ...]) -> Prompt:
        """The messages for the model, within its context."""
        server = self._model.server
        parts = Parts(request.question, passages, request.history)
        texts = parts.texts()
        counts = await self._model.count_tokens(texts) or estimate_tokens(texts)
        return build(fit(parts, counts, server.context_tokens - server.answer_max_tokens))


class _Checker:
    """Checks the sentences of one answer and numbers their citations."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._numbering = Numbering()
        self._has_spoken = False

    def check(self, said: Said) -> Statement | None:
        """The sentence with the numbers of what supports it; None when nothing does."""
        text = _EMPHASIS.sub("", without_marks(said.text)).strip()
        claim = _LIST_MARK.sub("", text, count=1)
        cited = [self._evidence.support(claim, n) for n in marked_numbers(said.text)]
        matches = [match for match in cited if match] or [match for match in [self._evidence.find(claim)] if match]
        if not matches:
            return None
        numbers, citations = self._numbering.cite([match.quote for match in matches])
        separator = ("\n" if said.starts_line else " ") if self._has_spoken else ""
        self._has_spoken = True
        return Statement(separator + with_marks(text, numbers), citations)
