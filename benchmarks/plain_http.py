"""A client of HTTP/1.1 that costs little: one connection a request, as many users make them, no pool to wait for."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import h11

READ_BYTES = 65536
STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. `is_left_after` names the event of a stream at which the client walks away."""

    method: str
    path: str
    key: str = ""
    body: bytes = b""
    content_type: str = "application/json"
    is_left_after: str = ""

    @classmethod
    def of(cls, path: str, key: str, **body: Any) -> Request:
        """A POST of JSON."""
        return cls("POST", path, key, json.dumps(body).encode())


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a stream; `at_s` by the monotonic clock."""

    name: str
    data: dict[str, Any]
    at_s: float


@dataclass(slots=True)
class Reply:
    """What came back, `spent_s` seconds after the connection was begun; status 0 when it broke."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    spent_s: float = 0.0

    @property
    def text(self) -> str:
        """The body, escapes of JSON undone, so that Russian words can be looked for."""
        with suppress(ValueError):
            return json.dumps(json.loads(self.body), ensure_ascii=False)
        return self.body.decode(errors="replace")


async def send(port: int, request: Request, heard: Callable[[Event], None] = lambda _: None) -> Reply:
    """Send and read to the end, telling the events of a stream as they come. A broken connection ends the reply."""
    began_s = time.monotonic()
    reply, events = Reply(), _Events()
    with suppress(OSError, h11.RemoteProtocolError):
        async for part in _parts(port, request):
            if isinstance(part, h11.Response):
                reply.status = part.status_code
                reply.headers = {name.decode(): value.decode("latin-1") for name, value in part.headers}
                continue
            reply.body += part
            if reply.headers.get("content-type", "").startswith(STREAM):
                told = list(events.feed(part))
                for event in told:
                    heard(event)
                if any(event.name == request.is_left_after for event in told):
                    break
    reply.spent_s = time.monotonic() - began_s
    return reply


async def _parts(port: int, request: Request) -> AsyncIterator[h11.Response | bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        protocol = h11.Connection(h11.CLIENT)
        writer.write(_sent(protocol, request))
        await writer.drain()
        while True:
            event = protocol.next_event()
            if event is h11.NEED_DATA:
                protocol.receive_data(await reader.read(READ_BYTES))
            elif isinstance(event, h11.Response):
                yield event
            elif isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return
    finally:
        writer.close()


def _sent(protocol: h11.Connection, request: Request) -> bytes:
    headers = [("Host", "127.0.0.1"), ("Connection", "close"), ("Content-Length", str(len(request.body)))]
    if request.body:
        headers.append(("Content-Type", request.content_type))
    if request.key:
        headers.append(("Authorization", f"Bearer {request.key}"))
    parts = (
        protocol.send(h11.Request(method=request.method, target=request.path, headers=headers)),
        protocol.send(h11.Data(data=request.body)),
        protocol.send(h11.EndOfMessage()),
    )
    return b"".join(part or b"" for part in parts)


class _Events:
    """Server-sent events out of pieces of a body."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, piece: bytes) -> list[Event]:
        *whole, self._held = (self._held + piece).split(b"\n\n")
        return [_event(text.decode()) for text in whole if text.startswith(b"event:")]


def _event(text: str) -> Event:
    fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    return Event(fields["event"], json.loads(fields["data"]), time.monotonic())
