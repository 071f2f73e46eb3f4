"""From a question on the wire to events of its answer, whichever protocol asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from fastapi import Request

from api.departure import unless_gone
from api.dependencies import Parts
from api.turns import Place, Turn
from core.errors import InvalidRequest
from core.settings import Settings
from generation.chain import AnswerRequest
from generation.events import AnswerEvent, Done

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

    The search does not wait for the model: what was found is told while the question is still queued.
    """
    async with turn:
        sources = await found.answerer.search(asked)
        found.metrics.search_s.observe(sources.search_ms / 1000)
        yield sources
        async for place in turn:
            yield place
        async with aclosing(found.answerer.generate(asked, sources)) as events:
            async for event in events:
                if isinstance(event, Done):
                    found.metrics.count(event)
                yield event


async def whole_answer(found: Parts, asked: AnswerRequest, turn: Turn, request: Request) -> Done:
    """Return the finished answer; a caller who leaves meanwhile stops the model."""
    async with aclosing(answer_events(found, asked, turn)) as events:
        return await unless_gone(request, _last(events))


async def _last(events: AsyncIterator[QuestionEvent]) -> Done:
    async for event in events:
        if isinstance(event, Done):
            return event
    raise AssertionError("an answer ends with Done")
