"""What a request carries: bounded in size and in time while it arrives, whoever sends it and with what header."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem_response
from core.errors import ServiceError, TooLarge, TooSlow

KIB = 1024


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How large a body may be, and how slow: it may be waited for `timeout_s` and a second for each `bytes_per_s`."""

    max_bytes: int
    timeout_s: float
    bytes_per_s: int


class Bodies:
    """ASGI middleware: gives the application a whole body or answers in its place, 413 or 408.

    Paths in `streamed` take files: they read the body as it comes, within limits of their own for its size, and meet
    `TooSlow` from `receive`.
    """

    def __init__(
        self, app: ASGIApp, limits: BodyLimits, streamed: Collection[str], clock: Callable[[], float] | None = None
    ) -> None:
        """`clock` counts seconds, as the event loop's own does."""
        self._app = app
        self._limits = limits
        self._streamed = frozenset(streamed)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on once it is whole, or while it arrives in time."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        timely = _Timely(receive, self._limits, self._clock or asyncio.get_running_loop().time)
        if scope["path"] in self._streamed:
            await self._app(scope, timely, send)
            return
        try:
            whole = await self._whole(scope, timely)
        except ServiceError as exc:
            await problem_response(exc, path=scope["path"])(scope, receive, send)
        else:
            await self._app(scope, _Again(whole, receive), send)

    async def _whole(self, scope: Scope, receive: Receive) -> Message:
        """Return the body as one message, or the sender's departure; raise `TooLarge` as soon as it is."""
        told = Headers(scope=scope).get("content-length", "0")
        self._require_fits(int(told) if told.isdecimal() else 0)
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return message
            body += message.get("body", b"")
            self._require_fits(len(body))
            if not message.get("more_body", False):
                return {"type": "http.request", "body": bytes(body), "more_body": False}

    def _require_fits(self, size_bytes: int) -> None:
        if size_bytes > self._limits.max_bytes:
            limit = max(1, self._limits.max_bytes // KIB)
            raise TooLarge("too_large", f"Запрос больше {limit} КБ. Сократите его; файлы загружают в /v1/documents.")


class _Timely:
    """`receive` that raises `TooSlow` when the sender is; time that the service itself takes does not count."""

    def __init__(self, receive: Receive, limits: BodyLimits, clock: Callable[[], float]) -> None:
        self._receive = receive
        self._limits = limits
        self._clock = clock
        self._left_s = limits.timeout_s
        self._is_whole = False

    async def __call__(self) -> Message:
        if self._is_whole:  # what is awaited now is the sender's departure
            return await self._receive()
        began_s = self._clock()
        try:
            async with asyncio.timeout(self._left_s):
                message = await self._receive()
        except TimeoutError:
            raise TooSlow(
                "too_slow", "Запрос приходит слишком медленно, приём прерван. Проверьте связь и повторите."
            ) from None
        earned_s = len(message.get("body", b"")) / self._limits.bytes_per_s
        self._left_s += earned_s - (self._clock() - began_s)
        self._is_whole = not message.get("more_body", False)
        return message


class _Again:
    """`receive` that gives a message read before, then goes on with what comes."""

    def __init__(self, message: Message, receive: Receive) -> None:
        self._message: Message | None = message
        self._receive = receive

    async def __call__(self) -> Message:
        message, self._message = self._message, None
        return await self._receive() if message is None else message
