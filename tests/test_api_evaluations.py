"""Evaluations over REST: the real service asks three questions of its own, one of which must be refused."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.evaluation_runs import INTERRUPTED, Run, RunStatus, RunStore
from api.turns import QueueLimits, TurnQueue
from core.errors import InvalidRequest, NotFound
from core.types import Principal
from evaluation.opinions import Rated, pairs_csv
from evaluation.pairs import TO_FILL_IN, read_pairs
from generation.refusal import NOT_FOUND
from ingest.limits import Limits
from tests.service import Service
from tests.test_api_contract import assert_problem, upload, wait

PLACE = "hr"
LEAVE = "Отпуск составляет 28 календарных дней. Заявление подаётся за две недели до начала отпуска."
PAIRS = (
    "вопрос;ответ;документ;страница\r\n"
    "Сколько дней составляет отпуск?;28 календарных дней;Отпуск для проверки.txt;\r\n"
    "За сколько до начала отпуска подаётся заявление?;за две недели;Отпуск для проверки.txt;\r\n"
    "Какой высоты Останкинская башня?;;;\r\n"
)
RUN_S = 300


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of its own, because one test restarts the API."""
    with Service(tmp_path_factory.mktemp("evaluations"), parts=("api", "worker", "llm")) as running:
        yield running


@pytest.fixture(scope="module")
def api(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.api_url, timeout=120, trust_env=False) as client:
        wait(client, upload(client, "Отпуск для проверки.txt", LEAVE.encode(), collection=PLACE)[0]["id"])
        yield client


def start(api: httpx.Client, text: str = PAIRS, *, name: str = "Вопросы.csv", **form: str) -> httpx.Response:
    return api.post("/v1/evaluations", files={"file": (name, text.encode("cp1251"))}, data=form)


def until_over(api: httpx.Client, run_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + RUN_S
    while (run := api.get(f"/v1/evaluations/{run_id}").json())["status"] == "running":
        assert time.monotonic() < deadline, run
        assert run["done"] <= run["total"] == 3
        time.sleep(0.2)
    return run


@pytest.mark.real_model
def test_a_run_gives_figures_a_page_and_data_and_the_next_one_is_compared(api: httpx.Client) -> None:
    began = start(api, collection=PLACE)
    assert began.status_code == 202, began.text
    assert {"id", "status", "done", "total"} <= set(began.json())
    assert_problem(start(api), 503, "evaluation_running")
    first = until_over(api, began.json()["id"])
    assert (first["status"], first["done"], first["error"]) == ("done", 3, None)
    figures = {figure["measure"]: figure for figure in first["figures"]}
    assert figures["found_place"]["value"] == 1.0
    assert figures["refused"]["count"] == 1
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in figures.values())
    assert figures["right"]["verdict"] is None

    second = until_over(api, start(api, collection=PLACE).json()["id"])
    again = {figure["measure"]: figure for figure in second["figures"]}
    assert second["compared_with"] == first["id"]
    assert again["right"]["before"] == figures["right"]["value"]
    assert again["right"]["verdict"] == "noise"

    page = api.get(f"/v1/evaluations/{second['id']}/report")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "в пределах шума" in page.text
    questions = api.get(f"/v1/evaluations/{second['id']}/report.json").json()["questions"]
    assert len(questions) == 3
    assert second["failed"] == sum(one["failure"] is not None for one in questions)
    assert [run["id"] for run in api.get("/v1/evaluations").json()["items"]][:2] == [second["id"], first["id"]]

    assert api.delete(f"/v1/evaluations/{first['id']}").status_code == 204
    assert_problem(api.get(f"/v1/evaluations/{first['id']}"), 404, "evaluation_not_found")


@pytest.mark.real_model
def test_a_run_can_be_stopped_and_one_broken_by_a_restart_says_so(service: Service, api: httpx.Client) -> None:
    stopped = start(api).json()["id"]
    assert api.delete(f"/v1/evaluations/{stopped}").status_code == 204
    assert api.get(f"/v1/evaluations/{stopped}").json()["status"] == "stopped"
    assert_problem(api.get(f"/v1/evaluations/{stopped}/report"), 404, "no_report")

    broken = start(api).json()["id"]
    service.restart("api")
    run = api.get(f"/v1/evaluations/{broken}").json()
    assert (run["status"], run["error"]["detail"]) == ("interrupted", INTERRUPTED.detail)
    assert start(api).status_code == 202


@pytest.mark.real_model
@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("вопрос;ответ\r\nГде?;\r\n;да\r\n", "a.csv", "Строка 3: пустой вопрос"),
        (f"вопрос;ответ\r\nГде?;{TO_FILL_IN}\r\n", "a.csv", "Строка 2: не вписан верный ответ"),
        (f"вопрос;ответ\r\n{'я' * 5000};да\r\n", "a.csv", "Строка 2: В вопросе 5000 знаков"),
        ("вопрос;ответ\r\n" + "Где?;да\r\n" * 1001, "a.csv", "Вопросов в файле 1001"),
        ("вопрос;ответ\r\n" + "я" * 200_000 + ";да\r\n", "a.csv", "Таблица повреждена"),
        ("Где?", "a.txt", "CSV, XLSX или JSONL"),
    ],
)
def test_a_bad_file_is_refused_with_the_row_and_nothing_is_kept(
    api: httpx.Client, text: str, name: str, words: str
) -> None:
    before = len(api.get("/v1/evaluations").json()["items"])
    while api.get("/v1/evaluations").json()["items"][0]["status"] == "running":
        time.sleep(0.2)
    answer = start(api, text, name=name)
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]
    assert len(api.get("/v1/evaluations").json()["items"]) == before


@pytest.mark.real_model
def test_forms_and_addresses_that_cannot_be_are_refused(api: httpx.Client) -> None:
    assert_problem(start(api, collection="нет такой"), 404, "collection_not_found")
    assert_problem(start(api, limit="5"), 422, "bad_field")
    assert_problem(start(api, PAIRS + "x" * (5 * 2**20)), 413, "pairs_too_large")
    assert_problem(api.get("/v1/evaluations/..%2f..%2fznayka.db"), 404, "not_found")
    assert_problem(api.get("/v1/evaluations/anything"), 404, "evaluation_not_found")


@pytest.mark.real_model
def test_rated_questions_come_back_as_pairs(api: httpx.Client, tmp_path: Path) -> None:
    document = api.get("/v1/documents", params={"collection": PLACE}).json()["items"][0]
    good = {"verdict": "up", "question": "Сколько дней?", "answer": "28 дней [1].", "document_ids": [document["id"]]}
    assert api.post("/v1/feedback", json=good).status_code == 204
    answer = api.get("/v1/feedback/pairs")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    path = tmp_path / "a.csv"
    path.write_bytes(answer.content)
    pair = read_pairs(path, Limits())[0]
    assert (pair.question, pair.answer, pair.document) == ("Сколько дней?", "28 дней.", document["name"])


def rows(*rated: Rated) -> list[list[str]]:
    return list(csv.reader(io.StringIO(pairs_csv(rated), newline=""), delimiter=";"))[1:]


def test_a_bad_answer_is_to_be_filled_in_and_a_praised_refusal_expects_one() -> None:
    bad = Rated("Кто?", "Иванов [1].", False, "не он", "a.pdf")
    refusal = Rated("Когда?", NOT_FOUND, True, "", "")
    unfounded = Rated("Зачем?", "Потому что.", True, "", "")
    found = rows(bad, Rated("Кто?", "Пётр [1].", True, "", "a.pdf"), refusal, unfounded)
    assert [row[:3] for row in found] == [["Кто?", TO_FILL_IN, ""], ["Когда?", "", ""]]
    assert found[0][4:] == ["плохой ответ", "не он", "Иванов [1]."]


def test_what_a_spreadsheet_would_run_is_only_text() -> None:
    assert rows(Rated('=HYPERLINK("http://evil.test")', "-1 день [1]", True, "", "a.pdf"))[0][:2] == [
        '\'=HYPERLINK("http://evil.test")',
        "'-1 день",
    ]


def test_a_row_to_be_filled_in_is_refused_until_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"question": "Кто?", "answer": TO_FILL_IN}), encoding="utf-8")
    with pytest.raises(InvalidRequest, match="Строка 1: не вписан верный ответ"):
        read_pairs(path, Limits())


async def test_work_aside_starts_only_when_nobody_waits_and_counts_for_nobody() -> None:
    turns = TurnQueue(QueueLimits(slots=1, waiting_max=3, wait_max_s=60, per_caller_max=1), time.monotonic)
    aside, person = turns.wait_aside("anna"), turns.enter("anna")
    assert turns.place(aside) is None, "the queue was empty"
    another = turns.enter("boris")
    turns.leave(aside)
    later = turns.wait_aside("anna")
    assert turns.place(person) is None
    assert (turns.place(another).position, turns.place(later).position) == (1, 2)
    turns.leave(person)
    assert turns.place(another) is None
    turns.leave(another)
    await asyncio.wait_for(later.come(), 1)


def kept(store: RunStore, number: int, scope: frozenset[str] | None, **more: Any) -> Run:
    id_ = f"0190{number:04x}-0000-7000-8000-000000000000"
    run = Run(id_, "a.csv", "0" * 64, None, scope, 1, datetime(2026, 11, 20, number, tzinfo=UTC), **more)
    store.add(run, b"pairs")
    return run


def test_a_key_sees_the_runs_that_read_no_more_than_it_may(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    everything, hr = kept(store, 1, None), kept(store, 2, frozenset({"hr"}))
    assert store.listing(Principal("owner")) == (hr, everything)
    assert store.listing(Principal("key", frozenset({"hr", "law"}))) == (hr,)
    with pytest.raises(NotFound):
        store.get(everything.id, Principal("key", frozenset({"hr"})))


def test_a_restart_closes_what_was_running_and_sweeps_what_was_half_written(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    running, done = kept(store, 1, None), kept(store, 2, None, status=RunStatus.DONE)
    (tmp_path / ".half").mkdir()
    store.recover(running.created_at)
    assert store.get(running.id, Principal("owner")).status is RunStatus.INTERRUPTED
    assert store.get(done.id, Principal("owner")) == done
    assert not (tmp_path / ".half").exists()


def test_a_state_that_cannot_be_read_hides_one_run_and_no_other(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    whole, torn = kept(store, 1, None), kept(store, 2, None)
    (tmp_path / torn.id / "run.json").write_bytes(b"{")
    assert store.listing(Principal("owner")) == (whole,)
