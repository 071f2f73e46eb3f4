"""Clients that send or read a byte a second, to see when they are cut and whom they keep waiting."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

BOUNDARY = "slow"
ADDRESSES = 50
READ_BYTES = 4096
RECEIVE_BUFFER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class SlowRequest:
    """What is sent at once (`head`), and what comes a byte at a time (`rest`), without an end."""

    kind: str
    head: bytes
    rest: bytes = b"x"


@dataclass(frozen=True, slots=True)
class Cut:
    """When the server ended it, seconds from its start, with what status: 0 for a connection closed in silence.

    `after_s` is None for one that outlived the watch.
    """

    kind: str
    after_s: float | None
    status: int


def slow_header(host: str) -> SlowRequest:
    """A request whose header never ends."""
    return SlowRequest("header", f"GET /live HTTP/1.1\r\nHost: {host}\r\nX-Slow: ".encode())


def slow_json(host: str, key: str, path: str = "/v1/ask") -> SlowRequest:
    """A question of which a byte comes a second, of a length that is told."""
    head = _head("POST", path, host, key, "Content-Type: application/json", "Content-Length: 1000000")
    return SlowRequest("body, JSON", head + b'{"question": "')


def slow_upload(host: str, key: str) -> SlowRequest:
    """A file of which a byte comes a second, in chunks, so that its length is not told."""
    kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="slow.txt"\r\n\r\n'
    head = _head("POST", "/v1/documents", host, key, kind, "Transfer-Encoding: chunked")
    return SlowRequest("body, upload", head + f"{len(part):x}\r\n{part}\r\n".encode(), b"1\r\nx\r\n")


def slow_reader(host: str, key: str, path: str) -> SlowRequest:
    """A whole request; only its answer is read a byte a second."""
    return SlowRequest("reader", _head("GET", path, host, key), b"")


async def dribble(
    port: int, request: SlowRequest, *, watch_s: float, interval_s: float = 1.0, source: str = "127.0.0.1"
) -> Cut:
    """Send a piece every `interval_s`, or read a byte, until the server ends it or `watch_s` are over."""
    started = time.monotonic()
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        # A large buffer would read ahead of the client that does not.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        connection.bind((source, 0))
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        status = 0
        with suppress(ConnectionError):
            await loop.sock_sendall(connection, request.head)
            while time.monotonic() - started < watch_s:
                answer = await _step(connection, request, interval_s)
                if answer == b"":
                    return Cut(request.kind, time.monotonic() - started, status)
                if answer and answer.startswith(b"HTTP/1.1 ") and request.rest:
                    status = int(answer[9:12])
            return Cut(request.kind, None, status)
    return Cut(request.kind, time.monotonic() - started, status)


async def _step(connection: socket.socket, request: SlowRequest, interval_s: float) -> bytes | None:
    """Send the next piece and listen; b"" when the server closed, None when it says nothing."""
    loop = asyncio.get_running_loop()
    if not request.rest:
        await asyncio.sleep(interval_s)
        return await loop.sock_recv(connection, 1)
    try:
        answer = await asyncio.wait_for(loop.sock_recv(connection, READ_BYTES), interval_s)
    except TimeoutError:
        await loop.sock_sendall(connection, request.rest)
        return None
    return answer


async def dribble_all(
    port: int, requests: Iterable[SlowRequest], *, watch_s: float, interval_s: float = 1.0
) -> list[Cut]:
    """All of them at once, from fifty addresses: one alone may have only so many connections at the proxy."""
    each = (
        dribble(port, request, watch_s=watch_s, interval_s=interval_s, source=f"127.0.1.{1 + number % ADDRESSES}")
        for number, request in enumerate(requests)
    )
    return list(await asyncio.gather(*each))


def _head(method: str, path: str, host: str, key: str, *headers: str) -> bytes:
    shown = [f"Authorization: Bearer {key}"] if key else []
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *shown, *headers]
    return "\r\n".join([*lines, "", ""]).encode()
