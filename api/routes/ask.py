"""Questions about documents, answered whole or as server-sent events."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.sse import format_sse_event
from pydantic import BaseModel

from api.answers import AnswerOut, QueuedOut, SourcesOut, TokenOut
from api.dependencies import Parts, PartsDep, PrincipalDep, WitnessDep
from api.problems import problem_of
from api.questions import QuestionEvent, answer_events, checked, whole_answer
from api.streams import TurnStream
from api.turns import Place, Turn
from api.wire import AskIn, FeedbackIn, InterpretationOut, PassageOut
from core.errors import ServiceError
from core.types import Principal
from generation.chain import AnswerRequest
from generation.events import Sources, Token
from retrieval.store import feedback
from retrieval.store.audit import Action
from retrieval.store.feedback import Opinion

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1", tags=["questions"])

BUG = ServiceError(
    "internal_error", "Внутренняя ошибка сервиса. Повторите вопрос; если не поможет, сообщите администратору."
)
EVENTS = "`stream: true` answers events: queued, sources, token, done, error; see the REST contract."


@router.post(
    "/ask",
    response_model=AnswerOut,
    responses={200: {"description": EVENTS, "content": {"text/event-stream": {}}}},
)
async def ask(asked: AskIn, request: Request, found: PartsDep, witness: WitnessDep) -> AnswerOut | Response:
    """Answer from the documents this caller may read, naming the pages relied on."""
    wanted = _request(asked, found, witness.principal)
    witness.note_question(Action.ASKED, wanted.question, asked.collection or "", collection=asked.collection)
    turn = found.turns.enter(witness.principal.name)
    if asked.stream:
        return TurnStream(_event_stream(found, wanted, turn), found.turns, turn)
    return AnswerOut.of((await whole_answer(found, wanted, turn, request)).answer)


@router.post("/feedback", status_code=HTTPStatus.NO_CONTENT)
def give_feedback(opinion: FeedbackIn, found: PartsDep, principal: PrincipalDep) -> Response:
    """Keep what a person thinks of an answer."""
    kept = Opinion(opinion.verdict, opinion.question, opinion.answer, opinion.comment, tuple(opinion.document_ids))
    with found.database.write() as conn:
        feedback.add(conn, kept, principal, now=found.wall_clock())
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _request(asked: AskIn, found: Parts, principal: Principal) -> AnswerRequest:
    return AnswerRequest(
        question=checked(asked.question, found.settings),
        principal=principal,
        collection=asked.collection,
        history=tuple(turn.turn() for turn in asked.history),
        top_k=asked.top_k or found.settings.top_k,
        exact=asked.exact,
    )


async def _event_stream(found: Parts, asked: AnswerRequest, turn: Turn) -> AsyncIterator[bytes]:
    try:
        async with aclosing(answer_events(found, asked, turn)) as events:
            async for event in events:
                name, body = _named(event)
                yield _sse(name, body)
    except ServiceError as exc:
        yield _sse("error", problem_of(exc))
    except Exception:
        # The status line is long gone: the stream itself has to say that no `done` will come.
        log.exception("an answer broke off")
        yield _sse("error", problem_of(BUG))


def _named(event: QuestionEvent) -> tuple[str, BaseModel]:
    if isinstance(event, Place):
        return "queued", QueuedOut(position=event.position, eta_s=event.eta_s)
    if isinstance(event, Sources):
        shown = [PassageOut.of(p) for p in event.passages]
        return "sources", SourcesOut(passages=shown, interpretation=InterpretationOut.of(event.interpretation))
    if isinstance(event, Token):
        return "token", TokenOut(text=event.text)
    return "done", AnswerOut.of(event.answer)


def _sse(name: str, body: BaseModel) -> bytes:
    data = json.dumps(body.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))
    return format_sse_event(event=name, data_str=data)
