"""No route fetches an address or opens a path that a caller names."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from core.types import Role
from retrieval.store import documents
from tests.lure import Lure
from tests.small_base import EVERYONE
from tests.small_service import SmallService, small_service

SECRET = "в этой записке тайна Рюрика"
_ADDRESSES = re.compile(
    r"ur[li]|link|href|path|file|folder|dir|host|domain|server|proxy|callback|webhook|endpoint|address|image|remote|source",
    re.IGNORECASE,
)
# Names that sound like an address, looked at one by one.
REVIEWED = {
    "file",  # the bytes themselves, in a form
    "address",  # of who called, told by the audit log
}
SCHEMA = {"type": "object", "properties": {"days": {"type": "string"}}}
# Every field of every body: each is sent as an address once, beside others that are right.
BODIES: dict[str, dict[str, Any]] = {
    "/v1/users": {"name": "человек"},
    "/v1/groups": {"name": "люди"},
    "/v1/memberships": {"user": "человек", "group": "люди"},
    "/v1/grants": {
        "subject_kind": "user",
        "subject": "человек",
        "role": "reader",
        "collection": "Я",
        "document_id": None,
    },
    "/v1/keys": {
        "name": "ключ",
        "role": "reader",
        "collections": ["Я"],
        "expires_at": None,
        "speaks_for_users": False,
    },
    "/v1/policies": {"collection": "Я", "personal_data": "allow"},
    "/v1/search": {"query": "отпуск", "collection": None, "top_k": 3, "exact": False},
    "/v1/ask": {
        "question": "Сколько дней отпуск?",
        "collection": None,
        "history": [{"question": "Что такое отпуск?", "answer": "Отдых."}],
        "top_k": 3,
        "stream": False,
        "exact": False,
    },
    "/v1/extract": {"instruction": "Дни", "json_schema": SCHEMA, "document_id": None, "collection": None, "top_k": 3},
    "/v1/chat/completions": {
        "model": "znayka",
        "messages": [
            {"role": "system", "content": "Кратко."},
            {"role": "user", "content": "Что такое отпуск?"},
            {"role": "assistant", "content": "Отдых."},
            {"role": "user", "content": "Отпуск?"},
        ],
        "stream": False,
        "stream_options": {"include_usage": True},
        "temperature": None,
        "top_p": None,
        "max_tokens": None,
        "max_completion_tokens": None,
        "stop": ["конец"],
        "seed": None,
        "n": None,
        "collection": None,
    },
    "/v1/feedback": {
        "verdict": "up",
        "question": "Отпуск?",
        "answer": "28 дней.",
        "comment": "да",
        "document_ids": ["x"],
    },
}
FORMS = {
    "/v1/documents": {"collection": "Я", "replace": "false"},
    "/v1/evaluations": {"collection": "default"},
}
HEADERS = ("Referer", "Origin", "X-Forwarded-Host", "X-Original-URL", "Content-Location", "Link", "X-Callback-URL")


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
    with Lure() as listening:
        yield listening


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


def json_bodies(described: dict[str, Any]) -> dict[str, set[str]]:
    """The fields of each route's body of JSON."""
    models, found = described["components"]["schemas"], {}
    for path, methods in described["paths"].items():
        for operation in methods.values():
            if content := operation.get("requestBody", {}).get("content", {}).get("application/json"):
                found[path] = set(models[content["schema"]["$ref"].rsplit("/", 1)[1]]["properties"])
    return found


def test_every_field_of_every_body_is_tried(service: SmallService) -> None:
    assert {path: set(body) for path, body in BODIES.items()} == json_bodies(service.app.openapi())
    forms = {
        path: set(one["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"])
        for path, methods in service.app.openapi()["paths"].items()
        for one in methods.values()
        if "multipart/form-data" in one.get("requestBody", {}).get("content", {})
    }
    assert {path: {"file", *fields} for path, fields in FORMS.items()} == forms


def test_each_body_is_taken_before_an_address_is_put_into_it(service: SmallService, admin: httpx.Client) -> None:
    refused = {path: answer for path, body in BODIES.items() if (answer := admin.post(path, json=body)).is_error}
    # The model of this test says nothing, in which there is no JSON to find.
    assert {path: answer.text for path, answer in refused.items() if path != "/v1/extract"} == {}


Sent = tuple[str, str, dict[str, Any]]


def kept_document(service: SmallService) -> str:
    """A document whose bytes are there as well."""
    document_id = service.base.add("Отпуск длится 28 дней.")
    with service.base.database.read() as conn:
        kept = service.parts.files.path(documents.get(conn, document_id, EVERYONE).sha256)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("Отпуск длится 28 дней.", encoding="utf-8")
    return document_id


def requests(service: SmallService, named: str) -> Iterator[Sent]:
    """Each route with what a caller names put into each of its places in turn."""
    known = {"{document_id}": kept_document(service), "{page}": "1"}
    for path, methods in service.app.openapi()["paths"].items():
        for method, described in methods.items():
            yield from _in_address(method.upper(), path, described.get("parameters", ()), known, named)
    for path, body in BODIES.items():
        yield from (("POST", path, {"json": one}) for one in changed(body, named))
    for word in ("$ref", "$schema", "$id", "$dynamicRef"):
        for schema in ({**SCHEMA, word: named}, {"type": "object", "properties": {"days": {word: named}}}):
            yield "POST", "/v1/extract", {"json": {"instruction": "Дни", "json_schema": schema}}
    for path, form in FORMS.items():
        text = f"вопрос;ответ\r\n{named};{named}\r\n".encode()
        for data in (form, *changed(form, named)):
            for name in ("вопросы.csv", named, f"{named}.csv"):
                yield "POST", path, {"data": data, "files": {"file": (name, text)}}


def _in_address(method: str, path: str, places: Any, known: dict[str, str], named: str) -> Iterator[Sent]:
    for place in (None, *re.findall(r"\{\w+\}", path)):
        where = path.replace(place, quote(named, safe="")) if place else path
        for word, value in known.items():
            where = where.replace(word, value)
        if method == "GET" or place or "{" not in path:
            yield method, re.sub(r"\{\w+\}", "0", where), {}
    known_place = re.sub(r"\{\w+\}", lambda word: known.get(word[0], "0"), path)
    for one in places:
        if one["in"] == "query":
            yield method, known_place, {"params": {one["name"]: named}}


def test_no_address_in_any_place_of_any_route_is_asked(service: SmallService, admin: httpx.Client, lure: Lure) -> None:
    statuses = {admin.request(method, path, **sent).status_code for method, path, sent in requests(service, lure.url)}
    statuses |= {
        admin.post("/v1/search", json={"query": "отпуск"}, headers={name: lure.url}).status_code for name in HEADERS
    }
    assert {200, 404} <= statuses, "some get through, some name what is not there"
    assert not statuses & {500}
    time.sleep(0.3)
    assert lure.heard == []
    lure.knock()
    deadline = time.monotonic() + 5
    while not lure.heard and time.monotonic() < deadline:
        time.sleep(0.02)
    assert lure.heard, "the lure hears"


@pytest.mark.parametrize("form", ["{path}", "file://{path}", "../../../../../..{path}", "{path}\x00.txt"])
def test_no_path_in_any_place_of_any_route_is_opened(
    service: SmallService, admin: httpx.Client, tmp_path: Path, form: str
) -> None:
    note = tmp_path / "note.txt"
    note.write_text(SECRET, encoding="utf-8")
    for method, path, sent in requests(service, form.format(path=note)):
        answer = admin.request(method, path, **sent)
        assert answer.status_code != 500, (method, path)
        assert SECRET not in answer.text
        assert json.dumps(SECRET)[1:-1] not in answer.text
