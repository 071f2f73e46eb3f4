"""Connections: how many there may be, and when one that keeps the service waiting is cut.

uvicorn bounds neither the time of a header nor that of a client which does not read, so both are done here.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, ClassVar

from h11 import SEND_BODY
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.problems import MEDIA_TYPE, problem_of, problem_response
from core.errors import TooSlow, TryLater

LOOK_S = 1.0
RETRY_AFTER_S = 5
CROWDED = TryLater(
    "too_many_connections", "Сервис занят: слишком много соединений. Повторите позже.", retry_after_s=RETRY_AFTER_S
)
SLOW_HEADER = TooSlow("too_slow", "Заголовок запроса приходит слишком медленно. Проверьте связь и повторите.")


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections, how long a header may take, and how long a client may leave its answer unread."""

    connections_max: int
    header_timeout_s: float
    send_timeout_s: float


class GuardedProtocol(H11Protocol):
    """uvicorn's own protocol for HTTP/1.1 with an eye on the clock.

    A connection is idle when no request is under way on it: its header is incomplete, or its answer is over. When
    there are too many, the one idle longest gives way to the newcomer; a client that means it sends its header at once.
    """

    limits: ClassVar[ConnectionLimits]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, at the cost of another if need be."""
        super().connection_made(transport)
        self._idle_since_s = self.loop.time()
        self._stuck_since_s: float | None = None
        self._look_s = min(LOOK_S, self.limits.header_timeout_s / 4, self.limits.send_timeout_s / 4)
        self._next_look = self.loop.call_later(self._look_s, self._look)
        if len(self.connections) > self.limits.connections_max:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking."""
        self._next_look.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Count the time until the next header from here."""
        self._idle_since_s = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Note since when the client reads less than it is sent."""
        self._stuck_since_s = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Forget it."""
        self._stuck_since_s = None
        super().resume_writing()

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def idle_since_s(self) -> float:
        """When the last answer was over, or the connection was made; by the clock of the loop."""
        return self._idle_since_s

    def give_way(self) -> None:
        """End at once, whatever is still to be sent."""
        self.transport.abort()

    def _make_room(self) -> None:
        guarded = (each for each in self.connections if isinstance(each, GuardedProtocol))
        others = [each for each in guarded if each is not self and each._is_spare]
        if others:
            min(others, key=lambda each: each.idle_since_s).give_way()
        else:
            self.app = _crowded

    def _look(self) -> None:
        now_s = self.loop.time()
        if self.transport.is_closing() and self._stuck_since_s is None:
            self._stuck_since_s = now_s  # closed by us, but what was written last is not taken
        if self._stuck_since_s is not None and now_s - self._stuck_since_s > self.limits.send_timeout_s:
            self.give_way()
        elif self._is_spare and now_s - self._idle_since_s > self.limits.header_timeout_s:
            self._end_idle()
        self._next_look = self.loop.call_later(self._look_s, self._look)

    @property
    def _is_spare(self) -> bool:
        return self.is_idle and not self.transport.is_closing()

    def _end_idle(self) -> None:
        """Say why to one who has begun a request; one still sending what was already answered is cut."""
        if self.conn.their_state is SEND_BODY:
            self.give_way()
            return
        if self.conn.trailing_data[0]:
            self.transport.write(_raw(SLOW_HEADER))
        self.transport.close()


def guarded(limits: ConnectionLimits) -> type[GuardedProtocol]:
    """Return the protocol with these limits, for uvicorn to make one of for each connection."""
    return type("LimitedProtocol", (GuardedProtocol,), {"limits": limits})


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    response = problem_response(CROWDED, path=scope["path"])
    response.headers["Connection"] = "close"
    await response(scope, receive, send)


def _raw(error: TooSlow) -> bytes:
    """The problem as it goes over the wire, where there is no request to answer yet."""
    problem: dict[str, Any] = problem_of(error).model_dump()
    body = json.dumps(problem, ensure_ascii=False).encode()
    head = (
        f"HTTP/1.1 {problem['status']} {problem['title']}\r\nContent-Type: {MEDIA_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
