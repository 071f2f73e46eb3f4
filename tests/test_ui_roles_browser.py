"""The page behind a proxy that signs people in, a real nginx with `auth_request`: each sees and may do what is theirs.

`SCREENSHOTS_DIR=FOLDER pytest tests/test_ui_roles_browser.py` keeps the pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote, unquote

import httpx
import pytest

from core.types import Role
from retrieval.store import grants, keys, people
from retrieval.store.grants import ObjectKind, Opening, SubjectKind
from retrieval.store.keys import Terms
from tests.browser_watch import FLAGS, Watch, chromium_path
from tests.proxy import IS_THERE, proxy
from tests.service import Service
from tests.small_service import SmallService, small_service
from tests.test_ui_browser import SIZES, card, pictures, save  # noqa: F401 - fixture
from ui import documents, evaluations

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not IS_THERE, reason="needs nginx")]

HOST = "znayka.example.com"
WAIT_MS = 60_000
READER, EDITOR, ADMINISTRATOR = "Читатель", "Редактор", "Администратор"
NOBODY = '"><img src=x onerror=alert(1)> [x](javascript:alert(1))'
OPENED = {
    READER: ("кадры", Role.READER),
    EDITOR: ("счета", Role.EDITOR),
    ADMINISTRATOR: (None, Role.ADMINISTRATOR),
}
SIGN_IN = """server_name _;
        auth_request /who;
        auth_request_set $who $upstream_http_x_user;
        location = /who {
            internal;
            proxy_pass http://127.0.0.1:%d;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }"""


class Gate(BaseHTTPRequestHandler):
    """Knows people by their cookie, as a signing proxy does."""

    def do_GET(self) -> None:
        who = SimpleCookie(self.headers.get("Cookie", "")).get("who")
        self.send_response(204 if who else 401)
        if who:
            self.send_header("X-User", unquote(who.value).encode().decode("latin-1"))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    with small_service(tmp_path_factory.mktemp("roles"), trusted_proxy_addresses="127.0.0.1") as running:
        for name, collection in (("Отпуска.txt", "кадры"), ("Оплата.txt", "счета"), ("Тайное.txt", "дирекция")):
            running.base.add("Отпуск длится 28 дней.", name=name, collection=collection)
        with running.base.database.write() as conn:
            for name, (collection, role) in OPENED.items():
                kind = ObjectKind.COLLECTION if collection else ObjectKind.EVERYTHING
                people.add_user(conn, name, now=0)
                person = people.subject(conn, SubjectKind.USER, name)
                grants.give(conn, person, Opening(kind, collection or "", role), now=0)
            editor = people.subject(conn, SubjectKind.USER, EDITOR)
            grants.give(conn, editor, Opening(ObjectKind.COLLECTION, "кадры", Role.READER), now=0)
        yield running


@dataclass(frozen=True)
class Door:
    """Where people come in, and where one would come round the proxy."""

    url: str
    ui_url: str


@pytest.fixture(scope="module")
def door(service: SmallService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("page")
    with service.base.database.write() as conn:
        key = keys.create(conn, "страница", None, now=0, terms=Terms(Role.READER, speaks_for_users=True))
    settings = {"ui_api_url": service.url, "ui_api_key": key, "trusted_proxy_addresses": "127.0.0.1"}
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Gate) as gate,
        Service(folder, parts=("ui",), **settings) as page,
    ):
        Thread(target=gate.serve_forever, daemon=True).start()
        changes = {
            "server_name _;": SIGN_IN % gate.server_port,
            'X-Forwarded-User ""': "X-Forwarded-User $who",
        }
        with proxy(folder, api=service.url, ui=page.ui_url, changes=changes) as url:
            yield Door(url, page.ui_url)
        gate.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    path = chromium_path()
    if path is None:
        pytest.skip("needs Chromium (apt install chromium)")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


Visit = Callable[..., playwright.Page]


@pytest.fixture
def visit(browser: playwright.Browser, door: Door) -> Iterator[Visit]:
    """Come in as somebody, by the name that the company gives the page."""
    watches = []

    def come_in(name: str, path: str = "documents", size: str = "laptop") -> playwright.Page:
        context = browser.new_context(viewport=SIZES[size], locale="ru-RU")
        context.set_default_timeout(WAIT_MS)
        home = f"{HOST}:{door.url.rsplit(':', 1)[1]}"
        context.add_cookies([{"name": "who", "value": quote(name, safe=""), "url": f"http://{home}"}])
        page = context.new_page()
        watches.append((Watch(context, {home}), page))
        page.goto(f"http://{home}/{path}")
        page.get_by_text(f"Вы вошли как {name}").wait_for()
        return page

    yield come_in
    for watch, page in watches:
        assert watch.findings(page) == {}
        page.context.close()


def names(page: playwright.Page) -> set[str]:
    return {name for name in ("Отпуска.txt", "Оплата.txt", "Тайное.txt") if page.get_by_text(name).count()}


def offered(page: playwright.Page, label: str) -> list[str]:
    page.get_by_role("combobox", name=label).click()
    options = page.get_by_role("option")
    options.first.wait_for()
    shown = options.all_inner_texts()
    page.keyboard.press("Escape")
    return [name.strip() for name in shown]


@pytest.mark.parametrize("size", list(SIZES))
def test_a_reader_finds_no_control_that_would_be_refused(visit: Visit, size: str, pictures: Path) -> None:  # noqa: F811
    page = visit(READER, size=size)
    card(page, "Отпуска.txt").wait_for()
    assert names(page) == {"Отпуска.txt"}
    page.get_by_text(documents.READ_ONLY).wait_for()
    save(page, pictures, "documents-reader")
    for label in ("Загрузить", "Удалить"):
        assert page.get_by_role("button", name=label).count() == 0
    assert card(page, "Отпуска.txt").get_by_role("button", name="Скачать").count() == 1

    page.get_by_role("link", name="Проверка").first.click()
    page.get_by_text(evaluations.READ_ONLY).wait_for()
    save(page, pictures, "evaluation-reader")
    assert page.get_by_role("button", name="Начать проверку").count() == 0


def test_an_editor_changes_their_collections_and_only_reads_others(
    visit: Visit,
    service: SmallService,
    pictures: Path,  # noqa: F811
) -> None:
    page = visit(EDITOR)
    card(page, "Оплата.txt").wait_for()
    assert names(page) == {"Отпуска.txt", "Оплата.txt"}
    save(page, pictures, "documents-editor")
    assert card(page, "Отпуска.txt").get_by_role("button", name="Удалить").count() == 0
    assert offered(page, "В какую коллекцию") == ["счета"]
    page.locator("input[type=file]").set_input_files(
        {"name": "Счёт.txt", "mimeType": "text/plain", "buffer": "Счёт оплачен.".encode()}
    )
    page.get_by_role("button", name="Загрузить").last.click()
    page.get_by_text("Принято: 1 файл").wait_for()

    card(page, "Счёт.txt").get_by_role("button", name="Удалить").click()
    page.get_by_role("button", name="Удалить навсегда").click()
    card(page, "Счёт.txt").wait_for(state="detached")
    page.get_by_role("link", name="Проверка").first.click()
    page.get_by_text("Скачать образец").wait_for()
    assert offered(page, "По каким документам") == ["счета"]


def test_an_administrator_may_change_everything_and_make_collections(visit: Visit) -> None:
    page = visit(ADMINISTRATOR)
    card(page, "Тайное.txt").wait_for()
    assert names(page) == {"Отпуска.txt", "Оплата.txt", "Тайное.txt"}
    page.locator('[class*="st-key-document-"]').get_by_role("button", name="Удалить").nth(2).wait_for()
    assert "Новая коллекция…" in offered(page, "В какую коллекцию")


def test_a_person_to_whom_nothing_is_open_is_told_whom_to_ask_and_a_name_is_shown_as_text(visit: Visit) -> None:
    page = visit(NOBODY, path="")
    page.get_by_text("Попросите администратора открыть").wait_for()
    assert page.get_by_role("link", name="Загрузить документы").count() == 0


def test_nobody_comes_in_without_signing_in_or_by_naming_themselves(door: Door, browser: playwright.Browser) -> None:
    claimed = {"X-Forwarded-User": quote(ADMINISTRATOR), "X-User": "admin"}
    for path in ("/", "/v1/documents", "/_stcore/health"):
        assert httpx.get(f"{door.url}{path}", headers=claimed, trust_env=False).status_code == 401
