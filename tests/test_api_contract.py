"""The REST contract against the real service: four processes, the embedded models, files that people upload."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from tests.service import Service

pytestmark = pytest.mark.real_model

LEAVE = "Отпуск составляет 28 календарных дней. Заявление подаётся за две недели до начала отпуска."
DOCUMENT_FIELDS = {
    "id", "name", "collection", "media_type", "size_bytes", "sha256", "status", "progress", "pages", "passages",
    "error", "created_at", "updated_at", "editable",
}  # fmt: skip


@pytest.fixture(scope="module")
def api(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.api_url, timeout=120, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def leave(api: httpx.Client) -> dict[str, Any]:
    return wait(api, upload(api, "Отпуск.txt", LEAVE.encode(), collection="contract")[0]["id"])


def upload(api: httpx.Client, name: str, data: bytes, **form: str) -> list[dict[str, Any]]:
    answer = api.post("/v1/documents", files={"file": (name, data)}, data=form)
    assert answer.status_code == 202, answer.text
    documents: list[dict[str, Any]] = answer.json()
    return documents


def wait(api: httpx.Client, document_id: str, timeout_s: float = 60) -> dict[str, Any]:
    deadline = time.monotonic() + timeout_s
    while True:
        document: dict[str, Any] = api.get(f"/v1/documents/{document_id}").json()
        if document["status"] in ("ready", "partial", "failed"):
            return document
        assert time.monotonic() < deadline, document
        time.sleep(0.1)


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= set(body)
    assert (body["status"], body["code"]) == (status, code)
    assert any("а" <= letter <= "я" for letter in body["detail"]), "the detail is for a Russian reader"


def events(api: httpx.Client, body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    with api.stream("POST", "/v1/ask", json=body | {"stream": True}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = "".join(answer.iter_text())
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [
        (lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: ")))
        for lines in blocks
        if lines[0].startswith("event: ")
    ]


def test_an_upload_becomes_a_ready_document_with_every_field(leave: dict[str, Any]) -> None:
    assert set(leave) >= DOCUMENT_FIELDS
    assert leave["status"] == "ready"
    assert leave["sha256"] == hashlib.sha256(LEAVE.encode()).hexdigest()
    assert (leave["name"], leave["progress"], leave["error"]) == ("Отпуск.txt", None, None)
    assert leave["passages"] >= 1


def test_the_same_bytes_answer_the_same_document_twenty_times_at_once(service: Service) -> None:
    ids: list[str] = []

    def send() -> None:
        with httpx.Client(base_url=service.api_url, timeout=60, trust_env=False) as api:
            ids.append(upload(api, "Двадцать.txt", b"twenty times the same", collection="twenty")[0]["id"])

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 20
    assert len(set(ids)) == 1


def test_several_files_are_answered_in_order(api: httpx.Client) -> None:
    files = [("file", (f"{n}.txt", f"текст номер {n}".encode())) for n in (3, 1, 2)]
    answer = api.post("/v1/documents", files=files, data={"collection": "order"})
    assert [document["name"] for document in answer.json()] == ["3.txt", "1.txt", "2.txt"]


def test_the_original_comes_back_to_the_byte_under_its_name(api: httpx.Client) -> None:
    name = "Положение  об отпусках «2026».txt"
    document = upload(api, name, LEAVE.encode() + b"\n", collection="original")[0]
    answer = api.get(f"/v1/documents/{document['id']}/content")
    assert answer.content == LEAVE.encode() + b"\n"
    assert unquote(answer.headers["content-disposition"].partition("''")[2]) == name


def test_a_list_is_cut_into_pages_by_a_cursor_and_filtered(api: httpx.Client, leave: dict[str, Any]) -> None:
    for n in range(3):
        upload(api, f"список-{n}.txt", f"документ списка {n}".encode(), collection="list")
    first = api.get("/v1/documents", params={"collection": "list", "limit": 2}).json()
    rest = api.get("/v1/documents", params={"collection": "list", "limit": 2, "cursor": first["next_cursor"]}).json()
    assert len({d["id"] for d in first["items"] + rest["items"]}) == 3
    assert rest["next_cursor"] is None
    found = api.get("/v1/documents", params={"name": "ОТПУСК.", "collection": "contract", "status": "ready"}).json()
    assert [d["id"] for d in found["items"]] == [leave["id"]]


def test_search_knows_russian_endings(api: httpx.Client, leave: dict[str, Any]) -> None:
    body = api.post("/v1/search", json={"query": "отпусков", "collection": "contract", "top_k": 3}).json()
    assert body["passages"][0]["document_id"] == leave["id"]
    assert body["passages"][0]["text"] in LEAVE
    assert body["timings"]["search_ms"] > 0


def test_an_answer_cites_words_that_stand_in_the_document(api: httpx.Client, leave: dict[str, Any]) -> None:
    body = api.post("/v1/ask", json={"question": "Сколько дней составляет отпуск?", "collection": "contract"}).json()
    assert not body["refused"], body
    assert body["citations"], body
    for citation in body["citations"]:
        assert citation["document_id"] == leave["id"]
        assert citation["quote"] in LEAVE
        assert f"[{citation['n']}]" in body["answer"]
    assert "28" in body["answer"]
    assert body["timings"]["total_ms"] >= body["timings"]["search_ms"]


def test_a_stream_ends_with_the_whole_answer_and_its_tokens_are_that_answer(
    api: httpx.Client, leave: dict[str, Any]
) -> None:
    got = events(api, {"question": "За сколько подаётся заявление?", "collection": "contract"})
    names = [name for name, _ in got]
    assert set(names) <= {"queued", "sources", "token", "done"}
    assert names[-1] == "done"
    assert "sources" in names
    assert "".join(body["text"] for name, body in got if name == "token") == got[-1][1]["answer"]


def test_what_the_documents_do_not_hold_is_refused_politely(api: httpx.Client, leave: dict[str, Any]) -> None:
    got = events(api, {"question": "Какова масса протона в килограммах?", "collection": "contract"})
    answer = got[-1][1]
    assert answer["refused"], answer
    assert answer["citations"] == []
    assert answer["answer"]
    assert next(body for name, body in got if name == "sources")["passages"], "what was found is shown all the same"


def test_an_empty_collection_is_refused_without_asking_the_model(api: httpx.Client) -> None:
    body = api.post("/v1/ask", json={"question": "Сколько дней отпуск?", "collection": "nothing here"}).json()
    assert body["refused"]
    assert body["timings"]["first_token_ms"] is None


def test_a_deleted_document_is_gone_at_once(api: httpx.Client) -> None:
    document = wait(api, upload(api, "Тайна.txt", "Пароль от сейфа: жираф.".encode(), collection="gone")[0]["id"])
    path = f"/v1/documents/{document['id']}"
    question = {"query": "пароль от сейфа", "collection": "gone"}
    assert api.post("/v1/search", json=question).json()["passages"]
    assert api.delete(path).status_code == 204
    assert api.post("/v1/search", json=question).json()["passages"] == []
    for address in (path, f"{path}/content", f"{path}/pages/1"):
        assert_problem(api.get(address), 404, "document_not_found")
    assert_problem(api.delete(path), 404, "document_not_found")


def test_a_new_edition_supersedes_the_old_one(api: httpx.Client) -> None:
    old = wait(api, upload(api, "Цены.txt", "Цена зонта 100 рублей.".encode(), collection="edition")[0]["id"])
    new = upload(api, "Цены.txt", "Цена зонта 250 рублей.".encode(), collection="edition", replace="true")[0]
    wait(api, new["id"])
    found = api.post("/v1/search", json={"query": "цена зонта", "collection": "edition"}).json()["passages"]
    assert [p["document_id"] for p in found] == [new["id"]]
    assert "250" in found[0]["text"]
    assert api.get(f"/v1/documents/{old['id']}").status_code == 404


def test_a_citation_of_a_pdf_opens_on_an_image_with_its_words_marked(api: httpx.Client, examples: Path) -> None:
    path = next(examples.glob("*.pdf"))
    document = wait(api, upload(api, path.name, path.read_bytes(), collection="image")[0]["id"])
    page = api.get(f"/v1/documents/{document['id']}/pages/1").json()
    quote = " ".join(page["text"].split()[3:9])
    plain = api.get(f"/v1/documents/{document['id']}/pages/1/image", params={"width_px": 600})
    marked = api.get(f"/v1/documents/{document['id']}/pages/1/image", params={"width_px": 600, "quote": quote})
    assert plain.headers["content-type"] == "image/png"
    assert plain.content.startswith(b"\x89PNG")
    assert plain.content != marked.content


def test_a_text_has_no_page_image_but_a_page_of_text(api: httpx.Client, leave: dict[str, Any]) -> None:
    assert_problem(api.get(f"/v1/documents/{leave['id']}/pages/1/image"), 415, "no_page_images")
    assert api.get(f"/v1/documents/{leave['id']}/pages/1").json()["text"].strip() == LEAVE


@pytest.mark.parametrize(
    ("name", "data", "status", "code"),
    [
        ("empty.pdf", b"", 422, "empty_file"),
        ("program.exe", b"MZ" + bytes(range(256)) * 8, 415, "unsupported_type"),
        ("", b"text", 422, "no_name"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_with_a_reason(
    api: httpx.Client, name: str, data: bytes, status: int, code: str
) -> None:
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    answer = api.post(
        "/v1/documents",
        content=head + data + b"\r\n--b--\r\n",
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert_problem(answer, status, code)


def test_a_file_over_the_limit_is_refused_while_it_arrives(api: httpx.Client, service: Service) -> None:
    def body() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.txt"\r\n\r\n'
        for _ in range(300):
            yield b"x" * 2**20
        yield b"\r\n--b--\r\n"

    answer = api.post("/v1/documents", content=body(), headers={"content-type": "multipart/form-data; boundary=b"})
    assert_problem(answer, 413, "file_too_large")
    assert list((service.settings.data_dir / "files" / "incoming").iterdir()) == []


def test_half_an_upload_leaves_nothing(service: Service, api: httpx.Client) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", service.settings.api_port)) as half:
        half.sendall(
            b"POST /v1/documents HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="half.txt"\r\n\r\n' + b"x" * 5000
        )
        time.sleep(0.3)
    deadline = time.monotonic() + 5
    incoming = service.settings.data_dir / "files" / "incoming"
    while list(incoming.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(incoming.iterdir()) == []
    assert api.get("/v1/documents", params={"name": "half.txt"}).json()["items"] == []


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/ask", {"question": ""}, "empty_question"),
        ("/v1/ask", {"question": "а" * 100_000}, "question_too_long"),
        ("/v1/ask", {"question": "вопрос", "unknown": 1}, "bad_field"),
        ("/v1/ask", {"question": "вопрос", "top_k": 0}, "bad_field"),
        ("/v1/search", {"query": "а" * 100_000}, "question_too_long"),
        ("/v1/search", {}, "bad_field"),
        ("/v1/feedback", {"verdict": "meh", "question": "q", "answer": "a"}, "bad_field"),
        ("/v1/chat/completions", {"messages": []}, "bad_field"),
        ("/v1/chat/completions", {"messages": [{"role": "assistant", "content": "x"}]}, "no_question"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(api: httpx.Client, path: str, body: dict[str, Any], code: str) -> None:
    assert_problem(api.post(path, json=body), 422, code)


@pytest.mark.parametrize("path", ["/v1/documents/unknown", "/v1/documents/unknown/content", "/v1/documents/u/pages/1"])
def test_an_unknown_id_is_not_found(api: httpx.Client, path: str) -> None:
    assert_problem(api.get(path), 404, "document_not_found")


def test_an_unknown_address_and_method_are_problems_too(api: httpx.Client) -> None:
    assert_problem(api.get("/v1/nothing"), 404, "not_found")
    assert_problem(api.put("/v1/ask"), 405, "method_not_allowed")


def test_an_opinion_is_kept_and_counted(api: httpx.Client) -> None:
    body = {"verdict": "up", "question": "вопрос", "answer": "ответ", "document_ids": ["x"]}
    assert api.post("/v1/feedback", json=body).status_code == 204
    assert 'znayka_feedback{verdict="up"}' in api.get("/metrics").text


def test_health_needs_no_key_and_names_the_parts(api: httpx.Client) -> None:
    assert api.get("/live").status_code == 200
    ready = api.get("/ready")
    assert ready.status_code == 200, ready.text
    assert set(ready.json()["parts"]) >= {"database", "disk", "model"}


def test_the_openapi_document_describes_every_call_of_the_contract(api: httpx.Client) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    assert {
        "/v1/documents", "/v1/documents/{document_id}", "/v1/documents/{document_id}/content", "/v1/search",
        "/v1/ask", "/v1/chat/completions", "/v1/models", "/live", "/ready", "/metrics",
    } <= set(paths)  # fmt: skip
    assert "multipart/form-data" in paths["/v1/documents"]["post"]["requestBody"]["content"]
