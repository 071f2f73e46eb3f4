"""The last step of an answer: whether another document says otherwise, and the Russian sentence that tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing

from core.types import Citation, Conflict, Passage
from generation.chain import Writer
from generation.citations import Quote, marked_numbers, shorten, without_marks
from generation.contradiction import Contradiction, Contrast, Told
from generation.nearness import EncoderNearness
from generation.request import AnswerRequest
from generation.statements import Contradicted, Statement, Written
from retrieval.embedding.encoder import Encoder

_WORDS_MAX = 120  # of a document that a sentence of ours repeats


class ContrastingWriter:
    """Writes what its writer does, then holds it against the passages of other documents."""

    def __init__(self, writer: Writer, encoder: Encoder, executor: Executor) -> None:
        """`executor` runs the comparison, which asks the encoder about the few sentences that come near."""
        self._writer = writer
        self._encoder = encoder
        self._executor = executor

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._writer.model

    async def write(
        self, request: AnswerRequest, passages: tuple[Passage, ...], heard: Callable[[], None]
    ) -> AsyncGenerator[Written]:
        """Give all that the writer gives, and after its last statement what contradicts them."""
        statements: list[Statement] = []
        async with aclosing(self._writer.write(request, passages, heard)) as told:
            async for written in told:
                statements += [written] if isinstance(written, Statement) else []
                yield written
        if statements:
            loop = asyncio.get_running_loop()
            for conflict in await loop.run_in_executor(
                self._executor, self._conflicts, request.question, passages, statements
            ):
                yield Contradicted(conflict)

    def _conflicts(
        self, question: str, passages: Sequence[Passage], statements: Sequence[Statement]
    ) -> tuple[Conflict, ...]:
        cited = {citation.n: citation for statement in statements for citation in statement.citations}
        told = [
            Told(without_marks(statement.text), cited[n])
            for statement in statements
            for n in marked_numbers(statement.text)
            if n in cited
        ]
        contrast = Contrast(question, passages, EncoderNearness(self._encoder))
        first = max(cited, default=0) + 1
        return tuple(_conflict(found, n) for n, found in enumerate(contrast.contradictions(told), start=first))


def _conflict(found: Contradiction, n: int) -> Conflict:
    quote = _quoted(found)
    passage = quote.passage
    citation = Citation(n, passage.document_id, passage.document, passage.page, passage.section, quote.text)
    return Conflict(found.kind, found.said, found.found, _notice(found, citation), citation)


def _quoted(found: Contradiction) -> Quote:
    return shorten(found.quote, found.quote.passage.text.index(found.found, found.quote.start))


def _notice(found: Contradiction, citation: Citation) -> str:
    """«В другом документе сказано иначе: …», where it stands, and what to do."""
    where = f"{citation.document}, стр.\N{NO-BREAK SPACE}{citation.page}" if citation.page else citation.document
    if found.kind == "void":
        return f"В другом документе сказано, что «{found.said}» больше не действует: {where}."
    if found.kind == "negation":
        said = f"В другом документе сказано обратное: «{_short(found.found)}»"
    else:
        said = f"В другом документе сказано иначе: «{_short(found.found)}», а не «{_short(found.said)}»"
    return f"{said} ({where}). Проверьте, какой документ действует."


def _short(words: str) -> str:
    line = " ".join(words.split()).rstrip(".")
    return line if len(line) <= _WORDS_MAX else f"{line[: _WORDS_MAX - 1].rstrip()}…"
