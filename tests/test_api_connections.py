"""Clients that send or read a byte at a time: cut within the settings, while the others are served."""

from __future__ import annotations

import asyncio
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from api.connections import CROWDED
from benchmarks.slow_clients import Cut, SlowRequest, dribble_all, slow_header, slow_json, slow_reader, slow_upload
from core.types import Role
from tests.small_service import SmallService, small_service

HEADER_S, BODY_S, SEND_S = 1.0, 1.5, 1.0
SLACK_S = 4.0  # looks are a quarter of the shortest limit apart, and this machine has other work
INTERVAL_S = 0.1
UPLOADS = 10
HOST = "127.0.0.1"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SmallService]:
    with small_service(
        tmp_path,
        api_header_timeout_s=HEADER_S,
        api_body_timeout_s=BODY_S,
        api_body_min_bytes_per_s=1000,
        api_send_timeout_s=SEND_S,
        uploads_max=UPLOADS,
    ) as running:
        running.base.add("Отпуск длится 28 календарных дней.")
        yield running


def port_of(service: SmallService) -> int:
    return service.parts.settings.api_port


class Dribbling(threading.Thread):
    """Slow clients in a thread, so that others can be served beside them."""

    def __init__(self, service: SmallService, requests: list[SlowRequest], watch_s: float = 15.0) -> None:
        super().__init__()
        self.cuts: list[Cut] = []
        self._work = (port_of(service), requests, watch_s)
        self.start()

    def run(self) -> None:
        port, requests, watch_s = self._work
        self.cuts = asyncio.run(dribble_all(port, requests, watch_s=watch_s, interval_s=INTERVAL_S))

    def ends(self) -> list[Cut]:
        self.join()
        return self.cuts


@pytest.mark.parametrize(
    ("request_of", "within_s", "status"),
    [
        (lambda key: slow_header(HOST), HEADER_S, 408),
        (lambda key: slow_json(HOST, key), BODY_S, 408),
        (lambda key: slow_upload(HOST, key), BODY_S, 408),
        # It has been answered 401 by then; what it goes on sending is not read for ever.
        (lambda key: slow_upload(HOST, "wrong"), HEADER_S, 401),
    ],
    ids=["header", "json", "upload", "refused-upload"],
)
def test_a_client_that_sends_a_byte_at_a_time_is_cut(service, request_of, within_s, status) -> None:
    request = request_of(service.key("медленный", role=Role.EDITOR))
    for cut in Dribbling(service, [request] * 5).ends():
        assert cut.after_s is not None, "never cut"
        assert 0.9 * within_s <= cut.after_s < within_s + SLACK_S
        assert cut.status == status


def test_a_connection_on_which_nothing_comes_is_closed_in_silence(service: SmallService) -> None:
    with socket.create_connection((HOST, port_of(service)), timeout=HEADER_S + SLACK_S) as silent:
        assert silent.recv(100) == b""


def test_a_slow_request_is_told_in_russian_what_to_do(service: SmallService) -> None:
    with socket.create_connection((HOST, port_of(service)), timeout=HEADER_S + SLACK_S) as slow:
        slow.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        answer = b"".join(iter(lambda: slow.recv(4096), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    parsed = httpx.Response(408, content=body.encode())
    assert head.startswith("HTTP/1.1 408 ")
    assert "application/problem+json" in head
    assert parsed.json()["code"] == "too_slow"
    assert "Проверьте связь" in parsed.json()["detail"]


def test_one_that_does_not_read_a_large_document_is_cut(service: SmallService) -> None:
    key = service.key("редактор", role=Role.EDITOR)
    client = service.client(key)
    size_bytes = 8 * 2**20  # more than the kernel's buffers hold
    sent = client.post("/v1/documents", files={"file": ("большой.txt", "слово ".encode() * (size_bytes // 11))})
    path = f"/v1/documents/{sent.json()[0]['id']}/content"
    before = held(service)
    reading = Dribbling(service, [slow_reader(HOST, key, path)], watch_s=2 * SLACK_S)
    assert becomes(lambda: held(service) > before, SLACK_S), "the download never began"
    assert becomes(lambda: held(service) == before, SEND_S + SLACK_S), "the download is never given up"
    assert reading.is_alive(), "the client left by itself"
    reading.join()


def held(service: SmallService) -> int:
    """Connections that the server has open."""
    return sum(one.laddr.port == port_of(service) for one in psutil.Process().net_connections("tcp") if one.raddr)


def becomes(is_so, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(is_so())


def test_slow_clients_of_every_kind_keep_nobody_else_waiting(service: SmallService) -> None:
    client = service.client(service.key("быстрый"))
    alone = searches(client, until=lambda: True)
    key = service.key("медленный", role=Role.EDITOR)
    slow = [slow_header(HOST), slow_json(HOST, key), slow_upload(HOST, key)]
    dribbling = Dribbling(service, slow * 45)  # more uploads than there are threads for all requests together
    beside = searches(client, until=lambda: not dribbling.is_alive())
    cuts = dribbling.ends()
    # Uploads beyond those received at once wait in line for their turn to be cut.
    assert {cut.kind for cut in cuts if cut.after_s is not None} == {"header", "body, JSON", "body, upload"}
    # A ratio, because this machine has other work: an exhausted pool of threads made this the whole timeout.
    assert statistics.median(beside) < 10 * statistics.median(alone) + 0.1
    assert max(beside) < BODY_S


def searches(client: httpx.Client, *, until) -> list[float]:
    """Seconds of each search, twenty at least."""
    spent: list[float] = []
    while len(spent) < 20 or not until():
        began = time.monotonic()
        assert client.post("/v1/search", json={"query": "сколько длится отпуск"}).status_code == 200
        spent.append(time.monotonic() - began)
    return spent


def test_uploads_wait_for_the_slow_ones_before_them_and_are_taken(service: SmallService) -> None:
    key = service.key("редактор", role=Role.EDITOR)
    dribbling = Dribbling(service, [slow_upload(HOST, key)] * UPLOADS)
    time.sleep(0.3)
    sent = service.client(key).post("/v1/documents", files={"file": ("приказ.txt", b"text")})
    assert sent.status_code == 202
    assert all(cut.status == 408 for cut in dribbling.ends())


def test_when_there_are_too_many_connections_the_longest_idle_gives_way(tmp_path: Path) -> None:
    with small_service(tmp_path, api_connections_max=20, api_header_timeout_s=60) as service:
        slow = [socket.create_connection((HOST, port_of(service)), timeout=5) for _ in range(60)]
        try:
            assert all(service.client().get("/live").status_code == 200 for _ in range(5))
            assert slow[0].recv(10) == b""
            slow[-1].settimeout(0.2)
            with pytest.raises(TimeoutError):
                slow[-1].recv(10)
        finally:
            for one in slow:
                one.close()


def test_when_every_connection_is_at_work_a_newcomer_is_told_when_to_come_back(tmp_path: Path) -> None:
    with small_service(tmp_path, api_connections_max=3, queue_max_per_key=20) as service:
        service.base.add("Отпуск длится 28 дней.")
        service.model.says = "Отпуск длится 28 дней [1]. " * 20
        service.model.pause_s = 0.05
        asking = [service.client() for _ in range(3)]
        streams = [client.stream("POST", "/v1/ask", json={"question": "Отпуск?", "stream": True}) for client in asking]
        for stream in streams:
            assert stream.__enter__().status_code == 200
        refused = service.client().get("/v1/collections")
        assert (refused.status_code, refused.json()["code"]) == (503, CROWDED.code)
        assert refused.headers["retry-after"] == str(CROWDED.retry_after_s)
        for stream in streams:
            stream.__exit__(None, None, None)
