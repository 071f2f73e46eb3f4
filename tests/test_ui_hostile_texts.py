"""Hostile texts in every place of the page where a text of others stands, in a real Chromium before the real API.

Nothing runs, nothing is asked of another host, no markup comes of them, and they are shown word for word: without any
policy of the browser's, which the proxy only adds. A plain page that renders the same texts shows that this is seen.
"""

# ruff: noqa: F811 - fixtures

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from core.types import Problem
from retrieval.store import documents, jobs
from retrieval.store.documents import Upload
from tests.browser_watch import Watch
from tests.hostile_texts import (  # noqa: F401 - fixtures
    Texts,
    batches,
    browser,
    context,
    open_view,
    settle,
    texts,
    unshown,
)
from tests.service import Service
from tests.small_base import EVERYONE
from tests.small_service import SmallService, small_service

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

pytestmark = pytest.mark.browser

NAME_BYTES = 800
LARGE = 60_000
RUN_S = 120


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    folder = tmp_path_factory.mktemp("hostile")
    limits = {"question_max_chars": LARGE, "llm_context_tokens": LARGE, "answer_max_tokens": LARGE // 2}
    with small_service(folder, **limits) as running:
        yield running


@pytest.fixture(scope="module")
def page_url(api: SmallService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    with Service(folder, parts=("ui",), ui_api_url=api.url, question_max_chars=LARGE) as running:
        yield running.ui_url


@pytest.fixture
def watch(context: playwright.BrowserContext, page_url: str, texts: Texts) -> Iterator[Watch]:
    """The page's own host alone may be asked; whatever the foreign server hears fails the test."""
    before = len(texts.foreign.connections)
    watching = Watch(context, {page_url.split("//")[1]})
    yield watching
    assert texts.foreign.connections[before:] == []


@pytest.fixture
def visit(context: playwright.BrowserContext, watch: Watch, page_url: str) -> playwright.Page:
    page = context.new_page()
    page.goto(page_url)
    page.get_by_role("link", name="Документы").first.wait_for()
    return page


def test_names_of_documents_and_collections_and_reasons_of_failure_show_as_text(
    visit: playwright.Page, watch: Watch, api: SmallService, texts: Texts
) -> None:
    short = [form.text for form in texts.every if len(form.text) <= 90]
    names = batches(texts.every, max_bytes=NAME_BYTES)
    for n, name in enumerate(names):
        api.base.add("Текст.", name=name, collection=short[n])
    open_view(visit, "Документы")
    later = unshown(visit, texts.every, wait_s=3)
    assert watch.findings(visit) == {}
    visit.get_by_role("button", name="Дальше").click()
    assert unshown(visit, [form for form in texts.every if form.text in later]) == []
    assert watch.findings(visit) == {}
    visit.get_by_role("button", name="Назад").click()
    fail(api, "Не прочитан.pdf", "\n\n".join(form.text for form in texts.every))
    open_view(visit, "Вопросы")
    open_view(visit, "Документы")
    visit.get_by_text("Не прочитан.pdf").wait_for()
    assert unshown(visit, texts.every) == []
    assert watch.findings(visit) == {}

    visit.locator('[class*="st-key-document-"]').nth(1).get_by_role("button", name="Удалить").click()
    visit.get_by_role("button", name="Удалить навсегда").wait_for()
    settle(visit)
    assert watch.findings(visit) == {}
    remove_all(api)


def fail(api: SmallService, name: str, reason: str) -> None:
    """End a document as the worker does, with a reason."""
    with api.base.database.write() as conn:
        upload = Upload(name, "default", "text/plain", 1, "f" * 64)
        document = documents.add(conn, upload, EVERYONE, now=1e6)
        jobs.lease(conn, "test", limit=10, now=1e6)
        jobs.fail(conn, document.id, "test", Problem("unreadable", reason), now=1e6)


def remove_all(api: SmallService) -> None:
    with api.client() as http:
        for one in http.get("/v1/documents", params={"limit": 500}).json()["items"]:
            api.base.remove(one["id"])


def test_refused_uploads_name_their_files_as_text(visit: playwright.Page, watch: Watch, texts: Texts) -> None:
    names = [name.replace("/", "∕") for name in batches(texts.every, max_bytes=200, between=" ")][:60]
    open_view(visit, "Документы")
    files = [{"name": name, "mimeType": "application/x-msdownload", "buffer": b"MZ\x90\0"} for name in names]
    visit.locator("input[type=file]").set_input_files(files)
    visit.get_by_role("button", name="Загрузить").last.click()
    refusals = visit.locator('[class*="st-key-notice-error-refused-"]')
    refusals.nth(len(names) - 1).wait_for()
    settle(visit)
    assert watch.findings(visit) == {}


def test_questions_answers_and_the_history_show_as_text(
    visit: playwright.Page, watch: Watch, api: SmallService, texts: Texts
) -> None:
    visit.get_by_text("Без документов").click()
    visit.get_by_text("ничего не проверяется").wait_for()
    field = visit.get_by_placeholder("Задайте вопрос")
    for n, text in enumerate(batches(texts.every, max_bytes=8000)):
        api.model.says, api.model.pause_s = text, 0.001
        field.fill(text)
        field.press("Enter")
        visit.get_by_role("button", name="Остановить").wait_for()
        assert watch.findings(visit) == {}
        visit.get_by_role("button", name="Копировать").nth(n).wait_for()
        assert [message["content"] for message in api.model.requests[-1]["messages"]][-1] == text
    api.model.pause_s = 0.0
    settle(visit)
    assert unshown(visit, texts.every) == []
    assert watch.findings(visit) == {}


def test_passages_sections_quotes_and_the_source_show_as_text(
    visit: playwright.Page, watch: Watch, api: SmallService, texts: Texts
) -> None:
    every = batches(texts.every, max_bytes=5000)
    names = batches(texts.every, max_bytes=NAME_BYTES)
    for n, text in enumerate(every):
        passage = f"Гостевой пропуск номер {n} выдаёт бюро пропусков. {text}"
        api.base.add(passage, name=names[n], sections=[names[-1 - n]])
    api.model.says = f"Гостевой пропуск выдаёт бюро пропусков {texts.xss[0].text} [1]."
    visit.get_by_placeholder("Задайте вопрос").fill("Кто выдаёт гостевой пропуск?")
    visit.get_by_placeholder("Задайте вопрос").press("Enter")
    visit.get_by_text("Что нашлось в документах").click()
    buttons = visit.get_by_role("button", name="Открыть страницу")
    buttons.first.wait_for()
    settle(visit)
    assert unshown(visit, texts.every) == []
    assert watch.findings(visit) == {}
    for n in range(buttons.count()):
        buttons.nth(n).click()
        visit.get_by_role("dialog").locator("mark").first.wait_for()
        settle(visit)
        assert watch.findings(visit) == {}
        visit.keyboard.press("Escape")
        visit.get_by_role("dialog").wait_for(state="hidden")
    remove_all(api)


def test_an_evaluation_and_its_report_show_them_as_text(
    visit: playwright.Page, watch: Watch, api: SmallService, texts: Texts, context: playwright.BrowserContext
) -> None:
    api.base.add("Гостевой пропуск выдаёт бюро пропусков.", name=batches(texts.xss, max_bytes=NAME_BYTES)[0])
    every = batches(texts.every, max_bytes=2500)
    run = evaluate(api, every)
    api.model.says = "[]"
    open_view(visit, "Проверка")
    visit.get_by_text("Получено: ").nth(len(every) - 1).wait_for()
    assert unshown(visit, texts.every) == []
    assert watch.findings(visit) == {}
    watch.home |= {api.url.split("//")[1], "report.test"}
    report = httpx.get(f"{api.url}/v1/evaluations/{run}/report", trust_env=False).text
    context.route("http://report.test/", lambda route: route.fulfill(body=report, content_type="text/html"))
    for address in (f"{api.url}/v1/evaluations/{run}/report", "http://report.test/"):
        visit.goto(address, wait_until="domcontentloaded")
        visit.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        settle(visit)
        assert unshown(visit, texts.every) == []
        assert watch.findings(visit) == {}


def evaluate(api: SmallService, texts: list[str]) -> str:
    """Run an evaluation whose questions, expected answers and file name are these texts; return its id."""
    cell: Callable[[str], str] = lambda text: '"' + text.replace('"', '""') + '"'  # noqa: E731
    rows = "\r\n".join(f"{cell(text)};{cell(text)};{cell(text[:200])};" for text in texts)
    table = f"вопрос;ответ;документ;страница\r\n{rows}\r\n".encode()
    with api.client() as http:
        sent: Any = http.post("/v1/evaluations", files={"file": (f"{texts[0][:200]}.csv", table)})
        assert sent.status_code == 202, sent.text
        deadline = time.monotonic() + RUN_S
        while (run := http.get(f"/v1/evaluations/{sent.json()['id']}").json())["status"] == "running":
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert run["status"] == "done", run
    return str(run["id"])
