"""The proxy's configuration in a real nginx, before small servers that stand for the API and the page."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest
import streamlit

from tests.proxy import CONFIGURATION, IS_THERE
from tests.proxy import proxy as started

pytestmark = pytest.mark.skipif(not IS_THERE, reason="needs nginx")
BINDING = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Backend(BaseHTTPRequestHandler):
    """Answers what was asked; a stream sends its second event only when the test says so."""

    protocol_version = "HTTP/1.1"
    go_on = Event()
    begun = Event()
    received = 0
    headers_sent: Mapping[str, str] = {}

    def do_GET(self) -> None:
        type(self).headers_sent = dict(self.headers.items())
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        first = self.rfile.read(1)
        self.begun.set()
        type(self).received = len(first + self.rfile.read(int(self.headers["Content-Length"]) - 1))
        self.send_response(204)
        self.end_headers()

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
    page: ThreadingHTTPServer


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Backend) as api, ThreadingHTTPServer(("127.0.0.1", 0), Backend) as page:
        for server in (api, page):
            Thread(target=server.serve_forever, daemon=True).start()
        with started(
            tmp_path, api=f"http://127.0.0.1:{api.server_port}", ui=f"http://127.0.0.1:{page.server_port}"
        ) as url:
            yield Proxy(url, api, page)
        for server in (api, page):
            server.shutdown()


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


def test_an_upload_in_the_page_is_not_kept_in_the_proxys_memory_first(proxy: Proxy) -> None:
    piece = b"x" * 2**20

    def pieces() -> Iterator[bytes]:
        yield piece
        assert Backend.begun.wait(10), "the page sees nothing until all of it has come"
        yield piece

    Backend.begun.clear()
    url = f"{proxy.url}/_stcore/upload_file/visit/file"
    answer = httpx.put(url, content=pieces(), headers={"Content-Length": str(2 * len(piece))}, timeout=30)
    assert answer.status_code == 204
    assert Backend.received == 2 * len(piece)


def test_metrics_stay_inside(proxy: Proxy) -> None:
    assert httpx.get(f"{proxy.url}/ready").text == "/ready"
    assert httpx.get(f"{proxy.url}/metrics").status_code == 404


def assert_binding(answer: httpx.Response) -> None:
    assert {name: answer.headers.get(name) for name in BINDING} == BINDING
    (policy,) = answer.headers.get_list("Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in re.search(r"script-src ([^;]*);", policy)[1]
    assert "nginx/" not in answer.headers["Server"]


@pytest.mark.parametrize("path", ["/", "/v1/models", "/ready", "/metrics", "/static/js/index.js"])
def test_answers_carry_the_headers_that_bind_a_browser(proxy: Proxy, path: str) -> None:
    assert_binding(httpx.get(f"{proxy.url}{path}"))


def test_refusals_of_the_proxys_own_carry_them_too(proxy: Proxy) -> None:
    refused = httpx.post(f"{proxy.url}/v1/ask", content=b"x" * (3 * 2**20))
    assert refused.status_code == 413
    assert_binding(refused)
    assert "Retry-After" not in refused.headers

    proxy.api.shutdown()
    proxy.api.server_close()
    assert_binding(httpx.get(f"{proxy.url}/v1/models"))


@pytest.mark.parametrize("path", ["/", "/v1/models", "/_stcore/health"])
def test_who_asks_and_under_which_name_is_told_to_both_parts_and_nobody_names_themselves(
    proxy: Proxy, path: str
) -> None:
    claimed = {"X-Forwarded-For": "10.0.0.1", "X-Forwarded-User": "admin", "X-Forwarded-Groups": "boss"}
    httpx.get(f"{proxy.url}{path}", headers={"Host": "znayka.example.com", **claimed})

    sent = Backend.headers_sent
    assert sent["Host"] == "znayka.example.com"
    assert sent["X-Forwarded-For"] == "127.0.0.1"
    assert sent["X-Forwarded-Proto"] == "http"
    assert not {"X-Forwarded-User", "X-Forwarded-Groups"} & set(sent)


def test_the_one_script_that_the_policy_lets_stand_in_a_page_is_streamlits() -> None:
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]

    assert re.findall(r"'sha256-([^']+)'", CONFIGURATION.read_text(encoding="utf-8")) == hashes


def test_a_part_that_is_down_is_a_problem_that_says_when_to_come_back(proxy: Proxy) -> None:
    proxy.api.shutdown()
    proxy.api.server_close()
    answer = httpx.get(f"{proxy.url}/v1/models")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert answer.json()["code"] == "service_down"


def test_a_page_that_is_down_says_so_in_russian(proxy: Proxy) -> None:
    proxy.page.shutdown()
    proxy.page.server_close()
    answer = httpx.get(f"{proxy.url}/documents")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert "Обновите страницу" in answer.text
    assert_binding(answer)
