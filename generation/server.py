"""The model process: one llama.cpp model behind OpenAI's protocol. `python -m generation.server` starts it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from core.errors import InvalidRequest, Misconfigured, NotFound, ServiceError, TooLarge, TryLater
from core.logs import log_to_stderr
from core.settings import load_settings
from generation.generation import Generation
from generation.metrics import Metrics
from generation.model_file import WrongModelFile
from generation.protocol import (
    ChatRequest,
    CompletionRequest,
    Reply,
    SamplingRequest,
    TokenizeRequest,
    error_body,
    logprobs_of,
)
from generation.sampling import Sampling
from generation.served import Loader, Served, load_chosen
from generation.slot import Job, Slot
from generation.tokens import Content, Piece, encode

log = logging.getLogger(__name__)
SHUTDOWN_S = 3
STATUS_OF: Mapping[type[ServiceError], tuple[int, str]] = {
    InvalidRequest: (400, "invalid_request_error"),
    TooLarge: (413, "invalid_request_error"),
    NotFound: (404, "invalid_request_error"),
    ServiceError: (503, "server_error"),
}

router = APIRouter()


class Answering:
    """One request on its way: queued, then spoken; told to the client whole or piece by piece."""

    def __init__(self, app: FastAPI, served: Served, prompt: list[int], sampling: Sampling) -> None:
        """Queue it. Raises `InvalidRequest` for a prompt too long, `TryLater` when the queue is full."""
        served.engine.check_fits(prompt)
        self._slot: Slot = app.state.slot
        self._metrics: Metrics = app.state.metrics
        self._engine = served.engine
        self._prompt = prompt
        self._sampling = sampling
        self._generation: Generation | None = None
        self._job: Job = self._slot.submit(self._generate)

    @property
    def generation(self) -> Generation:
        """What the model did; there once the first text, or the end, has come."""
        assert self._generation is not None  # noqa: S101 - narrows a type
        return self._generation

    def _generate(self, is_cancelled: Callable[[], bool]) -> Iterator[str]:
        self._generation = self._engine.generate(self._prompt, self._sampling, is_cancelled)
        try:
            yield from self._generation
        finally:
            self._metrics.count(self._generation.timings)

    def cancel(self) -> None:
        """Free the slot, or the place in the queue."""
        self._slot.cancel(self._job)

    async def texts(self, *, is_trimmed: bool) -> AsyncIterator[str]:
        """The answer's text; trimmed of the space that templates leave before it."""
        async for text in self._job:
            said = text.lstrip() if is_trimmed else text
            if said:
                is_trimmed = False
                yield said


class AnsweringResponse(StreamingResponse):
    """A stream that gives the slot back however it ends, even before its first byte."""

    def __init__(self, answering: Answering, events: AsyncIterator[str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        self._answering = answering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send, and cancel what is left when the client is gone."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._answering.cancel()


@router.post("/v1/chat/completions")
async def chat(request: Request, body: ChatRequest) -> Response:
    """Continue a conversation."""
    served: Served = request.app.state.loader.served
    messages = body.conversation(served.model.system_prompt)
    # An adapter is taught to answer from documents and nothing else: talk is the model's own.
    sampling = replace(body.sampling(served.model.sampling, served.format.stop), is_taught=False)
    return await _answer(request, body, served.format.prompt(messages), sampling, is_chat=True)


@router.post("/v1/completions")
async def complete(request: Request, body: CompletionRequest) -> Response:
    """Continue a text."""
    served: Served = request.app.state.loader.served
    sampling = replace(body.sampling(served.model.sampling), alternatives=body.logprobs)
    if body.guided_grammar is not None:
        constraint = await run_in_threadpool(served.grammars.following, body.guided_grammar)
        sampling = replace(sampling, constraint=constraint)
    return await _answer(request, body, [Content(body.prompt)], sampling, is_chat=False)


@router.post("/tokenize")
async def tokenize(request: Request, body: TokenizeRequest) -> dict[str, int]:
    """Count the tokens that a text takes in a prompt."""
    return {"count": await run_in_threadpool(request.app.state.loader.served.engine.count, body.content)}


@router.post("/forget")
async def forget(request: Request) -> dict[str, str]:
    """Drop what was read for earlier prompts: a document in them was erased."""
    served: Served = request.app.state.loader.served
    async for _ in request.app.state.slot.submit(lambda _is_cancelled: served.engine.forget()):
        pass
    return {"status": "forgotten"}


@router.get("/v1/models")
async def models(request: Request) -> dict[str, Any]:
    """The one model served, with what a prompt's author must know about it."""
    served: Served = request.app.state.loader.served
    entry = {
        "id": served.model.name,
        "object": "model",
        "created": 0,
        "owned_by": "znayka",
        "title": served.model.title,
        "answers": served.model.answers,
        "context_tokens": served.engine.context_tokens,
    }
    return {"object": "list", "data": [entry]}


@router.get("/live")
async def live() -> dict[str, str]:
    """The process runs, whatever became of the model."""
    return {"status": "live"}


@router.get("/ready")
async def ready(request: Request) -> dict[str, str]:
    """The model is loaded and answers."""
    return {"status": "ready", "model": request.app.state.loader.served.model.name}


@router.get("/metrics")
async def metrics(request: Request) -> PlainTextResponse:
    """Counters for Prometheus."""
    slot: Slot = request.app.state.slot
    return PlainTextResponse(request.app.state.metrics.text(waiting=slot.waiting, is_busy=slot.is_busy))


async def _answer(
    request: Request, body: SamplingRequest, pieces: list[Piece], sampling: Sampling, *, is_chat: bool
) -> Response:
    served: Served = request.app.state.loader.served
    prompt = await run_in_threadpool(encode, pieces, served.engine.vocabulary)
    if body.json_schema is not None:
        constraint = await run_in_threadpool(served.grammars.constraint, body.json_schema)
        sampling = replace(sampling, constraint=constraint)
    answering = Answering(request.app, served, prompt, sampling)
    reply = Reply(served.model.name, is_chat=is_chat)
    if body.stream:
        has_usage = body.stream_options is not None and body.stream_options.include_usage
        return AnsweringResponse(answering, _events(answering, reply, has_usage=has_usage))
    async with _cancelled_with(request, answering):
        text = "".join([text async for text in answering.texts(is_trimmed=is_chat)])
    generation = answering.generation
    told = None
    if sampling.alternatives is not None:
        told = logprobs_of(generation.choices, served.engine.vocabulary.piece)
    return JSONResponse(reply.whole(text, generation.timings, told))


async def _events(answering: Answering, reply: Reply, *, has_usage: bool) -> AsyncIterator[str]:
    if reply.is_chat:
        yield _sse(reply.opening())
    try:
        async for text in answering.texts(is_trimmed=reply.is_chat):
            yield _sse(reply.piece(text))
    except ServiceError as exc:
        yield _sse(error_body(exc, _status(exc)[1]))
        return
    yield _sse(reply.closing(answering.generation.timings))
    if has_usage:
        yield _sse(reply.usage(answering.generation.timings))
    yield "data: [DONE]\n\n"


def _sse(event: dict[str, Any]) -> str:
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n"


@asynccontextmanager
async def _cancelled_with(request: Request, answering: Answering) -> AsyncIterator[None]:
    """Cancel the answer as soon as the client hangs up, or when the block is left early."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        answering.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
        answering.cancel()


def _status(error: ServiceError) -> tuple[int, str]:
    return next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)


async def _tell_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)  # noqa: S101 - narrows a type
    status, kind = _status(error)
    body = error_body(error, kind)
    if isinstance(error, WrongModelFile):
        body["error"] |= {"path": str(error.path), "expected_sha256": error.expected_sha256}
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TryLater) else {}
    return JSONResponse(body, status, headers)


async def _tell_bad_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - narrows a type
    wrong = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors()[:5])
    return await _tell_error(request, InvalidRequest("bad_request", f"Запрос неверен: {wrong}."))


def create_app(load_model: Callable[[], Served], *, queue_max: int) -> FastAPI:
    """The application; it loads in the background and is alive meanwhile."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="llama")
        app.state.slot = Slot(executor, queue_max=queue_max)
        app.state.metrics = Metrics()
        app.state.loader = Loader(load_model)
        loading = asyncio.create_task(app.state.loader.run(executor))
        yield
        loading.cancel()
        app.state.slot.close()
        executor.shutdown(wait=True, cancel_futures=True)
        app.state.loader.close()

    app = FastAPI(title="znayka-llm", lifespan=lifespan, openapi_url=None)
    app.include_router(router)
    app.add_exception_handler(ServiceError, _tell_error)
    app.add_exception_handler(RequestValidationError, _tell_bad_request)
    return app


def main() -> None:
    """Serve the chosen model until stopped."""
    log_to_stderr()
    try:
        settings = load_settings()
    except Misconfigured as exc:
        log.critical("%s", exc.detail)
        raise SystemExit(1) from exc
    logging.getLogger().setLevel(settings.log_level.upper())
    uvicorn.run(
        create_app(lambda: load_chosen(settings), queue_max=settings.queue_max),
        host=settings.llm_host,
        port=settings.llm_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


if __name__ == "__main__":
    main()
