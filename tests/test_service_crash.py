"""The whole service while its model and its worker are killed: what it can still do it does, and it comes back."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.service import Service

pytestmark = pytest.mark.real_model

QUESTION = {"question": "Сколько дней составляет отпуск?"}
LEAVE = "Отпуск составляет 28 календарных дней. Заявление подаётся за две недели до начала отпуска."


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("crash"), parts=("api", "worker", "llm")) as service:
        yield service


@pytest.fixture
def api(running: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.api_url, timeout=120, trust_env=False) as client:
        yield client


def upload(running: Service, folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return running.upload(path)[0].id


def test_without_its_model_it_searches_and_says_what_is_down(
    running: Service, api: httpx.Client, tmp_path: Path
) -> None:
    running.wait_for_end(upload(running, tmp_path, "Отпуск.txt", LEAVE))
    running.kill("llm")
    refused = api.post("/v1/ask", json=QUESTION)
    assert (refused.status_code, refused.json()["code"]) == (503, "model_unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert api.post("/v1/search", json={"query": "отпуск"}).json()["passages"]
    assert (api.get("/ready").status_code, api.get("/ready").json()["failing"]) == (503, ["model"])
    assert api.get("/live").status_code == 200
    running.restart("llm")
    assert not api.post("/v1/ask", json=QUESTION).json()["refused"]
    assert api.get("/ready").status_code == 200


def test_a_stream_whose_model_dies_ends_with_an_error_and_the_turn_is_free(running: Service, api: httpx.Client) -> None:
    model = api.get("/v1/models").json()["data"][1]["id"]
    talk = {"model": model, "messages": [{"role": "user", "content": "Расскажи историю"}], "stream": True}
    with api.stream("POST", "/v1/chat/completions", json=talk | {"max_tokens": 400}) as answer:
        lines = answer.iter_lines()
        next(lines)
        running.kill("llm")
        rest = [line.removeprefix("data: ") for line in lines if line.startswith("data: {")]
    assert json.loads(rest[-1])["error"]["code"] == "model_unavailable"
    running.restart("llm")
    assert api.post("/v1/chat/completions", json=talk | {"max_tokens": 2, "stream": False}).status_code == 200


def test_a_question_whose_model_dies_ends_with_an_error_and_the_next_one_keeps_its_place(
    running: Service, api: httpx.Client, tmp_path: Path
) -> None:
    running.wait_for_end(upload(running, tmp_path, "Снова отпуск.txt", LEAVE + " Отпускные платят за три дня."))
    asked = {"question": "Когда подаётся заявление?", "stream": True}
    with api.stream("POST", "/v1/ask", json=asked) as first, ThreadPoolExecutor(1) as others:
        lines = first.iter_lines()
        assert next(lines) == "event: sources"
        second = others.submit(api.post, "/v1/ask", json=QUESTION | {"stream": True})
        time.sleep(0.3)
        running.kill("llm")
        running.start("llm")
        events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
        # Whoever waited was not thrown out: its turn came, and ended with an answer or with a reason.
        ends = [line for line in second.result().text.splitlines() if line.startswith("event: ")]
    assert events[-1] in ("error", "done"), events
    assert ends[-1] in ("event: error", "event: done"), ends
    running.wait_ready("llm")
    assert not api.post("/v1/ask", json=QUESTION).json()["refused"]


def test_killing_worker_and_model_during_an_ingest_loses_and_doubles_nothing(
    running: Service, api: httpx.Client, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"CRASH_SEED={seed}")
    chance = random.Random(seed)
    sent = [upload(running, tmp_path, f"{n}.txt", f"Документ номер {n}. " + LEAVE * 20 + str(n)) for n in range(20)]
    for _ in range(5):
        for name in ("worker", "llm"):
            if chance.random() < 0.6:
                running.kill(name)
                running.start(name)
    running.wait_ready("llm")
    ended = [running.wait_for_end(document_id) for document_id in sent]
    assert {document.status for document in ended} == {"ready"}
    listed = api.get("/v1/documents", params={"limit": 500}).json()["items"]
    assert sorted(d["id"] for d in listed if d["name"][0].isdigit()) == sorted(sent)
    for n in (0, 19):
        found = api.post("/v1/search", json={"query": f"документ номер {n}", "top_k": 50}).json()["passages"]
        assert len([p for p in found if p["document_id"] == sent[n]]) <= ended[n].passages
    assert not api.post("/v1/ask", json=QUESTION).json()["refused"]
