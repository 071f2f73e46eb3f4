"""Hostile texts where the real API never says them: answers from documents, notices, captions, refusals."""

# ruff: noqa: F811 - fixtures

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser_watch import Watch
from tests.hostile_texts import Texts, browser, context, open_view, texts, unshown  # noqa: F401 - fixtures
from tests.service import Service
from tests.ui_double import Double, serve

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def double(texts: Texts) -> Iterator[Double]:
    """An API that says what the real one checks or never says: hostile answers from documents, notices, refusals."""
    text = "\n\n".join(form.text for form in texts.every)
    with serve(Double(answer=f"{text} [1]", notice=text, pages=[text], refusal=text, escalate=True)) as running:
        place = {"n": 2, "document_id": "d1", "document": texts.xss[0].text, "page": 1, "section": text, "quote": text}
        running.conflicts = [{"kind": "other_value", "said": "1", "value": "2", "notice": text, "citation": place}]
        running.add(texts.xss[1].text, media_type="application/pdf")
        yield running


@pytest.fixture
def double_page_url(double: Double, tmp_path: Path) -> Iterator[str]:
    with Service(tmp_path, parts=("ui",), ui_api_url=double.url) as running:
        yield running.ui_url


def test_answers_from_documents_notices_conflicts_captions_and_refusals_show_as_text(
    context: playwright.BrowserContext, double_page_url: str, texts: Texts
) -> None:
    before = len(texts.foreign.connections)
    watch = Watch(context, {double_page_url.split("//")[1]})
    visit = context.new_page()
    visit.goto(double_page_url)
    visit.get_by_placeholder("Задайте вопрос").fill("Что сказано?")
    visit.get_by_placeholder("Задайте вопрос").press("Enter")
    visit.get_by_role("button", name="Копировать").wait_for()
    assert unshown(visit, texts.every) == []
    assert watch.findings(visit) == {}

    visit.get_by_role("button", name="2", exact=True).click()
    visit.get_by_role("dialog").get_by_role("img", name="Страница документа").wait_for()
    assert watch.findings(visit) == {}
    visit.keyboard.press("Escape")
    open_view(visit, "Проверка")
    visit.locator("input[type=file]").set_input_files({"name": "а.csv", "mimeType": "text/csv", "buffer": b"x"})
    visit.get_by_role("button", name="Начать проверку").click()
    assert unshown(visit, texts.every) == []
    assert watch.findings(visit) == {}
    assert texts.foreign.connections[before:] == []
