"""No route fetches an address or opens a path that a caller names."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from core.types import Role
from tests.small_service import SmallService, small_service

SECRET = "в этой записке тайна Рюрика"
_ADDRESSES = re.compile(r"ur[li]|path|file|host|callback|webhook|endpoint|address|image|remote|source", re.IGNORECASE)
# Names that sound like an address, looked at one by one.
REVIEWED = {
    "file",  # the bytes themselves, in a form
    "address",  # of who called, told by the audit log
}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/search": {"query": "отпуск", "collection": None},
    "/v1/ask": {"question": "Сколько дней отпуск?", "collection": None},
    "/v1/extract": {
        "instruction": "Дни",
        "json_schema": {"type": "object", "properties": {"days": {"type": "string"}}},
        "collection": None,
        "document_id": None,
    },
    "/v1/chat/completions": {
        "model": "znayka",
        "messages": [{"role": "user", "content": "Отпуск?"}],
        "collection": None,
    },
    "/v1/feedback": {"verdict": "up", "question": "Отпуск?", "answer": "28 дней.", "document_ids": ["x"]},
    "/v1/users": {"name": "человек"},
    "/v1/groups": {"name": "люди"},
    "/v1/keys": {"name": "ключ"},
    "/v1/policies": {"collection": "Я", "personal_data": "allow"},
}


class Lure:
    """Listens; remembers whoever connects."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/lure"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, address = self._server.accept()
            except OSError:
                return
            self.heard.append(address)
            connection.close()

    def close(self) -> None:
        self._server.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    with small_service(tmp_path_factory.mktemp("addresses")) as running:
        running.base.add("Отпуск длится 28 дней.")
        yield running


@pytest.fixture(scope="module")
def admin(service: SmallService) -> httpx.Client:
    return service.client(service.key("admin", role=Role.ADMINISTRATOR))


@pytest.fixture
def lure() -> Iterator[Lure]:
    listening = Lure()
    yield listening
    listening.close()


def changed(value: Any, to: str) -> Iterator[Any]:
    """The value with one of its strings, or what stands for none, replaced; once for each."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ({**value, key: one} for one in changed(inner, to))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from ([*value[:at], one, *value[at + 1 :]] for one in changed(inner, to))
    elif isinstance(value, str) or value is None:
        yield to


def names(schema: Any) -> Iterator[str]:
    """Every property and parameter that the API takes or gives."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        yield from properties if isinstance(properties, dict) else ()
        if "in" in schema and "name" in schema:
            yield str(schema["name"])
        for inner in schema.values():
            yield from names(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from names(inner)


def test_nothing_that_the_api_takes_is_called_like_an_address_unless_it_was_looked_at(service: SmallService) -> None:
    every = set(names(service.app.openapi()))
    assert len(every) > 50
    assert {name for name in every if _ADDRESSES.search(name)} <= REVIEWED


def test_a_new_field_called_like_an_address_would_be_noticed() -> None:
    schema = {"properties": {"avatar_url": {"type": "string"}}}
    assert {name for name in names(schema) if _ADDRESSES.search(name)} - REVIEWED == {"avatar_url"}


def requests(service: SmallService, named: str) -> Iterator[tuple[str, str, Any]]:
    """Each route with what a caller names put into each of its places in turn."""
    paths = service.app.openapi()["paths"]
    for path, methods in paths.items():
        for method, described in methods.items():
            where = re.sub(r"\{\w+\}", quote(named, safe=""), path)
            query = "&".join(
                f"{one['name']}={quote(named, safe='')}"
                for one in described.get("parameters", ())
                if one["in"] == "query"
            )
            bodies = changed(BODIES[path], named) if method == "post" and path in BODIES else [None]
            for body in bodies:
                yield method.upper(), f"{where}?{query}" if query else where, body


def test_no_address_in_any_place_of_any_route_is_asked(service: SmallService, admin: httpx.Client, lure: Lure) -> None:
    statuses = {
        admin.request(method, path, json=body).status_code for method, path, body in requests(service, lure.url)
    }
    assert {200, 404} <= statuses, "some get through, some name what is not there"
    assert not statuses & {500}
    time.sleep(0.3)
    assert lure.heard == []
    _knock(lure)
    assert lure.heard, "the lure hears"


def _knock(lure: Lure) -> None:
    port = int(lure.url.rsplit(":", 1)[1].split("/")[0])
    socket.create_connection(("127.0.0.1", port)).close()
    time.sleep(0.2)


@pytest.mark.parametrize("form", ["{path}", "file://{path}", "../../../../../..{path}", "{path}\x00.txt"])
def test_no_path_in_any_place_of_any_route_is_opened(
    service: SmallService, admin: httpx.Client, tmp_path: Path, form: str
) -> None:
    note = tmp_path / "note.txt"
    note.write_text(SECRET, encoding="utf-8")
    for method, path, body in requests(service, form.format(path=note)):
        answer = admin.request(method, path, json=body)
        assert answer.status_code != 500, (method, path)
        assert SECRET not in answer.text
        assert json.dumps(SECRET)[1:-1] not in answer.text
