"""The page as people see it: the real service in a real Chromium, on a laptop and on a phone.

`SCREENSHOTS_DIR=docs/images pytest tests/test_ui_browser.py` makes the documentation's pictures again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser_watch import FLAGS, Watch, chromium_path
from tests.proxy import IS_THERE, proxy
from tests.service import Service
from ui.words import files

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

pytestmark = [pytest.mark.browser, pytest.mark.real_model]

SIZES = {"laptop": {"width": 1366, "height": 768}, "phone": {"width": 390, "height": 844}}
ANSWER_MS = 180_000
READY_MS = 120_000
READY = re.compile(r"Готов$")
NAME = "Положение об отпусках.pdf"
# The second one's expected answer is wrong on purpose, so that there is a failure to look at.
PAIRS = (
    "вопрос;ответ;документ;страница\r\n"
    "За сколько дней заказывают служебную машину?;за 3 дня;Машина.txt;\r\n"
    "До чего заказывают служебную машину?;неверно то, чего нет;Машина.txt;\r\n"
)
QUESTION = "За сколько дней подать заявление о переносе отпуска?"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of its own: what other tests upload would stand in the list, the answers and the pictures."""
    with Service(tmp_path_factory.mktemp("page"), ui_public_url="http://znayka.example.com") as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[playwright.Browser]:
    path = chromium_path()
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


@pytest.fixture(scope="module")
def page_url(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page's address through the proxy of the containers, with its policy, where nginx is installed."""
    if not IS_THERE:
        yield service.ui_url
        return
    with proxy(tmp_path_factory.mktemp("proxy"), api=service.api_url, ui=service.ui_url) as url:
        yield url.replace("127.0.0.1", "znayka.example.com")


@pytest.fixture(params=list(SIZES))
def visit(request, chromium, page_url: str) -> Iterator[playwright.Page]:
    """A page of its own at one size; what it asks of another host or does against the policy fails the test."""
    context = chromium.new_context(viewport=SIZES[request.param], locale="ru-RU", accept_downloads=True)
    watch = Watch(context, {urlsplit(page_url).netloc})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(page_url)
    page.get_by_role("link", name="Документы").first.wait_for()
    yield page
    assert watch.findings(page) == {}
    context.close()


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
    # The button knows a file once it has arrived; one pressed earlier would leave the others out.
    page.get_by_role("button", name=f"Загрузить {files(len(paths))}").click(timeout=READY_MS)
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


@pytest.mark.skipif(not IS_THERE, reason="needs nginx")
def test_what_gets_into_the_page_all_the_same_is_stopped_by_the_policy(chromium, page_url: str):
    context = chromium.new_context()
    watch = Watch(context, {urlsplit(page_url).netloc})
    page = context.new_page()
    page.goto(page_url)
    page.get_by_role("link", name="Документы").first.wait_for()
    page.evaluate(
        """() => {
          const add = (name, fields) => document.body.append(Object.assign(document.createElement(name), fields));
          const holder = document.createElement("div");
          holder.innerHTML = "<img src=x onerror=pwn(1)><svg onload=pwn(2)></svg><a id=run href='javascript:pwn(3)'>";
          document.body.append(holder);
          document.getElementById("run").click();
          add("script", { textContent: "pwn(4)" });
          add("script", { src: "http://foreign.test/a.js" });
          add("script", { src: "data:text/javascript,pwn(5)" });
          add("img", { src: "http://foreign.test/a.png" });
          add("link", { rel: "stylesheet", href: "http://foreign.test/a.css" });
          add("iframe", { src: "http://foreign.test/" });
          add("iframe", { srcdoc: "<script>parent.pwn(6)</script>" });
          add("base", { href: "http://foreign.test/" });
          fetch("http://foreign.test/").catch(() => {});
          new WebSocket("ws://foreign.test/");
          navigator.sendBeacon("http://foreign.test/");
          setTimeout("pwn(7)");
        }"""
    )
    page.wait_for_timeout(1000)
    kept = {"script-src", "img-src", "style-src", "connect-src", "base-uri", "default-src"}
    assert watch.ran == []
    assert kept <= {name for name in kept for said in watch.violations if f'"{name}' in said or f"'{name}" in said}
    context.close()


@pytest.mark.parametrize("visit", ["laptop"], indirect=True)
def test_a_visitor_checks_the_answers_with_questions_of_their_own(visit, tmp_path: Path, pictures: Path):
    path = tmp_path / "Машина.txt"
    path.write_text("Порядок отъезда.\n\nСлужебную машину заказывают за 3 дня до отъезда.\n", encoding="utf-8")
    upload(visit, path)
    card(visit, path.name).get_by_text(READY).wait_for(timeout=READY_MS)
    visit.get_by_role("link", name="Проверка").first.click()
    visit.get_by_text("Скачать образец").wait_for()  # until then the field for files is that of the view before
    visit.locator("input[type=file]").set_input_files(
        {"name": "Вопросы.csv", "mimeType": "text/csv", "buffer": PAIRS.encode("cp1251")}
    )
    visit.get_by_role("button", name="Начать проверку").click()
    visit.get_by_text(re.compile("Верный ответ: ")).wait_for(timeout=ANSWER_MS)
    visit.get_by_text("Найдено нужное место: 100").wait_for()
    visit.get_by_text("неверно то, чего нет").wait_for()
    save(visit, pictures, "evaluation")
    with visit.expect_download() as downloading:
        visit.get_by_role("button", name="Отчёт (HTML)").click()
    report = Path(downloading.value.path()).read_text(encoding="utf-8")
    assert "неверно то, чего нет" in report


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
