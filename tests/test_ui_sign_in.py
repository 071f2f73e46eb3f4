"""Signing in to the page: by the provider in a real browser, by a proxy's header, never by going round them."""

from __future__ import annotations

import shutil
import stat
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from streamlit.runtime.context import StreamlitHeaders

import ui.visitor
from cli.process import Process, tail
from core.errors import Misconfigured
from core.settings import Settings
from core.types import Role
from retrieval.store import grants, people
from retrieval.store.grants import ObjectKind, Opening, SubjectKind
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, Provider, identity_provider
from tests.service import free_ports, service_environment
from tests.small_service import SmallService, small_service
from ui.sign_in import write_secrets
from ui.visitor import Visitor, visitor

BEHIND_PROXY = Settings(trusted_proxy_addresses="10.0.0.0/8, 127.0.0.1", ui_api_key="key of the page")
BY_TOKEN = Settings(
    oidc_issuer="https://id.example.com",
    oidc_client_id=CLIENT_ID,
    oidc_client_secret='a "quoted" \\ secret',
    ui_public_url="https://znayka.example.com/",
)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What Streamlit tells of the visitor; tests set its fields. `shown` is what the visitor was shown instead."""
    told = SimpleNamespace(
        context=SimpleNamespace(ip_address=None, headers=StreamlitHeaders([])),
        user=SimpleNamespace(is_logged_in=False, tokens={}, get={}.get),
        shown=[],
        login=None,
        button=lambda label, **_more: told.shown.append(label),
    )
    monkeypatch.setattr(ui.visitor, "st", told)
    monkeypatch.setattr(ui.visitor, "notice", lambda _kind, text, **_more: told.shown.append(text))
    return told


def headers(*pairs: tuple[str, str]) -> StreamlitHeaders:
    """Headers as Streamlit has them: bytes read as Latin-1."""
    return StreamlitHeaders([(name, value.encode().decode("latin-1")) for name, value in pairs])


def test_without_sign_in_the_page_asks_with_its_key(page: SimpleNamespace) -> None:
    page.context.headers = headers(("X-Forwarded-User", "admin"))
    assert visitor(Settings(ui_api_key="key of the page")) == Visitor("key of the page")


def test_behind_a_proxy_the_page_asks_for_the_person_whom_it_names(page: SimpleNamespace) -> None:
    for address in ("10.1.2.3", None):  # Streamlit tells None for this machine
        page.context.ip_address = address
        page.context.headers = headers(("x-forwarded-user", "Иванов"), ("x-forwarded-groups", "кадры,счета"))
        known = visitor(BEHIND_PROXY)
        assert known is not None
        assert known.name == "Иванов"
        assert known.headers == (("X-Forwarded-User", "Иванов"), ("X-Forwarded-Groups", "кадры,счета"))


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("192.168.0.7", [("X-Forwarded-User", "admin")]),
        ("10.1.2.3", []),
        ("10.1.2.3", [("X-Forwarded-User", "admin"), ("X-Forwarded-User", "иванов")]),
    ],
    ids=["from another address", "without a name", "with two names"],
)
def test_whoever_comes_round_the_proxy_is_shown_where_to_come_in(
    page: SimpleNamespace, address: str, sent: list[tuple[str, str]]
) -> None:
    page.context.ip_address, page.context.headers = address, headers(*sent)
    assert visitor(BEHIND_PROXY) is None
    assert page.shown == [ui.visitor.ROUND_THE_PROXY]


def test_whoever_is_not_signed_in_or_no_longer_is_offered_to_sign_in(page: SimpleNamespace) -> None:
    assert visitor(BY_TOKEN) is None
    claims = {"exp": time.time() + 5, "preferred_username": "иванов"}
    page.user = SimpleNamespace(is_logged_in=True, tokens={"id": "a.b.c"}, get=claims.get)
    assert visitor(BY_TOKEN) is None
    assert page.shown == [ui.visitor.SIGN_IN, "Войти", ui.visitor.SESSION_OVER, "Войти"]
    claims["exp"] += 600
    known = visitor(BY_TOKEN)
    assert known == Visitor("a.b.c", "иванов", may_leave=True)
    assert "a.b.c" not in repr(known)


def test_what_streamlit_needs_to_sign_people_in_is_readable_to_this_user_alone(tmp_path: Path) -> None:
    path = write_secrets(BY_TOKEN, tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    auth = tomllib.loads(path.read_text(encoding="utf-8"))["auth"]
    assert auth["client_secret"] == 'a "quoted" \\ secret'
    assert auth["redirect_uri"] == "https://znayka.example.com/oauth2callback"
    assert len(auth["cookie_secret"]) >= 32
    assert auth["client_kwargs"] == {"prompt": []}, "Streamlit's own choice is refused by strict providers"
    with pytest.raises(Misconfigured, match="ZNAYKA_UI_PUBLIC_URL"):
        write_secrets(Settings(oidc_issuer="https://id.example.com", oidc_client_id=CLIENT_ID), tmp_path)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with identity_provider() as running:
        running.person = {"sub": "7", "preferred_username": "Петров", "groups": ["кадровики"]}
        yield running


@pytest.fixture
def service(tmp_path: Path, provider: Provider) -> Iterator[SmallService]:
    with small_service(tmp_path, oidc_issuer=provider.url, oidc_client_id=CLIENT_ID) as running:
        running.base.add("Отпуск длится 28 дней.", collection="кадры", name="Отпуска.txt")
        running.base.add("Премия тайная.", collection="дирекция", name="Тайное.txt")
        with running.base.database.write() as conn:
            people.add_group(conn, "кадровики", now=0)
            group = people.subject(conn, SubjectKind.GROUP, "кадровики")
            grants.give(conn, group, Opening(ObjectKind.COLLECTION, "кадры", Role.READER), now=0)
        yield running


@pytest.fixture
def page_url(tmp_path: Path, provider: Provider, service: SmallService) -> Iterator[str]:
    (port,) = free_ports(1)
    url = f"http://localhost:{port}"
    chosen: dict[str, Any] = {
        "data_dir": tmp_path,
        "ui_port": port,
        "ui_api_url": service.url,
        "ui_public_url": url,
        "oidc_issuer": provider.url,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
    }
    log = tmp_path / "ui.log"
    process = Process((sys.executable, "-m", "ui"), log=log, env=service_environment(chosen))
    deadline = time.monotonic() + 240
    while not _is_up(url):
        assert process.poll() is None, tail(log, 30)
        assert time.monotonic() < deadline, tail(log, 30)
        time.sleep(0.2)
    yield url
    process.kill()


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/_stcore/health", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@pytest.mark.browser
def test_a_person_signs_in_in_the_browser_and_sees_their_documents_alone(
    page_url: str, service: SmallService, provider: Provider
) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium (apt install chromium)")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        visit = browser.new_page(locale="ru-RU")
        visit.set_default_timeout(180_000)
        visit.goto(f"{page_url}/documents")
        visit.get_by_role("button", name="Войти").click()
        visit.get_by_text("Вы вошли как Петров").wait_for()
        visit.goto(f"{page_url}/documents")
        visit.get_by_text("Отпуска.txt").first.wait_for()
        assert visit.get_by_text("Тайное.txt").count() == 0
        assert provider.exchanges == 1
        visit.get_by_role("button", name="Выйти").click()
        visit.get_by_role("button", name="Войти").wait_for()
        browser.close()
