"""Hostile texts, the foreign server that they are aimed at, and a browser that shows them."""

from __future__ import annotations

import socketserver
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.browser_watch import FLAGS, FOREIGN_HOST, chromium_path

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

FORMS = Path(__file__).with_name("data")
HEADER_LINES = 2
BREAK = "⏎"
WAIT_MS = 60_000

# All that stands on the page as text, in shadow roots and fields too.
TEXT_JS = """
() => {
  const parts = [];
  const read = (root) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = walker.currentNode; node; node = walker.nextNode()) {
      if (node.nodeType === Node.TEXT_NODE) parts.push(node.nodeValue);
      else { if (node.shadowRoot) read(node.shadowRoot); if (node.value) parts.push(String(node.value)); }
    }
  };
  read(document.body);
  return parts.join("");
}
"""


@dataclass(frozen=True, slots=True)
class Form:
    """A hostile text with the number that tells what it does from what others do."""

    n: int
    text: str


@dataclass
class Foreign:
    """A server that nobody may talk to. `connections` holds the first line of whatever came, empty lines too."""

    port: int
    connections: list[str] = field(default_factory=list)


@contextmanager
def foreign_server() -> Iterator[Foreign]:
    """Listen until the block ends."""

    class Handler(socketserver.StreamRequestHandler):
        timeout = 1

        def handle(self) -> None:
            at = len(foreign.connections)
            foreign.connections.append("")
            try:
                foreign.connections[at] = self.rfile.readline(1000).decode("latin-1").strip()
                self.wfile.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            except OSError:
                return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        foreign = Foreign(server.server_address[1])
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield foreign
        server.shutdown()


def read_forms(name: str, foreign: Foreign, first: int = 0) -> list[Form]:
    """The forms of a file of `tests/data`, numbered from `first` on, aimed at the foreign server."""
    lines = (FORMS / name).read_text(encoding="utf-8").splitlines()[HEADER_LINES:]
    forms = []
    for n, line in enumerate((line for line in lines if line), start=first):
        host = f"{FOREIGN_HOST}:{foreign.port}/n{n}"
        text = line.replace("%U", f"http://{host}").replace("%H", host).replace("%J", f"pwn({n})")
        forms.append(Form(n, text.replace("(1)", f"({n})").replace(BREAK, "\n")))
    return forms


@dataclass
class Texts:
    """The forms, aimed at the foreign server."""

    foreign: Foreign
    xss: list[Form]
    exfiltration: list[Form]

    @property
    def every(self) -> list[Form]:
        return self.xss + self.exfiltration


@pytest.fixture(scope="module")
def texts() -> Iterator[Texts]:
    with foreign_server() as foreign:
        xss = read_forms("xss_forms.txt", foreign)
        yield Texts(foreign, xss, read_forms("exfiltration_forms.txt", foreign, first=len(xss)))


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    path = chromium_path()
    if path is None:
        pytest.skip("needs Chromium (apt install chromium)")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def context(browser: playwright.Browser) -> Iterator[playwright.BrowserContext]:
    made = browser.new_context(viewport={"width": 1366, "height": 768}, locale="ru-RU")
    made.set_default_timeout(WAIT_MS)
    yield made
    made.close()


def batches(forms: list[Form], *, max_bytes: int, between: str = "\n\n") -> list[str]:
    """The forms joined to texts of at most so many bytes, each in one text whole."""
    made = [""]
    for form in forms:
        joined = made[-1] + between + form.text if made[-1] else form.text
        if len(joined.encode()) > max_bytes:
            made.append(form.text)
        else:
            made[-1] = joined
    return made


def open_view(page: playwright.Page, name: str) -> None:
    page.get_by_role("link", name=name).first.click()


def settle(page: playwright.Page) -> None:
    """Let whatever a text has begun come to its end."""
    page.wait_for_timeout(400)


def unshown(page: Any, forms: list[Form], wait_s: float = 30.0) -> list[str]:
    """The forms that do not stand on the page word for word, having waited; spaces and fences of code may differ."""
    deadline = time.monotonic() + wait_s
    while True:
        shown = "".join(page.evaluate(TEXT_JS).split())
        missing = [form.text for form in forms if not all(part in shown for part in _parts(form.text))]
        if not missing or time.monotonic() > deadline:
            return missing
        page.wait_for_timeout(200)


def _parts(text: str) -> list[str]:
    lines = [line for line in text.split("\n") if "```" not in line]
    return ["".join("\n".join(lines).split())] if "```" not in text else ["".join(line.split()) for line in lines]
