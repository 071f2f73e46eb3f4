"""The watch of hostile texts sees them act: a careless page that renders them in a real Chromium."""

# ruff: noqa: F811 - fixtures

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.browser_watch import MARKS_JS, Watch
from tests.hostile_texts import Form, Texts, browser, context, texts  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
markdown_it = pytest.importorskip("markdown_it", reason="needs the package markdown-it-py")

pytestmark = pytest.mark.browser

FRAMES = 60
READ_JS = """() => [...document.querySelectorAll("iframe")].every(({ contentDocument: inner }) =>
  !inner || (inner.URL !== "about:blank" && inner.readyState !== "loading"))"""


def shown_raw(form: Form) -> bytes:
    """What a careless page makes of a form: Markdown with its HTML."""
    renderer = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return f"<!doctype html><meta charset=utf-8><body>{renderer.render(form.text)}".encode()


@contextmanager
def careless_site(forms: list[Form]) -> Iterator[str]:
    """A site that renders each form in a page of its own; `/all/A-B` holds those from A up to B in frames."""
    pages = {f"/{form.n}": shown_raw(form) for form in forms}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            first, _, end = self.path.removeprefix("/all/").partition("-")
            numbers = range(int(first), int(end)) if end.isdigit() else ()
            frames = "".join(f'<iframe src="/{n}"></iframe>' for n in numbers).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(pages.get(self.path, frames))

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"control.test:{server.server_port}"
        server.shutdown()


def seen_raw(context: playwright.BrowserContext, texts: Texts, site: str) -> set[int]:
    """The numbers of the forms that the watch sees when each is rendered in a frame of a plain page."""
    watching, marked = Watch(context, {site}), set()
    count = len(texts.every)
    for first in range(0, count, FRAMES):
        page = context.new_page()
        page.goto(f"http://{site}/all/{first}-{min(first + FRAMES, count)}", wait_until="commit")
        page.wait_for_function(READ_JS)
        page.wait_for_timeout(500)
        for frame in page.frames:
            number = frame.url.rpartition("/")[2]
            if number.isdigit() and frame.evaluate(MARKS_JS):
                marked.add(int(number))
        page.close()
    acts = "\n".join([*watching.ran, *watching.asked, *texts.foreign.connections, ""])
    return {form.n for form in texts.every if form.n in marked or acted(form, acts)}


def acted(form: Form, acts: str) -> bool:
    return any(sign in acts for sign in (f"pwn ({form.n},)", f"dialog {form.n}\n", f"/n{form.n}.", f"/n{form.n}\n"))


def test_rendered_raw_in_a_plain_page_the_forms_run_and_ask_and_the_watch_sees_it(
    context: playwright.BrowserContext, texts: Texts
) -> None:
    with careless_site(texts.every) as site:
        seen = seen_raw(context, texts, site)
    assert sum(form.n in seen for form in texts.xss) >= 60
    assert sum(form.n in seen for form in texts.exfiltration) >= 120
    assert len(texts.foreign.connections) >= 60
