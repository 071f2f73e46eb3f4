"""What was deleted or replaced answers no more: asked with the talk that told it, in streams and in old reports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from core.types import Role
from ingest.media_type import PDF
from tests.live_model_server import wait_until
from tests.rights_table import SCHEMA
from tests.small_base import WordEncoder
from tests.small_service import SmallService, small_service
from tests.test_api_advisories import finished

BEFORE = "Секретный отпуск Зябликова длится 28 дней."
AFTER = "Обычный отпуск длится 14 дней."
QUESTION = "Сколько длится секретный отпуск?"
PAIRS = f"вопрос;ответ\r\n{QUESTION};99\r\n"
WORD = "зяблик"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SmallService]:
    with small_service(tmp_path) as running:
        running.model.says = "Секретный отпуск Зябликова длится 28 дней [1]."
        yield running


@pytest.fixture
def admin(service: SmallService) -> httpx.Client:
    return service.client(service.key("administrator", role=Role.ADMINISTRATOR))


def told(service: SmallService, admin: httpx.Client) -> dict[str, list[str]]:
    """What is asked of the model and answered to a caller who asks on, without the caller's own words."""
    history = [{"question": QUESTION, "answer": "28 дней."}]
    talk = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "28 дней."},
        {"role": "user", "content": "Повтори, сколько длится секретный отпуск?"},
    ]
    asked = {"question": "Повтори, сколько длится секретный отпуск?", "collection": "A", "history": history}
    service.model.requests.clear()
    answers = [
        admin.post("/v1/ask", json=asked),
        admin.post("/v1/ask", json=asked | {"stream": True}),
        admin.post("/v1/chat/completions", json={"messages": talk, "collection": "A"}),
        admin.post("/v1/chat/completions", json={"messages": talk, "collection": "A", "stream": True}),
        admin.post("/v1/search", json={"query": "секретный отпуск", "collection": "A"}),
    ]
    assert [one.status_code for one in answers] == [200] * len(answers)
    prompts = [json.dumps(one, ensure_ascii=False) for one in service.model.requests]
    return {"answers": [one.text.casefold() for one in answers], "prompts": [one.casefold() for one in prompts]}


def let_go(service: SmallService, admin: httpx.Client, document_id: str, way: str) -> None:
    if way == "delete":
        admin.delete(f"/v1/documents/{document_id}").raise_for_status()
    else:
        service.base.add(AFTER, collection="A", name="приказ.txt", is_replacement=True)


@pytest.mark.parametrize("way", ["delete", "replace"])
@pytest.mark.parametrize("is_compacted", [False, True])
def test_a_talk_that_goes_on_gets_nothing_of_a_text_that_is_gone(
    service: SmallService, admin: httpx.Client, way: str, is_compacted: bool
) -> None:
    doomed = service.base.add(BEFORE, collection="A", name="приказ.txt")
    service.base.add("Отпуск за свой счёт длится неделю.", collection="A")
    if is_compacted:
        service.base.compact()
    before = told(service, admin)
    assert all(WORD in one for one in before["answers"])
    assert any(WORD in one for one in before["prompts"]), "the model was given what is looked for below"
    let_go(service, admin, doomed, way)
    service.model.says = "Отпуск длится неделю [1]."
    after = told(service, admin)
    assert after["prompts"]
    assert [one for one in (*after["answers"], *after["prompts"]) if WORD in one] == []


def streamed(admin: httpx.Client, question: str, collection: str, heard: list[str] | None = None) -> str:
    """The events of an answer; `heard` gets their lines as they come."""
    heard = [] if heard is None else heard
    asked = {"question": question, "collection": collection, "stream": True}
    with admin.stream("POST", "/v1/ask", json=asked) as answer:
        for line in answer.iter_lines():
            heard.append(line)
    return "\n".join(heard)


def test_an_answer_under_way_when_its_document_is_replaced_holds_the_old_text_and_nothing_of_the_new(
    service: SmallService, admin: httpx.Client
) -> None:
    doomed = service.base.add(BEFORE, collection="A", name="приказ.txt")
    service.model.pause_s = 0.1
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(streamed, admin, QUESTION, "A")
        wait_until(lambda: service.model.pieces_sent > 0)
        let_go(service, admin, doomed, "replace")
        assert 4 * service.model.pieces_sent < len(service.model.says), "the answer was not over yet"
    told = [*answer.result().split("event: "), json.dumps(service.model.requests, ensure_ascii=False)]
    assert [event.split("\n")[0] for event in told[1:3]] == ["sources", "token"]
    assert told[-2].startswith("done")
    assert WORD in told[-2].casefold()
    assert not [one for one in told if AFTER in one]
    assert WORD not in streamed(admin, QUESTION, "A").partition("event: token")[0].casefold(), (
        "who asks now gets the new"
    )


@pytest.mark.parametrize("way", ["delete", "replace"])
def test_a_question_that_waited_while_its_document_went_is_told_and_answered_from_what_is_there(
    service: SmallService, admin: httpx.Client, way: str
) -> None:
    doomed = service.base.add(BEFORE, collection="A", name="приказ.txt")
    service.base.add("Отпуск за свой счёт длится неделю.", collection="A")
    service.base.add("Обед длится час.", collection="B")
    service.model.says, service.model.says_next = "Обед длится час [1].", "Отпуск длится 14 дней [1]."
    service.model.pause_s = 0.1
    turns, heard = service.parts.turns, list[str]()
    with ThreadPoolExecutor(2) as clients:
        first = clients.submit(streamed, admin, "Сколько длится обед?", "B")
        wait_until(lambda: service.model.pieces_sent > 0)
        second = clients.submit(streamed, admin, QUESTION, "A", heard)
        wait_until(lambda: "event: queued" in heard)  # it was told its sources before
        let_go(service, admin, doomed, way)
        assert turns.waiting == 1
        asked_before = len(service.model.requests)
    assert "event: done" in first.result()
    before, _, after = second.result().rpartition("event: sources")
    assert before.count("event: sources") == 1
    assert WORD in before.casefold()
    assert "event: done" in after
    assert WORD not in after.casefold()
    prompts = json.dumps(service.model.requests[asked_before:], ensure_ascii=False)
    assert "длится неделю" in prompts
    assert WORD not in prompts.casefold()


def test_a_comparison_never_mixes_two_editions_of_a_document(
    service: SmallService, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.base.add(BEFORE, collection="A", name="приказ.txt")
    encode, calls = WordEncoder.encode_queries, []

    def replacing(encoder: WordEncoder, texts: Sequence[str]) -> NDArray[np.float32]:
        calls.append(texts)
        if len(calls) == 2:  # the whole question was searched for, its sides are next
            service.base.add(AFTER, collection="A", name="приказ.txt", is_replacement=True)
        return encode(encoder, texts)

    monkeypatch.setattr(WordEncoder, "encode_queries", replacing)
    told = streamed(admin, "Чем отличается секретный отпуск от обычного отпуска?", "A")
    assert len(calls) >= 4, "a comparison looks for the whole and for both sides"
    assert told.count("event: sources") == 1
    sources = told.partition("event: token")[0]
    assert AFTER in sources
    assert WORD not in sources.casefold()


@pytest.mark.parametrize("way", ["delete", "replace"])
def test_a_report_that_quotes_what_is_gone_is_withheld_and_the_next_one_quotes_nothing_of_it(
    service: SmallService, admin: httpx.Client, way: str
) -> None:
    doomed = service.base.add(BEFORE, collection="A", name="приказ.txt")
    service.base.add("Отпуск за свой счёт длится неделю.", collection="A")
    first = finished(admin, "q.csv", PAIRS, collection="A")
    assert WORD in admin.get(f"/v1/evaluations/{first}/report").text.casefold()
    let_go(service, admin, doomed, way)
    service.model.says = "Отпуск длится 14 дней [1]."
    second = finished(admin, "q.csv", PAIRS, collection="A")
    assert admin.get(f"/v1/evaluations/{second}").json()["figures"][0]["before"] is not None, "the two are compared"
    for name in ("report", "report.json"):
        assert admin.get(f"/v1/evaluations/{first}/{name}").json()["code"] == "report_outdated"
        answer = admin.get(f"/v1/evaluations/{second}/{name}")
        assert answer.status_code == 200
        assert WORD not in answer.text.casefold()


def test_a_report_of_a_release_that_noted_no_documents_is_withheld(
    service: SmallService, admin: httpx.Client, tmp_path: Path
) -> None:
    service.base.add(BEFORE, collection="A", name="приказ.txt")
    run_id = finished(admin, "q.csv", PAIRS, collection="A")
    assert admin.get(f"/v1/evaluations/{run_id}/report").status_code == 200
    (state,) = tmp_path.rglob(f"{run_id}/run.json")
    kept = json.loads(state.read_text(encoding="utf-8"))
    del kept["sources"]
    state.write_text(json.dumps(kept), encoding="utf-8")
    for name in ("report", "report.json"):
        answer = admin.get(f"/v1/evaluations/{run_id}/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "report_untraced")
        assert "прежней версией" in answer.json()["detail"]
    assert admin.get(f"/v1/evaluations/{run_id}").json()["figures"]


@pytest.fixture
def gone(service: SmallService, admin: httpx.Client) -> dict[str, httpx.Response]:
    """What every way to a text answers after its document was deleted; it was asked, cited, rated, evaluated before."""
    base = service.base
    doomed = base.add(BEFORE, collection="A", name="приказ Зябликова.txt")
    base.add("Другой отпуск длится 14 дней.", collection="A")
    base.compact()
    question = "Сколько длится секретный отпуск Зябликова?"
    answered = admin.post("/v1/ask", json={"question": question, "collection": "A"}).json()
    assert answered["citations"][0]["document_id"] == doomed
    run_id = finished(admin, "q.csv", "вопрос;ответ\r\nСколько длится секретный отпуск?;99\r\n", collection="A")
    report = admin.get(f"/v1/evaluations/{run_id}/report")
    assert WORD in report.text.casefold()
    opinion = {"verdict": "up", "question": "Сколько?", "answer": "28", "document_ids": [doomed]}
    admin.post("/v1/feedback", json=opinion).raise_for_status()
    assert WORD in admin.get("/v1/feedback/pairs").text.casefold()
    admin.delete(f"/v1/documents/{doomed}").raise_for_status()
    talk = {"question": "А сколько длится секретный отпуск?", "collection": "A"}
    extract = {"instruction": "Дни отпуска", "json_schema": SCHEMA}
    ways: dict[str, tuple[str, str, Any]] = {
        "document": ("GET", f"/v1/documents/{doomed}", None),
        "bytes": ("GET", f"/v1/documents/{doomed}/content", None),
        "page": ("GET", f"/v1/documents/{doomed}/pages/1", None),
        "image": ("GET", f"/v1/documents/{doomed}/pages/1/image", None),
        "extraction by id": ("POST", "/v1/extract", extract | {"document_id": doomed}),
        "extraction": ("POST", "/v1/extract", extract | {"collection": "A"}),
        "list": ("GET", "/v1/documents?limit=500", None),
        "search": ("POST", "/v1/search", {"query": "секретный отпуск", "collection": "A"}),
        "search by a misspelt word": ("POST", "/v1/search", {"query": "секретный зиаблекова", "collection": "A"}),
        "search by sound": ("POST", "/v1/search", {"query": "zyablikov", "collection": "A"}),
        "answer": ("POST", "/v1/ask", talk),
        "stream": ("POST", "/v1/ask", talk | {"stream": True}),
        "talk": ("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "Секретный отпуск?"}]}),
        "evaluation": ("GET", f"/v1/evaluations/{run_id}", None),
        "report": ("GET", f"/v1/evaluations/{run_id}/report", None),
        "data of the report": ("GET", f"/v1/evaluations/{run_id}/report.json", None),
        "rated pairs": ("GET", "/v1/feedback/pairs", None),
        "metrics": ("GET", "/metrics", None),
    }
    service.model.says = "Отпуск длится 14 дней [1]."
    return {name: admin.request(method, path, json=body) for name, (method, path, body) in ways.items()}


def test_no_way_answers_with_a_word_of_a_deleted_document(gone: dict[str, httpx.Response]) -> None:
    assert len(gone) == 18
    telling = [name for name, answer in gone.items() if WORD in answer.text.casefold()]
    assert telling == []
    assert not [name for name, answer in gone.items() if answer.status_code >= 500]


def test_a_report_on_a_deleted_document_says_what_to_do_and_its_figures_stay(gone: dict[str, httpx.Response]) -> None:
    for name in ("report", "data of the report"):
        assert (gone[name].status_code, gone[name].json()["code"]) == (404, "report_outdated")
        assert "снова" in gone[name].json()["detail"]
    assert gone["evaluation"].json()["figures"]


@pytest.mark.parametrize("way", ["content", "pages/1/image?quote=Обычный"])
def test_bytes_that_are_gone_from_the_disk_are_told_of(service: SmallService, admin: httpx.Client, way: str) -> None:
    document_id = service.base.add(AFTER, name="приказ.pdf")
    with service.base.database.write() as conn:
        conn.exec_driver_sql("UPDATE documents SET media_type = ? WHERE id = ?", (PDF, document_id))
    answer = admin.get(f"/v1/documents/{document_id}/{way}")
    assert (answer.status_code, answer.json()["code"]) == (404, "bytes_missing")
    assert "приказ.pdf" in answer.json()["detail"]
