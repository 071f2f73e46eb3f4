"""Facts of documents as JSON of the caller's schema, each value with the words it rests on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.errors import InvalidRequest, Misconfigured, TooLarge
from core.types import Citation, Passage, Principal, Timings
from generation.chain import Search
from generation.citations import Numbering
from generation.extraction_prompt import completion_prompt, fixed_text, messages, windows
from generation.fact_tree import Settled, Tree, completed, grounded, is_supported, merge, settle
from generation.field_questions import FieldPrompt, Question, answered, filled, questions
from generation.grounding import Ground
from generation.json_grammar import object_of
from generation.json_schema import Bounds, Schema, bounded
from generation.language_model import LanguageModel
from generation.span_prompt import END
from generation.spans import ALTERNATIVES, MAX_TOKENS, PASSAGES_READ
from generation.validity import Validity

STRING_MAX_CHARS = 300  # where the schema does not say: a fact, not a page
LIST_MAX_ITEMS = 20
QUERY_MAX_CHARS = 600


@dataclass(frozen=True, slots=True)
class ExtractionRequest:
    """What is wanted: `node` is a resolved schema of an object. From one document, or the best of a collection."""

    instruction: str
    node: Schema
    principal: Principal
    document_id: str | None = None
    collection: str | None = None
    top_k: int = 6


@dataclass(frozen=True, slots=True)
class ExtractionLimits:
    """Passages read of one document, tokens written for one window of them."""

    max_passages: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Read:
    """The passages that facts are drawn from, found in `search_ms`."""

    passages: tuple[Passage, ...]
    search_ms: float
    asked_s: float


@dataclass(frozen=True, slots=True)
class Extraction:
    """`data` is valid by the schema, or None when nothing was found. `fields`: JSON pointer to number of a citation.

    `unsupported` are pointers to values that the schema demands and no passage says.
    """

    data: Any
    citations: tuple[Citation, ...]
    fields: dict[str, int]
    unsupported: tuple[str, ...]
    model: str
    timings: Timings

    @property
    def refused(self) -> bool:
        """Whether nothing that was asked for stands in the passages."""
        return self.data is None


ReadDocument = Callable[[str, Principal], tuple[Passage, ...]]


@dataclass(frozen=True, slots=True)
class Sources:
    """The two ways to passages, both blocking: by a search, or all of one document in order."""

    search: Search
    read_document: ReadDocument


class Extractor:
    """Draws facts from documents. Reading and drawing are two steps, so that only the latter needs the model."""

    def __init__(
        self,
        sources: Sources,
        model: LanguageModel,
        limits: ExtractionLimits,
        executor: Executor,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`executor` runs the blocking reading; `clock` counts seconds."""
        self._sources = sources
        self._model = model
        self._limits = limits
        self._executor = executor
        self._clock = clock
        self._is_valid = Validity()

    async def read(self, request: ExtractionRequest) -> Read:
        """The passages to draw from. Raises `NotFound`, or `TooLarge` for a document of too many passages."""
        asked_s = self._clock()
        call = partial(self._passages, request)
        passages = await asyncio.get_running_loop().run_in_executor(self._executor, call)
        return Read(passages, (self._clock() - asked_s) * 1000, asked_s)

    def _passages(self, request: ExtractionRequest) -> tuple[Passage, ...]:
        if request.document_id is None:
            found = self._sources.search(
                search_query(request), principal=request.principal, collection=request.collection, top_k=request.top_k
            )
            return tuple(found.passages)
        passages = self._sources.read_document(request.document_id, request.principal)
        if len(passages) > self._limits.max_passages:
            raise TooLarge(
                "document_too_long",
                f"В документе {len(passages)} отрывков, а прочитать можно не больше {self._limits.max_passages}. "
                "Разделите документ или укажите collection: тогда читаются лучшие отрывки.",
            )
        return passages

    async def extract(self, request: ExtractionRequest, read: Read) -> Extraction:
        """Draw the facts. Cancelling this breaks off the model.

        Raises what `LanguageModel` raises, and `InvalidRequest` when the JSON does not fit the tokens allowed.
        """
        watch = _Watch(self._clock, read.asked_s)
        draw = self._by_questions if self._model.server.answers != "prose" else self._by_json
        tree = await draw(request, read.passages, watch.heard) if read.passages else None
        settled = settle(tree) if tree and is_supported(tree) else Settled()
        if not self._is_valid(settled.value, request.node):
            settled = Settled()
        return self._told(settled, Timings(read.search_ms, watch.first_token_ms, watch.elapsed_ms()))

    def _told(self, settled: Settled, timings: Timings) -> Extraction:
        numbering = Numbering()
        fields: dict[str, int] = {}
        citations: list[Citation] = []
        for pointer, quote in settled.quotes.items():
            numbers, new = numbering.cite([quote])
            fields[pointer] = numbers[0]
            citations += new
        unsupported = tuple(settled.unsupported)
        return Extraction(settled.value, tuple(citations), fields, unsupported, self._model.server.name, timings)

    async def _by_json(
        self, request: ExtractionRequest, passages: Sequence[Passage], heard: Callable[[], None]
    ) -> Tree | None:
        """Ask for the whole JSON, window by window of the context."""

        tree: Tree | None = None
        room = self._model.server.context_tokens - self._limits.max_tokens
        for window in windows(passages, fixed_text(request.instruction, request.node), room):
            pieces = self._model.stream_json(
                messages(request.instruction, request.node, window),
                schema=_writable(request.node),
                max_tokens=self._limits.max_tokens,
            )
            found = grounded(await self._written(pieces, request.node, heard), request.node, "", Ground(window))
            tree = merge(tree, found) if tree else found
        return tree

    async def _by_questions(
        self, request: ExtractionRequest, passages: Sequence[Passage], heard: Callable[[], None]
    ) -> Tree | None:
        """Ask for one field after the other; then for what the schema demands beside them."""
        answers: dict[tuple[str, ...], Tree] = {}
        for start in range(0, len(passages), PASSAGES_READ):
            window = passages[start : start + PASSAGES_READ]
            prompt = FieldPrompt(window, is_taught=self._model.server.answers == "spans")
            open_questions = (q for q in questions(request.node) if q.is_list or q.path not in answers)
            for question in open_questions:
                if (tree := await self._ask(prompt, question, heard)) is not None:
                    answers[question.path] = merge(answers[question.path], tree) if question.path in answers else tree
        tree = filled(request.node, answers)
        if not is_supported(tree) or self._is_valid(settle(tree).value, request.node):
            return tree
        return completed(tree, await self._guess(request, passages, heard))

    async def _ask(self, prompt: FieldPrompt, question: Question, heard: Callable[[], None]) -> Tree | None:
        said = await self._model.complete(
            prompt.text(question),
            grammar=prompt.grammar,
            stop=END,
            max_tokens=MAX_TOKENS,
            alternatives=ALTERNATIVES,
        )
        heard()
        return answered(question, prompt.found(said, question), self._is_valid)

    async def _guess(self, request: ExtractionRequest, passages: Sequence[Passage], heard: Callable[[], None]) -> Tree:
        """Valid values for fields that may not be empty: they rest on nothing and will be reported so."""
        pieces = self._model.stream_completion(
            completion_prompt(request.instruction, passages[:PASSAGES_READ]),
            max_tokens=self._limits.max_tokens,
            stop=(),
            schema=_writable(request.node),
        )
        return grounded(await self._written(pieces, request.node, heard), request.node, "", Ground(()))

    async def _written(self, pieces: AsyncGenerator[str], node: Schema, heard: Callable[[], None]) -> Any:
        """The JSON value that the model writes."""
        text = ""
        async with aclosing(pieces):
            async for piece in pieces:
                heard()
                text += piece
        value = object_of(text)
        if value is None:
            raise InvalidRequest(
                "extraction_too_long",
                f"Ответ не поместился в {self._limits.max_tokens} токенов. Упростите схему, ограничьте длину строк и "
                "списков (maxLength, maxItems) или увеличьте ZNAYKA_EXTRACT_MAX_TOKENS.",
            )
        if not self._is_valid(value, node):
            raise Misconfigured(
                "schema_ignored",
                "Сервер модели не держит ответ в схеме JSON. Нужен сервер, который знает response_format json_schema.",
            )
        return value


def search_query(request: ExtractionRequest) -> str:
    """What to search a collection for: the instruction and what the fields are called."""
    names = " ".join(question.text for question in questions(request.node))
    return f"{request.instruction} {names}"[:QUERY_MAX_CHARS]


def _writable(node: Schema) -> dict[str, Any]:
    """The schema as the model is held to it, with an end to every string and list."""
    return bounded(node, Bounds(STRING_MAX_CHARS, LIST_MAX_ITEMS))


class _Watch:
    """Milliseconds since the request came."""

    def __init__(self, clock: Callable[[], float], asked_s: float) -> None:
        self._clock = clock
        self._asked_s = asked_s
        self.first_token_ms: float | None = None

    def elapsed_ms(self) -> float:
        return (self._clock() - self._asked_s) * 1000

    def heard(self) -> None:
        if self.first_token_ms is None:
            self.first_token_ms = self.elapsed_ms()
