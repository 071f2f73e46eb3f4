"""The model process out of memory or killed while it answers: the supervisor brings it back, those who wait stay."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import psutil
import pytest

from cli.parts import service_parts
from cli.supervisor import Supervisor
from tests.live_model_server import gauge
from tests.service import Service

pytestmark = [pytest.mark.real_model, pytest.mark.crash, pytest.mark.timeout(1800)]

LEAVE = "Отпуск составляет 28 календарных дней. Заявление подаётся за две недели до начала отпуска."
QUESTION = {"question": "Сколько дней составляет отпуск?"}
LONG = "Отпуск предоставляется по графику, утверждённому директором не позднее 17 декабря. " * 150
TIMEOUT_S = 600.0


@dataclass
class Supervised:
    """A service whose model process the supervisor keeps; `until` watches it meanwhile, as `znayka run` does."""

    service: Service
    supervisor: Supervisor
    said: list[str]
    ended: list[str] = field(default_factory=list)

    def until(self, is_true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not is_true():
            assert time.monotonic() < deadline, self.said
            self.supervisor.watch()
            time.sleep(0.05)

    @property
    def model_pid(self) -> int:
        port = self.service.settings.llm_port
        return next(one.pid for one in psutil.net_connections() if one.laddr.port == port and one.status == "LISTEN")

    @property
    def starts(self) -> int:
        return sum("языковая модель" in line and "работает" in line for line in self.said)

    def llm(self) -> httpx.Client:
        url = self.service.model_url.removesuffix("/v1")
        return httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    def api(self) -> httpx.Client:
        return httpx.Client(base_url=self.service.api_url, timeout=TIMEOUT_S, trust_env=False)

    def talk(self, said_first: Callable[[], None] = lambda: None) -> list[str]:
        """Have the model talk about a long text; return the events, after calling `said_first` at the first word."""
        with self.api() as api:
            model = api.get("/v1/models").json()["data"][1]["id"]
            body = {"model": model, "messages": [{"role": "user", "content": f"{LONG}\nПерескажи."}], "stream": True}
            heard = []
            with api.stream("POST", "/v1/chat/completions", json=body | {"max_tokens": 400}) as answer:
                for line in answer.iter_lines():
                    if line.startswith("data: {"):
                        heard.append(line.removeprefix("data: "))
                        if len(heard) == 3:
                            said_first()
            return heard

    def ask(self, name: str) -> str:
        with self.api() as api:
            text = api.post("/v1/ask", json=QUESTION | {"stream": True}).text
        self.ended.append(name)
        return text


@pytest.fixture(scope="module")
def supervised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    folder = tmp_path_factory.mktemp("memory")
    said: list[str] = []
    with Service(folder / "data", parts=("api", "worker")) as service:
        path = folder / "Отпуск.txt"
        path.write_text(LEAVE)
        service.wait_for_end(service.upload(path)[0].id)
        supervisor = Supervisor(log_dir=folder / "data" / "logs", env=service.env, say=said.append)
        supervisor.start([part for part in service_parts(service.settings) if part.name == "llm"])
        running = Supervised(service, supervisor, said)
        try:
            running.until(lambda: running.starts == 1)
            yield running
        finally:
            supervisor.stop()


def test_without_memory_in_the_middle_of_a_long_answer_it_ends_with_an_error_and_is_brought_back(
    supervised: Supervised,
) -> None:
    pid, starts = supervised.model_pid, supervised.starts

    def take_memory() -> None:
        size = psutil.Process(pid).memory_info().vms
        resource.prlimit(pid, resource.RLIMIT_AS, (size // 2, resource.RLIM_INFINITY))

    with ThreadPoolExecutor(1) as client:
        talk = client.submit(supervised.talk, take_memory)
        supervised.until(talk.done)
    assert json.loads(talk.result()[-1])["error"]["code"] in ("model_unavailable", "model_failed")
    supervised.until(lambda: supervised.starts == starts + 1)
    assert not psutil.pid_exists(pid), "what had no memory does not go on with half a state"
    with supervised.api() as api:
        assert api.get("/live").status_code == 200
        answer = api.post("/v1/ask", json=QUESTION).json()
    assert (answer["refused"], "28" in answer["answer"]) == (False, True), answer


def test_three_who_wait_behind_a_question_whose_model_is_killed_are_answered_in_their_order(
    supervised: Supervised,
) -> None:
    pid = supervised.model_pid
    with ThreadPoolExecutor(4) as clients, supervised.llm() as llm:
        first = clients.submit(supervised.talk)
        supervised.until(lambda: gauge(llm, "busy") == 1)
        waiting: list[Future[str]] = []
        for name in ("второй", "третий", "четвёртый"):
            waiting.append(clients.submit(supervised.ask, name))
            supervised.until(lambda: _waiting(supervised) == len(waiting))
        assert gauge(llm, "busy") == 1
        os.kill(pid, signal.SIGKILL)
        supervised.until(lambda: first.done() and all(one.done() for one in waiting))
    assert json.loads(first.result()[-1])["error"]["code"] == "model_unavailable"
    assert supervised.ended == ["второй", "третий", "четвёртый"]
    for one in waiting:
        events = [line for line in one.result().splitlines() if line.startswith("event: ")]
        assert events[-1] == "event: done", one.result()
        assert "28" in one.result().rpartition("data: ")[2]


def _waiting(supervised: Supervised) -> int:
    with supervised.api() as api:
        lines = api.get("/metrics").text.splitlines()
    return int(float(next(line for line in lines if line.startswith("znayka_questions_waiting ")).split()[1]))
