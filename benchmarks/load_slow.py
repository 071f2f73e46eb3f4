"""Slow clients beside ordinary ones, at the API itself and through nginx."""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx

from benchmarks.load_asks import Spread, search_evenly
from benchmarks.plain_http import Request, send
from benchmarks.slow_clients import Cut, SlowRequest, dribble_all, slow_header, slow_json, slow_reader, slow_upload
from benchmarks.tenants import OWN_QUESTION, Tenants
from tests.service import free_ports

CONFIGURATION = Path(__file__).resolve().parent.parent / "docker" / "nginx.conf"
SEARCHES_PER_S = 5.0
ALONE_S = 10.0
LARGE_BYTES = 20 * 2**20
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class CutKind:
    """When clients of one kind were cut, seconds, and with what status; `outlived` were not."""

    kind: str
    count: int
    first_s: float
    median_s: float
    last_s: float
    outlived: int
    statuses: dict[str, int]


@dataclass(frozen=True, slots=True)
class Slow:
    """What slow clients did to the others. `asked_s` is a question asked in the midst of them, to its last word."""

    way: str
    alone: Spread
    beside: Spread
    failed_searches: int
    asked_status: int
    asked_s: float
    upload_status: int
    upload_s: float
    cuts: tuple[CutKind, ...]


async def slow(port: int, tenants: Tenants, *, way: str, clients: int, watch_s: float) -> Slow:
    """Let a quarter of the clients be slow in each way, for `watch_s` at most; serve others meanwhile."""
    path = await _large_document(port, tenants)
    alone = await search_evenly(port, tenants, per_s=SEARCHES_PER_S, ends_s=time.monotonic() + ALONE_S)
    requests = _requests(tenants, path, clients)
    dribbling = asyncio.create_task(dribble_all(port, requests, watch_s=watch_s))
    searching = asyncio.create_task(
        search_evenly(port, tenants, per_s=SEARCHES_PER_S, ends_s=time.monotonic() + watch_s)
    )
    await asyncio.sleep(min(5.0, watch_s / 4))
    tenant = tenants.each[0]
    asked = await send(port, Request.of("/v1/ask", tenant.key, question=OWN_QUESTION, collection=tenant.name))
    uploaded = await send(port, _upload(tenants, b"text " * 1000))
    cuts = await dribbling
    beside = await searching
    good = [reply.spent_s for reply in beside if reply.status == 200]
    return Slow(
        way=way,
        alone=Spread.of([reply.spent_s for reply in alone]),
        beside=Spread.of(good),
        failed_searches=len(beside) - len(good),
        asked_status=asked.status,
        asked_s=round(asked.spent_s, 1),
        upload_status=uploaded.status,
        upload_s=round(uploaded.spent_s, 1),
        cuts=tuple(_kind(kind, [cut for cut in cuts if cut.kind == kind]) for kind in sorted({c.kind for c in cuts})),
    )


def _requests(tenants: Tenants, path: str, clients: int) -> list[SlowRequest]:
    made = []
    for number in range(clients):
        key = tenants.each[number % len(tenants.each)].key
        kinds = (
            slow_header(HOST),
            slow_json(HOST, key),
            slow_upload(HOST, key),
            slow_reader(HOST, tenants.admin_key, path),
        )
        made.append(kinds[number % len(kinds)])
    return made


def _kind(kind: str, cuts: Sequence[Cut]) -> CutKind:
    ends = sorted(cut.after_s for cut in cuts if cut.after_s is not None) or [0.0]
    statuses = Counter(str(cut.status or "closed") for cut in cuts if cut.after_s is not None)
    first_s, median_s, last_s = (round(value, 1) for value in (ends[0], statistics.median(ends), ends[-1]))
    outlived = sum(cut.after_s is None for cut in cuts)
    return CutKind(kind, len(cuts), first_s, median_s, last_s, outlived, dict(statuses))


async def _large_document(port: int, tenants: Tenants) -> str:
    """Upload one of a single word and much white space: large to download, nothing to index."""
    sent = await send(port, _upload(tenants, "слово".encode().ljust(LARGE_BYTES)))
    if sent.status != HTTPStatus.ACCEPTED:
        raise RuntimeError(f"the large document is not taken: {sent.text}")
    path = f"/v1/documents/{json.loads(sent.body)[0]['id']}/content"
    if len((await send(port, Request("GET", path, tenants.admin_key))).body) != LARGE_BYTES:
        raise RuntimeError("the large document cannot be read")
    return path


def _upload(tenants: Tenants, data: bytes) -> Request:
    made = httpx.Request("POST", f"http://{HOST}", files={"file": ("large.txt", data)}, data={"collection": "large"})
    body = made.read()
    return Request("POST", "/v1/documents", tenants.admin_key, body, made.headers["content-type"])


@contextmanager
def nginx(folder: Path, api_port: int) -> Iterator[int | None]:
    """Run our configuration of nginx before the API; yield its port, None where there is no nginx."""
    if shutil.which("nginx") is None:
        yield None
        return
    port, page = free_ports(2)
    text = CONFIGURATION.read_text(encoding="utf-8")
    for original, here in {
        "/tmp/": f"{folder}/",  # noqa: S108 - a place in nginx.conf
        "/dev/stderr": f"{folder}/error.log",
        "http://api:8000": f"http://{HOST}:{api_port}",
        "http://ui:8501": f"http://{HOST}:{page}",
        "listen 8080": f"listen {HOST}:{port}",
    }.items():
        text = text.replace(original, here)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-g", "daemon off;"])
    try:
        _wait_up(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_up(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://{HOST}:{port}/live", trust_env=False)
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("nginx does not come up")
