"""Files of callers who may add nothing: refused at the head of the request, and what they send after is not kept."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.types import Role
from retrieval.store import grants, keys
from retrieval.store.grants import ObjectKind, Opening
from tests.browser_watch import FLAGS, chromium_path
from tests.small_service import SmallService, small_service

HOST = "127.0.0.1"
HEADER_S, SLACK_S = 2.0, 20.0
LARGE_BYTES = 48 * 2**20
NEVER_ENDING_BYTES = 2**50
PATHS = ("/v1/documents", "/v1/evaluations")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    with small_service(tmp_path_factory.mktemp("refused"), api_header_timeout_s=HEADER_S) as running:
        running.base.add("Отпуск длится 28 дней.", collection="кадры")
        running.base.add("Премия выплачивается в марте.", collection="дирекция")
        yield running


@pytest.fixture(scope="module")
def reader(service: SmallService) -> str:
    return service.key("читатель", "кадры")


def head(path: str, key: str, *more: str) -> bytes:
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {key}",
        "Content-Type: multipart/form-data; boundary=b",
        *more,
    )
    return "\r\n".join([*lines, "", ""]).encode()


def answer_on(connection: socket.socket) -> tuple[bytes, dict]:
    """The first line of the answer, and its body."""
    answer = b""
    while b"}" not in answer:
        more = connection.recv(65536)
        assert more, "closed without an answer"
        answer += more
    return answer.partition(b"\r\n")[0], json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("more", ["", "Expect: 100-continue"])
def test_a_reader_is_refused_before_any_of_the_file_has_come(
    service: SmallService, reader: str, path: str, more: str
) -> None:
    lines = (f"Content-Length: {LARGE_BYTES}", *([more] if more else []))
    with socket.create_connection((HOST, service.parts.settings.api_port), timeout=SLACK_S) as sending:
        sending.sendall(head(path, reader, *lines))
        status, problem = answer_on(sending)
    assert status.startswith(b"HTTP/1.1 403 "), "a file that is asked for is a file that is read"
    assert problem["code"] == "role_too_low"
    assert "попросите администратора" in problem["detail"]


def test_what_comes_after_the_refusal_is_thrown_away_and_not_for_ever(service: SmallService, reader: str) -> None:
    with socket.create_connection((HOST, service.parts.settings.api_port), timeout=SLACK_S) as sending:
        sending.sendall(head(PATHS[0], reader, f"Content-Length: {NEVER_ENDING_BYTES}"))
        assert answer_on(sending)[0].startswith(b"HTTP/1.1 403 ")
        assert seconds_until_cut(sending) < HEADER_S + SLACK_S
    assert list((service.parts.settings.data_dir / "files" / "incoming").iterdir()) == []


def seconds_until_cut(sending: socket.socket) -> float:
    """Send as fast as it is taken; how long that goes on, the time that there is for it at most."""
    began = time.monotonic()
    try:
        while time.monotonic() - began < HEADER_S + SLACK_S:
            sending.sendall(b"x" * 2**20)
    except ConnectionError:
        pass
    return time.monotonic() - began


@pytest.mark.parametrize("path", PATHS)
def test_the_refusal_is_the_same_whether_a_collection_is_there_or_not(
    service: SmallService, reader: str, path: str
) -> None:
    client = service.client(reader)
    told = [
        client.post(path, files={"file": ("a.csv", b"x")}, data={"collection": name})
        for name in ("кадры", "дирекция", "нет такой")
    ]
    assert {(one.status_code, one.content) for one in told} == {(403, told[0].content)}


def test_a_client_that_sends_a_whole_large_file_gets_the_reason_and_goes_on(
    service: SmallService, reader: str, tmp_path: Path
) -> None:
    path = tmp_path / "большой.txt"
    path.write_bytes(b"x" * LARGE_BYTES)
    client = service.client(reader)
    for _ in range(2):
        with path.open("rb") as file:
            refused = client.post("/v1/documents", files={"file": (path.name, file)})
        assert (refused.status_code, refused.json()["code"]) == (403, "role_too_low")
        assert refused.headers["content-type"] == "application/problem+json"
    assert client.get("/v1/documents").status_code == 200


@pytest.mark.browser
def test_a_browser_that_sends_a_large_file_gets_the_reason(service: SmallService, reader: str) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    if (path := chromium_path()) is None:
        pytest.skip("needs Chromium (apt install chromium)")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page()
        page.route(f"{service.url}/ours", lambda route: route.fulfill(body="<p>", content_type="text/html"))
        page.goto(f"{service.url}/ours")
        told = page.evaluate(
            """async ([key, size]) => {
                const form = new FormData();
                form.append("file", new File([new Uint8Array(size)], "большой.txt"));
                const sent = {method: "POST", body: form, headers: {Authorization: `Bearer ${key}`}};
                const answer = await fetch("/v1/documents", sent);
                return [answer.status, (await answer.json()).code];
            }""",
            [reader, LARGE_BYTES],
        )
        browser.close()
    assert told == [403, "role_too_low"]


def test_whoever_may_change_something_is_judged_by_the_collection_that_the_form_names(service: SmallService) -> None:
    client = service.client(service.key("редактор", "кадры", role=Role.EDITOR))
    statuses = [
        client.post("/v1/documents", files={"file": ("a.txt", b"x")}, data={"collection": name}).status_code
        for name in ("кадры", "дирекция", "нет такой")
    ]
    assert statuses == [202, 404, 404]


def test_an_editor_of_a_single_document_adds_none_and_one_to_whom_nothing_is_open_starts_no_evaluation(
    service: SmallService,
) -> None:
    document_id = service.base.add("Единственный приказ.", collection="кадры")
    single, nobody = service.key("один документ", "нет такой"), service.key("никто")
    with service.base.database.write() as conn:
        for grant in grants.listing(conn):
            if grant.subject in {key.id for key in keys.listing(conn) if key.name in {"один документ", "никто"}}:
                grants.withdraw(conn, grant.id)
        key_id = next(key.id for key in keys.listing(conn) if key.name == "один документ")
        opening = Opening(ObjectKind.DOCUMENT, document_id, Role.EDITOR)
        grants.give(conn, keys.subject(conn, key_id), opening, now=time.time())
    pairs = {"file": ("q.csv", "вопрос;ответ\r\nЧто?;приказ\r\n".encode())}
    told = {
        key: [service.client(key).post(path, files=pairs).status_code for path in PATHS] for key in (single, nobody)
    }
    assert told == {single: [403, 202], nobody: [403, 403]}


def test_what_was_refused_stands_in_the_audit_log(service: SmallService, reader: str) -> None:
    service.client(reader).post("/v1/documents", files={"file": ("a.txt", b"x")})
    administrator = service.client(service.key("админ", role=Role.ADMINISTRATOR))
    deadline = time.monotonic() + SLACK_S
    while not (seen := forbidden_to(administrator, "читатель")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "POST /v1/documents" in seen


def forbidden_to(administrator: httpx.Client, name: str) -> list[str]:
    entries = administrator.get("/v1/audit?limit=1000").json()["items"]
    return [one["object"] for one in entries if one["action"] == "forbidden" and one["principal"] == name]
