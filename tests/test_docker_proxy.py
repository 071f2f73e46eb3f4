"""The proxy's configuration in a real nginx, before small servers that stand for the API and the page."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from tests.service import free_ports

CONFIGURATION = Path(__file__).resolve().parent.parent / "docker" / "nginx.conf"
pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")


class Backend(BaseHTTPRequestHandler):
    """Answers what was asked; a stream sends its second event only when the test says so."""

    protocol_version = "HTTP/1.1"
    go_on = Event()
    received = 0

    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        type(self).received = len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"event: token\n\n")
        self.go_on.wait(10)
        self.wfile.write(b"event: done\n\n")

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@dataclass
class Proxy:
    url: str
    api: ThreadingHTTPServer


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    folder = tmp_path
    port, page = free_ports(2)
    with ThreadingHTTPServer(("127.0.0.1", 0), Backend) as api:
        Thread(target=api.serve_forever, daemon=True).start()
        text = CONFIGURATION.read_text(encoding="utf-8")
        for original, here in {
            "/tmp/": f"{folder}/",
            "/dev/stderr": f"{folder}/error.log",
            "http://api:8000": f"http://127.0.0.1:{api.server_port}",
            "http://ui:8501": f"http://127.0.0.1:{page}",
            "listen 8080": f"listen 127.0.0.1:{port}",
        }.items():
            assert original in text
            text = text.replace(original, here)
        (folder / "nginx.conf").write_text(text, encoding="utf-8")
        nginx = subprocess.Popen(
            ["nginx", "-c", str(folder / "nginx.conf"), "-g", "daemon off;"], stderr=subprocess.DEVNULL
        )
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 10
        while nginx.poll() is None and time.monotonic() < deadline:
            try:
                httpx.get(url)
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield Proxy(url, api)
        nginx.terminate()
        nginx.wait()
        api.shutdown()


def test_an_event_passes_before_the_next_one_is_made(proxy: Proxy) -> None:
    Backend.go_on.clear()
    with httpx.stream("POST", f"{proxy.url}/v1/ask", content=b"{}", timeout=5) as answer:
        events = answer.iter_lines()
        assert next(events) == "event: token"
        Backend.go_on.set()
        assert "event: done" in list(events)


def test_only_an_upload_may_be_large(proxy: Proxy) -> None:
    Backend.go_on.set()
    body = b"x" * (3 * 2**20)
    assert httpx.post(f"{proxy.url}/v1/documents", content=body).status_code == 200
    assert Backend.received == len(body)

    refused = httpx.post(f"{proxy.url}/v1/ask", content=body)
    assert refused.status_code == 413
    assert refused.headers["Content-Type"].startswith("application/problem+json")
    assert refused.json()["code"] == "too_large"


def test_metrics_stay_inside(proxy: Proxy) -> None:
    assert httpx.get(f"{proxy.url}/ready").text == "/ready"
    assert httpx.get(f"{proxy.url}/metrics").status_code == 404


def test_answers_carry_the_headers_that_bind_a_browser(proxy: Proxy) -> None:
    headers = httpx.get(f"{proxy.url}/v1/models").headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "object-src 'none'" in headers["Content-Security-Policy"]
    assert "nginx/" not in headers["Server"]


def test_a_part_that_is_down_is_a_problem_that_says_when_to_come_back(proxy: Proxy) -> None:
    proxy.api.shutdown()
    proxy.api.server_close()
    answer = httpx.get(f"{proxy.url}/v1/models")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert answer.json()["code"] == "service_down"
