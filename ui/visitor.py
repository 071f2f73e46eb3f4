"""Who looks at the page: somebody whom the company's sign-in vouches for, or, where there is none, whoever opens it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

import streamlit as st

from core.settings import Settings
from ui.client import Client
from ui.look import notice, quiet

LOOPBACK = "127.0.0.1"
SPARE_S = 30  # a token that ends this soon would end in the middle of an answer
ROUND_THE_PROXY = (
    "Страница открывается через вход компании, а этот запрос пришёл в обход него. "
    "Откройте страницу по адресу, который дал администратор."
)
SIGN_IN = "Войдите, чтобы спрашивать по документам, которые вам открыты."
SESSION_OVER = "Время входа истекло. Войдите снова."


@dataclass(frozen=True, slots=True)
class Visitor:
    """What the page shows to the API in this visitor's name; `name` is empty where people do not sign in."""

    key: str = field(repr=False)
    name: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    may_leave: bool = False


def visitor(settings: Settings) -> Visitor | None:
    """Return who looks at the page; None when they have been shown how to come in instead."""
    shared = settings.ui_api_key.get_secret_value()
    if settings.trusted_networks and (named := _by_proxy(settings, shared)):
        return named
    if settings.oidc_issuer:
        return _by_token(settings)
    if settings.trusted_networks:
        notice("error", ROUND_THE_PROXY, key="visitor")
        return None
    return Visitor(shared)


def show_visitor(known: Visitor) -> None:
    """Say under whose name the page asks, and let those who signed in here sign out."""
    if not known.name:
        return
    quiet(f"Вы вошли как {known.name}", key="visitor")
    if known.may_leave:
        st.button("Выйти", on_click=st.logout)


def _by_proxy(settings: Settings, shared: str) -> Visitor | None:
    peer = ip_address(st.context.ip_address or LOOPBACK)  # Streamlit tells no address for this machine's own
    if not any(peer in network for network in settings.trusted_networks):
        return None
    sent = {
        name: [_readable(value) for value in st.context.headers.get_all(name)]
        for name in (settings.trusted_proxy_user_header, settings.trusted_proxy_groups_header)
    }
    names = sent[settings.trusted_proxy_user_header]
    if len(names) != 1:
        return None
    return Visitor(shared, names[0], tuple((name, value) for name, values in sent.items() for value in values))


def _by_token(settings: Settings) -> Visitor | None:
    if not st.user.is_logged_in:
        _offer(SIGN_IN, st.login)
        return None
    token, ends_at = st.user.tokens.get("id"), st.user.get("exp")
    if not isinstance(token, str) or not isinstance(ends_at, int | float) or ends_at < time.time() + SPARE_S:
        _offer(SESSION_OVER, st.login)
        return None
    return Visitor(token, str(st.user.get(settings.oidc_user_claim) or ""), may_leave=True)


def _offer(words: str, sign_in: Callable[[], None]) -> None:
    notice("info", words, key="visitor")
    st.button("Войти", type="primary", on_click=sign_in)


def _readable(value: str) -> str:
    """Undo what HTTP makes of UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def client_of(known: Visitor, url: str) -> Client:
    """The API as this visitor may use it."""
    return Client(url, known.key, known.headers)
