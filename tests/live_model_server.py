"""Runs the model process's application on a free port, in a thread of the test."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from generation.served import Served
from generation.server import create_app


@contextmanager
def live_server(load_model: Callable[[], Served], *, queue_max: int = 20) -> Iterator[httpx.Client]:
    """Serve until the block ends; answers a client whose base URL is the server's."""
    app = create_app(load_model, queue_max=queue_max)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def wait_until(is_true: Callable[[], bool], *, timeout_s: float = 30.0) -> float:
    """Wait for it and answer how many seconds it took."""
    started = time.monotonic()
    while not is_true():
        if time.monotonic() - started > timeout_s:
            raise TimeoutError("it never became true")
        time.sleep(0.005)
    return time.monotonic() - started


def fair(limit_s: float) -> float:
    """A limit for a machine with a core to spare, stretched by as much as this one is overloaded right now."""
    return limit_s * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def gauge(client: httpx.Client, name: str) -> float:
    """A number from the server's metrics."""
    found = re.search(rf"^znayka_llm_{name} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


def is_idle(client: httpx.Client) -> bool:
    """Whether the slot is free and nobody waits."""
    return gauge(client, "busy") == 0 and gauge(client, "waiting") == 0
