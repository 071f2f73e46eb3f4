"""What a request carries: refused while it arrives when it is too large, given up when it is too slow."""

from __future__ import annotations

import asyncio
import json
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from api.bodies import Bodies, BodyLimits
from core.errors import TooSlow
from core.types import Role
from tests.small_service import SmallService, small_service

LIMIT_BYTES = 256 * 1024
UNDER_WAY_BYTES = 8 * 2**20  # what the kernel's buffers on both sides may hold
PIECE = b"x" * 65536
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="large.txt"\r\n\r\n'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    folder = tmp_path_factory.mktemp("bodies")
    names = ("api_body_max_bytes", "upload_max_bytes", "evaluation_max_bytes")
    limits: dict[str, Any] = dict.fromkeys(names, LIMIT_BYTES)
    with small_service(folder, api_header_timeout_s=2, **limits) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "kind", "begin", "code"),
    [
        ("/v1/ask", "application/json", b'{"question": "', "too_large"),
        ("/v1/chat/completions", "application/json", b'{"model": "', "too_large"),
        ("/v1/documents", "multipart/form-data; boundary=b", PART, "file_too_large"),
        ("/v1/evaluations", "multipart/form-data; boundary=b", PART.replace(b".txt", b".csv"), "pairs_too_large"),
    ],
    ids=["question", "chat", "document", "evaluation"],
)
def test_what_is_sent_without_a_length_or_an_end_is_refused_while_it_arrives(
    service: SmallService, path: str, kind: str, begin: bytes, code: str
) -> None:
    key = service.key("редактор", role=Role.EDITOR)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: {kind}\r\n"
    with socket.create_connection(("127.0.0.1", service.parts.settings.api_port)) as sending:
        sending.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk(begin))
        sending.settimeout(30)
        sent_bytes, answer = send_until_answered(sending)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == code
        assert sent_bytes < LIMIT_BYTES + UNDER_WAY_BYTES
        assert is_cut(sending, within_s=10), "what is sent after the answer is read for ever"
    assert list((service.parts.settings.data_dir / "files" / "incoming").iterdir()) == []


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def send_until_answered(sending: socket.socket) -> tuple[int, bytes]:
    """Send on and on; answer how much, and the answer, whose head and body come in pieces of their own."""
    sent_bytes = 0
    while not select.select([sending], [], [], 0.02)[0]:
        sending.sendall(chunk(PIECE))
        sent_bytes += len(PIECE)
        assert sent_bytes < 100 * UNDER_WAY_BYTES, "no answer"
    answer = b""
    while b"}" not in answer:
        answer += sending.recv(65536)
    return sent_bytes, answer


def is_cut(sending: socket.socket, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    sending.settimeout(0.5)
    while time.monotonic() < deadline:
        try:
            sending.sendall(chunk(b"x"))
        except (ConnectionError, TimeoutError):
            return True
        time.sleep(0.05)
    return False


def test_a_length_over_the_limit_is_refused_before_any_of_it_comes(service: SmallService) -> None:
    with socket.create_connection(("127.0.0.1", service.parts.settings.api_port), timeout=10) as sending:
        head = b"POST /v1/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        sending.sendall(head + b"Content-Length: 1000000000\r\n\r\n")
        assert sending.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_request_of_the_largest_size_is_taken(service: SmallService) -> None:
    service.base.add("Отпуск длится 28 дней.")
    question = {"query": "отпуск"}
    padded = json.dumps(question).ljust(LIMIT_BYTES).encode()
    client = service.client(service.key("читатель"))
    kind = {"Content-Type": "application/json"}
    assert client.post("/v1/search", content=padded, headers=kind).json()["passages"]
    assert client.post("/v1/search", content=padded + b" ", headers=kind).status_code == 413


class Application:
    """Reads whole bodies, resting before each piece."""

    def __init__(self, rest_s: float = 0.0) -> None:
        self.read = b""
        self._rest_s = rest_s

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            await asyncio.sleep(self._rest_s)
            message = await receive()
            self.read += message["body"]
            more = message["more_body"]


async def passed(application: Application, pieces: int, every_s: float, limits: BodyLimits) -> None:
    """Send a streamed body in pieces of a thousand bytes."""
    left = pieces

    async def receive() -> dict[str, Any]:
        nonlocal left
        await asyncio.sleep(every_s)
        left -= 1
        return {"type": "http.request", "body": b"x" * 1000, "more_body": left > 0}

    async def send(_message: Any) -> None:
        raise AssertionError("nothing is answered")

    scope = {"type": "http", "path": "/upload", "headers": []}
    await Bodies(application, limits, ["/upload"])(scope, receive, send)


async def test_an_upload_at_a_fair_pace_may_take_longer_than_the_timeout() -> None:
    application = Application()
    await passed(application, 6, 0.1, BodyLimits(max_bytes=1, timeout_s=0.3, bytes_per_s=1000))
    assert len(application.read) == 6000


async def test_an_upload_below_the_pace_is_given_up() -> None:
    application = Application()
    with pytest.raises(TooSlow):
        await passed(application, 100, 0.1, BodyLimits(max_bytes=1, timeout_s=0.3, bytes_per_s=100_000))
    assert 0 < len(application.read) < 100_000


async def test_the_time_that_the_service_takes_for_itself_is_not_the_senders_fault() -> None:
    application = Application(rest_s=0.2)
    await passed(application, 4, 0.0, BodyLimits(max_bytes=1, timeout_s=0.3, bytes_per_s=10**9))
    assert len(application.read) == 4000
