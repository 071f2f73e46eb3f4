"""The OpenAI protocol. Model `znayka` answers from documents; the catalogue's name is plain chat without them.

Fields of OpenAI's that do not concern us are ignored, because its clients add new ones with every release.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from itertools import pairwise
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from uuid_utils import uuid7

from api.answers import ConflictOut
from api.audit_log import Witness
from api.departure import unless_gone
from api.dependencies import Parts, PartsDep, PrincipalDep, WitnessDep
from api.problems import problem_of
from api.questions import answer_events, checked, whole_answer
from api.streams import TurnStream
from api.turns import Place, Turn
from api.wire import CitationOut, Collection
from core import types
from core.errors import InvalidRequest, NotFound, ServiceError
from core.types import Answer
from generation.chain import AnswerRequest
from generation.events import Done, Token
from generation.language_model import model_errors
from retrieval.store.audit import Action

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1", tags=["openai"])

FROM_DOCUMENTS = "znayka"
MESSAGES_MAX = 200
PASSED_ON = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "stream_options")


class TextPart(BaseModel):
    """A piece of a message; only text is understood."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """A message of the talk."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """Return the message's text, its parts joined."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class ChatIn(BaseModel):
    """A chat completion's request. `collection` is ours: where to look."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(FROM_DOCUMENTS, examples=[FROM_DOCUMENTS])
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MESSAGES_MAX)]
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    n: Literal[1] | None = None
    collection: Collection | None = None


@router.get("/models")
def models(found: PartsDep, _principal: PrincipalDep) -> dict[str, Any]:
    """List the two models: the one that answers from documents first."""
    names = (FROM_DOCUMENTS, found.language_model.server.name)
    return {"object": "list", "data": [{"id": n, "object": "model", "created": 0, "owned_by": "znayka"} for n in names]}


@router.post("/chat/completions")
async def complete(asked: ChatIn, request: Request, found: PartsDep, witness: WitnessDep) -> Response:
    """Continue a talk, from documents or without them, as OpenAI's clients expect it."""
    if asked.model == FROM_DOCUMENTS:
        return await _from_documents(asked, request, found, witness)
    if asked.model == found.language_model.server.name:
        return await _without_documents(asked, request, found, witness)
    known = f"{FROM_DOCUMENTS} и {found.language_model.server.name}"
    raise NotFound("model_not_found", f"Модели «{asked.model}» нет. Есть {known}.")


async def _from_documents(asked: ChatIn, request: Request, found: Parts, witness: Witness) -> Response:
    question, history = _talk(asked.messages)
    wanted = AnswerRequest(
        question=checked(question, found.settings),
        principal=witness.principal,
        collection=asked.collection,
        history=history,
        top_k=found.settings.top_k,
    )
    witness.note_question(Action.ASKED, wanted.question, asked.collection or "", collection=asked.collection)
    turn = found.turns.enter(witness.principal.name)
    if asked.stream:
        return TurnStream(_answer_chunks(found, wanted, turn), found.turns, turn)
    answer = (await whole_answer(found, wanted, turn, request)).answer
    content = answer.answer + _notices(answer)
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    counts = await found.language_model.count_tokens([question, content])
    body = _envelope("chat.completion", FROM_DOCUMENTS, [choice]) | _grounds(answer) | {"usage": _usage(counts)}
    return JSONResponse(body)


def _grounds(answer: Answer) -> dict[str, Any]:
    """What an answer rests on and what contradicts it: our fields beside OpenAI's."""
    return {
        "citations": [CitationOut.of(citation).model_dump() for citation in answer.citations],
        "conflicts": [ConflictOut.of(conflict).model_dump() for conflict in answer.conflicts],
    }


def _notices(answer: Answer) -> str:
    """What contradicts the answer, as text: these clients show nothing else."""
    return "".join(f"\n\n{conflict.notice}" for conflict in answer.conflicts)


def _talk(messages: Sequence[ChatMessage]) -> tuple[str, tuple[types.Turn, ...]]:
    """The last user message is the question, the pairs before it the history; instructions are not taken."""
    spoken = [message for message in messages if message.role in ("user", "assistant")]
    if not spoken or spoken[-1].role != "user":
        raise InvalidRequest("no_question", "Последнее сообщение должно быть вопросом пользователя (role: user).")
    pairs = pairwise(spoken)
    history = [types.Turn(q.text, a.text) for q, a in pairs if (q.role, a.role) == ("user", "assistant")]
    return spoken[-1].text, tuple(history)


async def _answer_chunks(found: Parts, asked: AnswerRequest, turn: Turn) -> AsyncIterator[bytes]:
    head = _envelope("chat.completion.chunk", FROM_DOCUMENTS, [])
    yield _chunk(head, {"role": "assistant", "content": ""})
    try:
        async with aclosing(answer_events(found, asked, turn)) as events:
            async for event in events:
                if isinstance(event, Place):
                    yield _queued(event)
                elif isinstance(event, Token):
                    yield _chunk(head, {"content": event.text})
                elif isinstance(event, Done):
                    if notices := _notices(event.answer):
                        yield _chunk(head, {"content": notices})
                    yield _chunk(head | _grounds(event.answer), {}, finish_reason="stop")
    except ServiceError as exc:
        yield _error(exc)
    except Exception:
        # The status line is long gone: the stream itself has to say that it broke off.
        log.exception("an answer broke off")
        yield _error(ServiceError("internal_error", "Внутренняя ошибка сервиса. Повторите вопрос."))
    yield b"data: [DONE]\n\n"


async def _without_documents(asked: ChatIn, request: Request, found: Parts, witness: Witness) -> Response:
    text = "".join(message.text for message in asked.messages)
    limit = found.settings.question_max_chars * 5
    if len(text) > limit:
        raise InvalidRequest("talk_too_long", f"В разговоре больше {limit} знаков. Начните новый или сократите вопрос.")
    body = {
        "model": asked.model,
        "messages": [{"role": message.role, "content": message.text} for message in asked.messages],
        "stream": asked.stream,
    } | {name: value for name in PASSED_ON if (value := getattr(asked, name)) is not None}
    witness.note_question(Action.TALKED, asked.messages[-1].text)
    turn = found.turns.enter(witness.principal.name)
    if asked.stream:
        return TurnStream(_passed_chunks(found, body, turn), found.turns, turn)

    async def whole() -> dict[str, Any]:
        async with turn:
            await turn.come()
            async with model_errors():
                create: Any = found.language_model.client.chat.completions.with_raw_response.create
                answer = await create(**body)
            reply: dict[str, Any] = answer.http_response.json()
            return reply

    return JSONResponse(await unless_gone(request, whole()))


async def _passed_chunks(found: Parts, body: dict[str, Any], turn: Turn) -> AsyncIterator[bytes]:
    try:
        async with turn:
            async for place in turn:
                yield _queued(place)
            # Bytes as they come: parsing each chunk only to write it again would cost the model's processor.
            create: Any = found.language_model.client.chat.completions.with_streaming_response.create
            async with model_errors(), create(**body) as answer:
                async for piece in answer.iter_bytes():
                    yield piece
    except ServiceError as exc:
        yield _error(exc)
        yield b"data: [DONE]\n\n"


def _queued(place: Place) -> bytes:
    """A comment, which OpenAI's clients skip and our page reads: place in the queue, expected wait in seconds."""
    return f": queued {place.position} {place.eta_s}\n\n".encode()


def _envelope(kind: str, model: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid7()}", "object": kind, "created": 0, "model": model, "choices": choices}


def _chunk(head: dict[str, Any], delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return f"data: {json.dumps(head | {'choices': [choice]}, ensure_ascii=False)}\n\n".encode()


def _error(error: ServiceError) -> bytes:
    problem = problem_of(error)
    body = {"error": {"message": problem.detail, "type": "server_error", "code": problem.code}}
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n".encode()


def _usage(counts: tuple[int, ...] | None) -> dict[str, int] | None:
    """Tokens of the question and of the answer's text; None where the model's server does not count."""
    if counts is None:
        return None
    return {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)}
