"""Asks the cases, one after another, and checks each citation against the page it names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from core.errors import NotFound, TryLater
from core.types import Answer, Citation, Passage, Principal
from evaluation.cases import SEARCHED, Case
from generation.chain import Search
from generation.request import AnswerRequest
from retrieval.store import passages
from retrieval.store.database import Database

DEPTH = 100  # passages looked at where search alone is measured, so that ten documents are among them
_PARTS_MAX = 1000
_TRIES = 4

Ask = Callable[[AnswerRequest], Awaitable[Answer]]


class Pages(Protocol):
    """The stored text of pages."""

    def __call__(self, document_id: str, number: int) -> str | None:
        """Text of a page, or of the part with this number from 1; None when there is none."""


@dataclass(frozen=True, slots=True)
class Examiner:
    """What questions are asked with: `ask` is `Answerer.answer`, or the same behind a queue.

    `asker` sees what a case's scope allows it; `collection` and `top_k` are those of the requests.
    """

    ask: Ask
    search: Search
    pages: Pages
    asker: Principal
    collection: str | None = None
    top_k: int = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of a case. `verbatim` says of each citation whether its quote stands on its page."""

    case: Case
    passages: tuple[Passage, ...]
    answer: Answer | None = None
    verbatim: tuple[bool, ...] = ()


def stored_pages(database: Database, principal: Principal) -> Pages:
    """Pages as the principal may read them."""

    def page(document_id: str, number: int) -> str | None:
        with database.read() as conn:
            try:
                return passages.page(conn, document_id, number, principal).text
            except NotFound:
                return None

    return page


async def ask_all(cases: Sequence[Case], examiner: Examiner) -> AsyncGenerator[Asked]:
    """Ask in the order given. Raises what the model and the search raise: half a measurement is none."""
    for case in cases:
        yield await _ask(case, examiner)


async def _ask(case: Case, examiner: Examiner) -> Asked:
    asker = examiner.asker if case.scope is None else replace(examiner.asker, collections=case.scope)
    if case.group in SEARCHED:
        return Asked(case, await asyncio.to_thread(_found, case, asker, examiner))
    request = AnswerRequest(case.question, asker, examiner.collection, top_k=examiner.top_k)
    answer = await _patiently(examiner.ask, request)
    verbatim = await asyncio.to_thread(_verbatim, answer.citations, examiner.pages)
    return Asked(case, answer.passages, answer, verbatim)


async def _patiently(ask: Ask, request: AnswerRequest) -> Answer:
    """Ask again when the model is busy or starts anew: a long run must survive that."""
    for _ in range(_TRIES - 1):
        try:
            return await ask(request)
        except TryLater as exc:
            await asyncio.sleep(exc.retry_after_s)
    return await ask(request)


def _found(case: Case, asker: Principal, examiner: Examiner) -> tuple[Passage, ...]:
    return examiner.search(case.question, principal=asker, collection=examiner.collection, top_k=DEPTH).passages


def _verbatim(citations: Sequence[Citation], pages: Pages) -> tuple[bool, ...]:
    return tuple(bool(one.quote) and _stands(one, pages) for one in citations)


def _stands(citation: Citation, pages: Pages) -> bool:
    """Whether the quote is on its page; on any part of a document whose pages have no numbers."""
    if citation.page is not None:
        return citation.quote in (pages(citation.document_id, citation.page) or "")
    for part in range(1, _PARTS_MAX):
        text = pages(citation.document_id, part)
        if text is None or citation.quote in text:
            return text is not None
    return False
