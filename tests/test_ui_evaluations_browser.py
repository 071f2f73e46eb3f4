"""«Проверка» as people see it, in a real Chromium on a laptop and on a phone, over a double of the API.

The double stands for what a real run is too slow or too good to show: half done, worse than before, a wrong refusal.
A run by the real service is in `test_ui_browser.py`.

`SCREENSHOTS_DIR=FOLDER pytest tests/test_ui_evaluations_browser.py` keeps the pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import Service
from tests.test_ui_browser import SIZES, chromium, pictures, save  # noqa: F401 - fixtures
from tests.ui_double import Double, serve

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

pytestmark = pytest.mark.browser

NAME = "Вопросы бухгалтерии и отдела кадров за второе полугодие.csv"
WAIT_MS = 60_000
WITHHELD = (
    "Отчёт приводит слова документов, которых уже нет: их удалили, заменили новой редакцией или закрыли для вас. "
    "Показатели остались; чтобы увидеть вопросы по отдельности, запустите проверку снова."
)


@pytest.fixture(scope="module")
def double() -> Iterator[Double]:
    with serve(Double()) as running:
        running.add("Положение об отпусках.pdf", collection="Кадры")
        yield running


@pytest.fixture(scope="module")
def page_service(double: Double, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("page"), parts=("ui",), ui_api_url=double.url) as running:
        yield running


@pytest.fixture(params=list(SIZES))
def visit(request, chromium, page_service: Service) -> Iterator[playwright.Page]:  # noqa: F811
    context = chromium.new_context(viewport=SIZES[request.param], locale="ru-RU", accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(page_service.ui_url)
    page.get_by_role("link", name="Проверка").first.click()
    page.get_by_text("Скачать образец").wait_for()
    yield page
    context.close()


def test_a_visitor_starts_follows_and_reads_an_evaluation(visit, double: Double, pictures: Path):  # noqa: F811
    double.evaluations.clear()
    double.withheld = ""
    save(visit, pictures, "evaluation-start")
    visit.locator("input[type=file]").set_input_files({"name": NAME, "mimeType": "text/csv", "buffer": b"x"})
    visit.get_by_role("button", name="Начать проверку").click()
    visit.get_by_text("Задано 12 из 50 вопросов").wait_for()
    save(visit, pictures, "evaluation-running")

    double.evaluations[0].update(double.finished())
    visit.get_by_text("Верный ответ: 84").wait_for()
    save(visit, pictures, "evaluation-result")
    visit.get_by_text("Что нашлось: 1").click()
    visit.get_by_text("место с ответом").scroll_into_view_if_needed()
    save(visit, pictures, "evaluation-errors")
    with visit.expect_download() as downloading:
        visit.get_by_role("button", name="Отчёт (HTML)").click()
    assert downloading.value.suggested_filename.endswith(".html")

    double.withheld = WITHHELD
    visit.reload()
    visit.get_by_text(WITHHELD).wait_for()
    visit.get_by_role("button", name="Отчёт (HTML)").wait_for(state="detached")
    visit.wait_for_function("() => !document.body.innerText.includes('28 дней')")
    assert visit.get_by_text("Failed to").count() == 0
    visit.get_by_text(WITHHELD).scroll_into_view_if_needed()
    save(visit, pictures, "evaluation-withheld")
