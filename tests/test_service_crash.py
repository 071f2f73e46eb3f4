"""The whole service while its model and its worker are killed: what it can still do it does, and it comes back."""

from __future__ import annotations

import json
import os
import random
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from tests.live_model_server import fair, is_idle, wait_until
from tests.service import Service

pytestmark = pytest.mark.real_model

QUESTION = {"question": "Сколько дней составляет отпуск?"}
LEAVE = "Отпуск составляет 28 календарных дней. Заявление подаётся за две недели до начала отпуска."
ELSEWHERE = "долгие"
SLOW = {"question": "Перечислите все сроки подачи заявлений", "collection": ELSEWHERE, "stream": True}
LEAVERS, A_WAVE, TALKERS = 50, 10, 10
PATIENCE_S = 600.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    share = {"queue_max_per_key": A_WAVE + 2, "queue_max_s": 3600}
    with Service(tmp_path_factory.mktemp("crash"), parts=("api", "worker", "llm"), **share) as service:
        yield service


@pytest.fixture
def api(running: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.api_url, timeout=PATIENCE_S, trust_env=False) as client:
        yield client


def upload(running: Service, folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return running.upload(path)[0].id


@pytest.fixture
def llm(running: Service) -> Iterator[httpx.Client]:
    """The model process itself."""
    with httpx.Client(base_url=running.model_url.removesuffix("/v1"), timeout=PATIENCE_S, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def slow(running: Service, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A question for which the model has to read four long passages."""
    path = tmp_path_factory.mktemp("slow") / "Сроки.md"
    kinds = ("об отпуске", "о переводе", "о командировке", "о премии", "о пропуске", "об увольнении")
    parts = [
        f"# Заявление {kind}\n\n" + f"Заявление {kind} подают за {n} дней. " * 25 for n, kind in enumerate(kinds, 3)
    ]
    path.write_text("\n\n".join(parts))
    running.wait_for_end(running.upload(path, collection=ELSEWHERE)[0].id)
    return SLOW


def suspend(running: Service) -> None:
    """Stop the model where it is, so that what is being answered is certainly not over."""
    os.killpg(running.pid("llm"), signal.SIGSTOP)


def resume(running: Service) -> None:
    os.killpg(running.pid("llm"), signal.SIGCONT)


def questions(api: httpx.Client, state: str) -> int:
    """How many questions are `waiting` for their turn, or have it: `running`."""
    lines = api.get("/metrics").text.splitlines()
    return int(float(next(line for line in lines if line.startswith(f"znayka_questions_{state} ")).split()[1]))


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
    running: Service, api: httpx.Client, slow: dict[str, object], tmp_path: Path
) -> None:
    running.wait_for_end(upload(running, tmp_path, "Снова отпуск.txt", LEAVE + " Отпускные платят за три дня."))
    with api.stream("POST", "/v1/ask", json=slow) as first, ThreadPoolExecutor(1) as others:
        lines = first.iter_lines()
        assert next(lines) == "event: sources"
        suspend(running)
        second = others.submit(api.post, "/v1/ask", json=QUESTION | {"stream": True})
        wait_until(lambda: questions(api, "waiting") == 1, timeout_s=PATIENCE_S)
        running.kill("llm")
        running.start("llm")
        events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
        # Whoever waited was not thrown out: its turn came, and ended with an answer or with a reason.
        ends = [line for line in second.result().text.splitlines() if line.startswith("event: ")]
    assert events[-1] == "error", events
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


def test_an_api_that_dies_in_mid_stream_ends_no_answer_the_page_says_so_and_the_model_is_free(
    running: Service,
    api: httpx.Client,
    llm: httpx.Client,
    slow: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running.wait_for_end(upload(running, tmp_path, "Отпуск и отпускные.txt", LEAVE + " Отпускные платит касса."))
    monkeypatch.setenv("ZNAYKA_UI_API_URL", running.api_url)
    page = AppTest.from_file("../ui/app.py", default_timeout=PATIENCE_S).run()
    with api.stream("POST", "/v1/ask", json=slow) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: sources"
        suspend(running)
        page.chat_input[0].set_value(QUESTION["question"]).run()
        wait_until(lambda: questions(api, "waiting") == 1, timeout_s=PATIENCE_S)
        running.kill("api")
        heard: list[str] = []
        with pytest.raises(httpx.HTTPError):
            heard.extend(line for line in lines)
    assert not {"event: done", "event: error"} & set(heard)
    resume(running)
    assert wait_until(lambda: is_idle(llm), timeout_s=PATIENCE_S) < fair(1.0)
    wait_until(lambda: not any((one.key or "").startswith("stop-") for one in page.run().button), timeout_s=PATIENCE_S)
    assert not page.exception
    assert any("Сервис не отвечает" in one.value for one in page.text), [one.value for one in page.text]
    running.restart("api")
    answered = api.post("/v1/ask", json=QUESTION).json()
    assert (answered["refused"], "28" in answered["answer"]) == (False, True), answered


def test_a_hundred_who_leave_before_and_after_the_first_words_each_free_the_model_for_the_next(
    running: Service, api: httpx.Client, llm: httpx.Client, tmp_path: Path
) -> None:
    path = tmp_path / "Отпуск сторожей.txt"
    path.write_text(LEAVE)
    running.wait_for_end(running.upload(path, collection="сторожа")[0].id)
    asked = QUESTION | {"collection": "сторожа"}
    right = api.post("/v1/ask", json=asked).json()["answer"]
    assert "28" in right
    longest_s = 0.0
    for _ in range(LEAVERS // A_WAVE):
        suspend(running)
        streams = [until(api, "/v1/ask", asked, "event: sources") for _ in range(A_WAVE)]
        assert (questions(api, "running"), questions(api, "waiting")) == (1, A_WAVE - 1)
        for answer, _ in reversed(streams):
            answer.close()
        resume(running)
        longest_s = max(longest_s, wait_until(lambda: is_free(api, llm), timeout_s=PATIENCE_S))
    for _ in range(LEAVERS):
        until(api, "/v1/ask", asked, "event: token")[0].close()
        longest_s = max(longest_s, wait_until(lambda: is_free(api, llm), timeout_s=PATIENCE_S))
    # What rests on documents is said when it is checked, all but over; talk is left in the middle of a word.
    talk = {"model": api.get("/v1/models").json()["data"][1]["id"], "max_tokens": 400}
    talk |= {"messages": [{"role": "user", "content": "Расскажи длинную историю"}]}
    for _ in range(TALKERS):
        until(api, "/v1/chat/completions", talk, r'"content": ?"[^"]')[0].close()
        longest_s = max(longest_s, wait_until(lambda: is_free(api, llm), timeout_s=PATIENCE_S))
    print(f"{2 * LEAVERS + TALKERS} left, the model was free after {longest_s:.2f} s at most")
    assert longest_s < fair(1.0)
    assert api.post("/v1/ask", json=asked).json()["answer"] == right


def until(api: httpx.Client, path: str, asked: dict[str, object], wanted: str) -> tuple[httpx.Response, Iterator[str]]:
    """Ask, and listen up to the line in which `wanted` is found. Who lets go of the lines that follow has left."""
    request = api.build_request("POST", path, json=asked | {"stream": True})
    answer = api.send(request, stream=True)
    assert answer.status_code == 200, answer.read()
    lines = answer.iter_lines()
    while not re.search(wanted, next(lines)):
        pass
    return answer, lines


def is_free(api: httpx.Client, llm: httpx.Client) -> bool:
    """Whether nobody has the model and nobody waits for it, in either process."""
    return is_idle(llm) and questions(api, "waiting") == questions(api, "running") == 0
