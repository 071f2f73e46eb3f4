"""The page as people see it: the real service in a real Chromium, on a laptop and on a phone.

`SCREENSHOTS_DIR=docs/images pytest tests/test_ui_browser.py` makes the documentation's pictures again.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.service import Service

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

pytestmark = [pytest.mark.browser, pytest.mark.real_model]

FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
SIZES = {"laptop": {"width": 1366, "height": 768}, "phone": {"width": 390, "height": 844}}
ANSWER_MS = 180_000
READY_MS = 120_000
READY = re.compile(r"Готов$")
NAME = "Положение об отпусках.pdf"
QUESTION = "За сколько дней подать заявление о переносе отпуска?"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of its own: what other tests upload would stand in the list, the answers and the pictures."""
    with Service(tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[playwright.Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium (apt install chromium)")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("SCREENSHOTS_DIR", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(params=list(SIZES))
def visit(request, chromium, service: Service) -> Iterator[playwright.Page]:
    """A page of its own at one size; whatever it asks of another host than the page's fails the test."""
    context = chromium.new_context(viewport=SIZES[request.param], locale="ru-RU", accept_downloads=True)
    foreign: list[str] = []
    home = urlsplit(service.ui_url).netloc

    def watch(asked: playwright.Request) -> None:
        parts = urlsplit(asked.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != home:
            foreign.append(asked.url)

    context.on("request", watch)
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto(service.ui_url)
    page.get_by_role("link", name="Документы").first.wait_for()
    yield page
    context.close()
    assert foreign == []


def save(page: playwright.Page, folder: Path, name: str) -> None:
    """Take a picture, having checked that nothing is cut off at the right."""
    page.wait_for_timeout(700)
    suffix = "-phone" if page.viewport_size == SIZES["phone"] else ""
    page.screenshot(path=folder / f"{name}{suffix}.png")
    too_wide = """() => [document.documentElement, ...document.querySelectorAll('[data-testid="stMain"]')]
        .some(element => element.scrollWidth > element.clientWidth)"""
    assert not page.evaluate(too_wide)


def upload(page: playwright.Page, *paths: Path) -> None:
    page.get_by_role("link", name="Документы").first.click()
    page.locator("input[type=file]").set_input_files(paths)
    page.get_by_role("button", name="Загрузить").last.click()
    page.get_by_text("Принято").or_(page.get_by_text("уже есть в базе")).first.wait_for(timeout=READY_MS)


def card(page: playwright.Page, name: str) -> playwright.Locator:
    return page.locator('[class*="st-key-document-"]').filter(has_text=name)


def ask(page: playwright.Page, question: str) -> None:
    page.get_by_role("link", name="Вопросы").first.click()
    field = page.get_by_placeholder("Задайте вопрос")
    field.wait_for()
    field.fill(question)
    field.press("Enter")


def test_a_visitor_uploads_asks_opens_the_source_and_deletes(visit, examples: Path, pictures: Path):
    upload(visit, *sorted(path for path in examples.iterdir() if path.suffix in {".pdf", ".docx", ".md"}))
    card(visit, NAME).get_by_text(READY).wait_for(timeout=READY_MS)
    save(visit, pictures, "documents")

    ask(visit, QUESTION)
    visit.get_by_role("button", name="Копировать").wait_for(timeout=ANSWER_MS)
    visit.get_by_text("Что нашлось в документах").wait_for()
    save(visit, pictures, "questions")

    visit.get_by_role("button", name="1", exact=True).click()
    dialog = visit.get_by_role("dialog")
    dialog.get_by_text(NAME).wait_for()
    dialog.get_by_role("img", name="Страница документа").wait_for(timeout=30_000)
    save(visit, pictures, "source")
    visit.keyboard.press("Escape")
    dialog.wait_for(state="hidden")

    visit.get_by_role("link", name="Документы").first.click()
    card(visit, NAME).get_by_role("button", name="Удалить").click()
    visit.get_by_role("button", name="Удалить навсегда").click()
    card(visit, NAME).wait_for(state="detached")


def test_a_text_document_opens_with_its_words_marked(visit, tmp_path: Path):
    path = tmp_path / "Пропуск.txt"
    path.write_text("Порядок прохода.\n\nГостевой пропуск выдаёт бюро пропусков в комнате 114.\n", encoding="utf-8")
    upload(visit, path)
    card(visit, path.name).get_by_text(READY).wait_for(timeout=READY_MS)
    ask(visit, "Где выдают гостевой пропуск?")
    visit.get_by_role("button", name="Копировать").wait_for(timeout=ANSWER_MS)
    visit.get_by_text("Что нашлось в документах").click()
    visit.get_by_role("button", name="Открыть страницу").first.click()
    visit.get_by_role("dialog").locator("mark").filter(has_text="комнате 114").wait_for()


def test_an_answer_can_be_stopped(visit):
    visit.get_by_text("Без документов").click()
    visit.get_by_text("ничего не проверяется").wait_for()
    ask(visit, f"Напиши длинный рассказ о море на {visit.viewport_size['width']} слов.")
    visit.get_by_role("button", name="Остановить").click()
    visit.get_by_text("Ответ остановлен.").wait_for(timeout=5_000)
    visit.get_by_placeholder("Задайте вопрос").wait_for()


def test_the_original_comes_back_byte_for_byte(visit, examples: Path):
    path = examples / NAME
    upload(visit, path)
    card(visit, NAME).get_by_text(READY).wait_for(timeout=READY_MS)  # until then the card is drawn anew every second
    with visit.expect_download() as downloading:
        card(visit, NAME).get_by_role("button", name="Скачать").click()
    downloaded = downloading.value
    assert downloaded.suggested_filename == NAME
    assert Path(downloaded.path()).read_bytes() == path.read_bytes()


def test_a_file_over_the_limit_is_refused_with_what_to_do(visit, service: Service, tmp_path: Path):
    path = tmp_path / "Архив.zip"
    with path.open("wb") as file:
        file.truncate(service.settings.upload_max_bytes + 1)
    visit.get_by_role("link", name="Документы").first.click()
    visit.locator("input[type=file]").set_input_files(path)
    visit.get_by_text("Разделите его на части").wait_for()


def test_streamlits_own_words_are_russian(visit):
    visit.get_by_role("link", name="Документы").first.click()
    visit.get_by_text("Выбрать файлы").wait_for()
    assert visit.evaluate("document.documentElement.lang") == "ru"
    for word in ("Upload", "Browse files", "Deploy", "Press Enter to apply"):
        assert visit.get_by_text(word, exact=True).filter(visible=True).count() == 0
