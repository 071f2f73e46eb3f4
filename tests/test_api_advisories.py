"""What others were bitten by, tried here: a second way to an id, a second header, late escaping, bulk, deleted text."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.types import Role
from tests.rights_table import SCHEMA, UNKNOWN
from tests.small_service import SmallService, small_service

LIMIT_BYTES = 20_000
WORD = "зяблик"
_NAMES_A_THING = re.compile(r"(^|_)ids?$|cursor|_with$|baseline")
# Every place where a caller names something by its id, and where it is tried with one of others.
REVIEWED = {
    ("path", "document_id"): "test_api_rights",
    ("path", "evaluation_id"): "test_api_rights",
    ("path", "key_id"): "test_api_rights",
    ("path", "grant_id"): "test_api_rights",
    ("query", "cursor"): "test_a_list_does_not_go_on_into_what_is_of_others",
    ("ExtractIn", "document_id"): "test_a_second_way_to_a_document_is_closed_as_the_first",
    ("FeedbackIn", "document_ids"): "test_an_opinion_on_a_document_of_others_does_not_tell_its_name",
    ("GrantIn", "document_id"): "test_api_rights, administrators alone",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    limits = {"api_body_max_bytes": LIMIT_BYTES, "upload_max_bytes": LIMIT_BYTES, "upload_max_files": 5}
    with small_service(tmp_path_factory.mktemp("advisories"), queue_max_per_key=1, **limits) as running:
        running.model.says = "Отпуск длится 14 дней [1]."
        yield running


@pytest.fixture(scope="module")
def editor(service: SmallService) -> httpx.Client:
    return service.client(service.key("editor of A", "A", role=Role.EDITOR))


@pytest.fixture(scope="module")
def stranger(service: SmallService) -> httpx.Client:
    return service.client(service.key("reader of B", "B"))


def named_in(described: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where a request may name a thing by its id: in the path, the query, or a body by the model's name."""
    for operations in described["paths"].values():
        for operation in operations.values():
            yield from ((one["in"], one["name"]) for one in operation.get("parameters", ()))
    for name, schema in described["components"]["schemas"].items():
        if not name.endswith("Out"):
            yield from ((name, field) for field in schema.get("properties", ()))


def test_every_place_where_a_caller_names_a_thing_was_looked_at(service: SmallService) -> None:
    found = {place for place in named_in(service.app.openapi()) if _NAMES_A_THING.search(place[1])}
    assert found == set(REVIEWED)


def test_a_second_way_to_a_document_is_closed_as_the_first(service: SmallService, stranger: httpx.Client) -> None:
    foreign = service.base.add("Отпуск длится 14 дней.", collection="A")
    asked = {"instruction": "Дни", "json_schema": SCHEMA}
    answers = [stranger.post("/v1/extract", json=asked | {"document_id": one}) for one in (foreign, UNKNOWN)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def pages_from(client: httpx.Client, cursor: str | None) -> Iterator[str]:
    """Ids of a list after `cursor`, one a page, until it says that there are no more."""
    while True:
        listed = client.get("/v1/documents", params={"limit": 1} | ({"cursor": cursor} if cursor else {})).json()
        yield from (one["id"] for one in listed["items"])
        cursor = listed["next_cursor"]
        if cursor is None:
            return


def test_a_list_does_not_go_on_into_what_is_of_others(service: SmallService, stranger: httpx.Client) -> None:
    foreign = service.base.add("Отпуск длится 14 дней.", collection="A")
    own = service.base.add("Премия в марте.", collection="B")
    later = service.base.add("Отпуск длится 15 дней.", collection="A")
    admin = service.client(service.key("administrator", role=Role.ADMINISTRATOR))
    listed = admin.get("/v1/documents", params={"collection": "B", "limit": 500}).json()["items"]
    all_of_b = [one["id"] for one in listed]
    assert own in all_of_b
    for cursor in (None, foreign, later, "z" * 30, UNKNOWN):
        walked = list(pages_from(stranger, cursor))
        assert walked == [one for one in all_of_b if cursor is None or one < cursor]


def test_an_opinion_on_a_document_of_others_does_not_tell_its_name(
    service: SmallService, stranger: httpx.Client
) -> None:
    foreign = service.base.add("Отпуск длится 14 дней.", collection="A", name="тайное имя.txt")
    own = service.base.add("Премия бывает в марте.", collection="B", name="премия.txt")
    for document_id in (foreign, own):
        opinion = {"verdict": "up", "question": "Сколько?", "answer": "14", "document_ids": [document_id]}
        stranger.post("/v1/feedback", json=opinion).raise_for_status()
    pairs = stranger.get("/v1/feedback/pairs").text
    assert "премия.txt" in pairs
    assert "тайное" not in pairs


LARGE = json.dumps({"query": "о" * LIMIT_BYTES}, ensure_ascii=False).encode()
SECOND_HEADERS: dict[str, list[str]] = {
    "a forwarded length": ["X-Content-Length: 2", "X-File-Size: 2"],
    "an encoding": ["Content-Encoding: gzip"],
    "another method": ["X-HTTP-Method-Override: GET", "X-Method-Override: GET"],
    "another address": ["X-Original-URL: /live", "X-Rewrite-URL: /live", "X-Forwarded-Prefix: /v1/documents"],
    "a trusted hop": ["X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Real-IP: 127.0.0.1"],
    "the form of an upload": ["Content-Type: multipart/form-data; boundary=x"],
}


def raw(service: SmallService, head: list[str], body: bytes) -> int:
    """The status of a request written by hand, or 0 for a connection that is closed without one."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        try:
            connection.sendall(body)
            answer = connection.recv(64)
        except OSError:
            return 0
    return int(answer.split()[1]) if answer else 0


@pytest.mark.parametrize("extra", SECOND_HEADERS.values(), ids=SECOND_HEADERS)
def test_no_second_header_lifts_the_limit_of_a_body(service: SmallService, extra: list[str]) -> None:
    key = service.key(f"second header {extra[0]}", "A")
    head = ["POST /v1/search HTTP/1.1", "Host: x", f"Authorization: Bearer {key}", *extra]
    sized = raw(service, [*head, f"Content-Length: {len(LARGE)}"], LARGE)
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(LARGE), LARGE)
    assert (sized, raw(service, [*head, "Transfer-Encoding: chunked"], chunks)) == (413, 413)


def test_two_lengths_and_a_length_beside_chunks_smuggle_nothing(service: SmallService) -> None:
    key = service.key("two lengths", "A")
    head = ["POST /v1/search HTTP/1.1", "Host: x", f"Authorization: Bearer {key}"]
    assert raw(service, [*head, "Content-Length: 2", f"Content-Length: {len(LARGE)}"], LARGE) in {0, 400}
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(LARGE), LARGE)
    assert raw(service, [*head, "Content-Length: 2", "Transfer-Encoding: chunked"], chunks) in {0, 400, 413}


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"X-Forwarded-For": "10.0.0.9"},
        {"X-Forwarded-User": "other"},
        {"X-Znayka-User": "other", "X-Znayka-Groups": "administrators"},
        {"X-Api-Key": "other", "Proxy-Authorization": "Bearer other"},
    ],
    ids=str,
)
def test_no_second_header_gives_a_key_another_share(service: SmallService, extra: dict[str, str]) -> None:
    service.base.add("Отпуск длится 14 дней.", collection="A")
    client = service.client(service.key(f"share {extra}", "A"))
    service.model.pause_s = 0.3
    started = threading.Event()

    def ask_first() -> None:
        with client.stream("POST", "/v1/ask", json={"question": "Отпуск?", "stream": True}) as events:
            for _ in events.iter_lines():
                started.set()

    first = threading.Thread(target=ask_first)
    first.start()
    try:
        assert started.wait(10)
        second = client.post("/v1/ask", json={"question": "Отпуск?"}, headers=extra)
    finally:
        first.join()
        service.model.pause_s = 0.0
    assert second.status_code == 429, second.text


class Tags(HTMLParser):
    """The tags of a page, and their attributes that run or ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag} | {name for name, _ in attrs if name.startswith("on") or name in {"src", "href", "srcset"}}


DISGUISED = (
    '<img src=x onerror="alert(1)">',
    "＜img src=x onerror=alert(1)＞",
    "&lt;img src=x onerror=alert(1)&gt;",
    "<im\x00g src=x onerror=alert(1)>",
    "<\u200bscript>alert(1)</script>",
    "</dd><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "[x](javascript:alert(1)) ![](http://x/y.png)",
)


def finished(client: httpx.Client, name: str, text: str, **form: str) -> str:
    began = client.post("/v1/evaluations", files={"file": (name, text.encode())}, data=form)
    run_id: str = began.raise_for_status().json()["id"]
    while client.get(f"/v1/evaluations/{run_id}").json()["status"] == "running":
        time.sleep(0.02)
    return run_id


def test_a_report_escapes_when_it_is_drawn_whatever_was_cleaned_before(
    service: SmallService, editor: httpx.Client
) -> None:
    service.base.add("Отпуск длится 14 дней.", collection="A")
    plain = finished(editor, "plain.csv", "вопрос;ответ\r\nСколько дней отпуск?;99\r\n", collection="A")
    allowed = Tags(editor.get(f"/v1/evaluations/{plain}/report").text).found
    service.base.add(f"Отпуск длится 14 дней. {' '.join(DISGUISED)}", collection="A", name="<u>имя.txt")
    rows = "".join(f'"{one.replace(chr(34), chr(34) * 2)} отпуск?";"{WORD} 99"\r\n' for one in DISGUISED)
    run_id = finished(editor, "<script>q.csv", f"вопрос;ответ\r\n{rows}", collection="A")
    report = editor.get(f"/v1/evaluations/{run_id}/report").text
    assert WORD in report
    assert "имя.txt" in report
    assert Tags(report).found <= allowed
    assert "{{ 7 * 7 }}" in report


WHOLE = ("file", ("целый.txt", "Отпуск длится 14 дней.".encode()))
BAD_PARTS: dict[str, tuple[list[Any], int]] = {
    "one too large": ([("file", ("большой.txt", b"a" * (LIMIT_BYTES + 1)))], 413),
    "one of no known type": ([("file", ("x.exe", b"MZ\x90\x00" + bytes(200)))], 415),
    "one that is empty": ([("file", ("пустой.txt", b""))], 422),
    "one without a name to it": ([("file", (" ", b"text"))], 422),
    "one in another field": ([("files", ("b.txt", b"text"))], 422),
    "one more than are allowed": ([("file", (f"{n}.txt", b"text %d" % n)) for n in range(5)], 422),
    "a collection of others, named last": ([("collection", (None, b"B"))], 404),
    "another collection after one's own": ([("collection", (None, b"A")), ("collection", (None, b"B"))], 404),
}


@pytest.mark.parametrize("which", BAD_PARTS)
def test_each_of_many_files_meets_what_a_single_one_meets(
    service: SmallService, editor: httpx.Client, which: str
) -> None:
    parts, status = BAD_PARTS[which]
    collection = [] if "collection" in which else [("collection", (None, b"A"))]

    def kept() -> tuple[list[str], list[Path]]:
        listed = editor.get("/v1/documents", params={"limit": 500}).json()["items"]
        return [one["id"] for one in listed], sorted(service.parts.files.path("0" * 64).parents[1].rglob("*"))

    before = kept()
    answer = editor.post("/v1/documents", files=[*collection, WHOLE, *parts])
    assert answer.status_code == status, answer.text
    after = kept()
    assert after[0] == before[0]
    assert [path for path in after[1] if path.is_file()] == [path for path in before[1] if path.is_file()]


def test_a_question_among_many_meets_what_a_single_one_meets(editor: httpx.Client) -> None:
    long = "о" * 4001
    single = editor.post("/v1/ask", json={"question": long})
    many = editor.post(
        "/v1/evaluations", files={"file": ("q.csv", f"вопрос;ответ\r\nОтпуск?;14\r\n{long};1\r\n".encode())}
    )
    talk = editor.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": long}]})
    assert [(one.status_code, one.json()["code"]) for one in (single, many, talk)] == [(422, "question_too_long")] * 3
