"""From a question on the wire to events of its answer, whichever protocol asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from fastapi import Request

from api.departure import unless_gone
from api.dependencies import Parts
from api.turns import Place, Turn
from core.errors import InvalidRequest, TryLater
from core.settings import Settings
from generation.chain import AnswerRequest
from generation.events import AnswerEvent, Done, Sources
from retrieval.store import documents

LOOKS_MAX = 5
RETRY_AFTER_S = 60
QuestionEvent = Place | AnswerEvent


def checked(question: str, settings: Settings) -> str:
    """Return the question without outer white space; raise `InvalidRequest` when it is empty or too long."""
    text = question.replace("\x00", "").strip()
    if not text:
        raise InvalidRequest("empty_question", "Вопрос пуст. Напишите, что вы хотите узнать.")
    if len(text) > settings.question_max_chars:
        raise InvalidRequest(
            "question_too_long",
            f"В вопросе {len(text)} знаков, а можно не больше {settings.question_max_chars}. Сократите его.",
        )
    return text


async def answer_events(found: Parts, asked: AnswerRequest, turn: Turn) -> AsyncGenerator[QuestionEvent]:
    """Search at once, wait for the turn, then answer; closing this gives the turn back and stops the model.

    The search does not wait for the model: what was found is told while the question is still queued. When a document
    of it went meanwhile, what there is now is searched for and told instead.
    """
    async with turn:
        sources = await _sources(found, asked)
        yield sources
        async for place in turn:
            yield place
        if turn.was_queued and not await _is_there(found, asked, sources):
            sources = await _sources(found, asked)
            yield sources
        async with aclosing(found.answerer.generate(asked, sources)) as events:
            async for event in events:
                if isinstance(event, Done):
                    found.metrics.count(event)
                yield event


async def whole_answer(found: Parts, asked: AnswerRequest, turn: Turn, request: Request) -> Done:
    """Return the finished answer; a caller who leaves meanwhile stops the model."""
    async with aclosing(answer_events(found, asked, turn)) as events:
        return await unless_gone(request, _last(events))


async def _sources(found: Parts, asked: AnswerRequest) -> Sources:
    """Search until what was found stands: a comparison looks several times, and is not to mix two editions.

    Raises `TryLater` when documents are replaced faster than that.
    """
    for _ in range(LOOKS_MAX):
        sources = await found.answerer.search(asked)
        found.metrics.search_s.observe(sources.search_ms / 1000)
        if await _is_there(found, asked, sources):
            return sources
    detail = "Документы, в которых нашёлся ответ, сейчас заменяют. Повторите вопрос через минуту."
    raise TryLater("documents_changing", detail, retry_after_s=RETRY_AFTER_S)


async def _is_there(found: Parts, asked: AnswerRequest, sources: Sources) -> bool:
    """Say whether nothing of what was found has been deleted, replaced or closed to the caller since."""
    ids = frozenset(passage.document_id for passage in sources.passages)

    def look() -> bool:
        with found.database.read() as conn:
            return documents.are_all_there(conn, ids, asked.principal)

    return await asyncio.get_running_loop().run_in_executor(found.search_pool, look)


async def _last(events: AsyncIterator[QuestionEvent]) -> Done:
    async for event in events:
        if isinstance(event, Done):
            return event
    raise AssertionError("an answer ends with Done")
