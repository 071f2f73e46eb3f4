"""The model process out of memory or killed while it answers: the supervisor brings it back, those who wait stay."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from cli.parts import service_parts
from cli.supervisor import Supervisor
from generation.slot import OUT_OF_MEMORY
from tests.live_model_server import gauge
from tests.service import Service

pytestmark = [pytest.mark.real_model, pytest.mark.crash, pytest.mark.timeout(1800)]

LEAVE = "Отпуск составляет 28 календарных дней. Заявление подаётся за две недели до начала отпуска."
QUESTION = {"question": "Сколько дней составляет отпуск?"}
LONG = "Отпуск предоставляется по графику, утверждённому директором не позднее 17 декабря. " * 150
TIMEOUT_S = 600.0
WITHOUT_MEMORY = """
import asyncio
from concurrent.futures import ThreadPoolExecutor
from generation.slot import Slot

def produce(is_cancelled):
    yield "слово"
    raise MemoryError

async def main():
    async for text in Slot(ThreadPoolExecutor(1), queue_max=1).submit(produce):
        pass

asyncio.run(main())
"""


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

    def talk(self, began: Callable[[], None] = lambda: None) -> list[str]:
        """Have the model talk about a long text; return the events. `began` is called when it begins to read."""
        with self.api() as api:
            model = api.get("/v1/models").json()["data"][1]["id"]
            body = {"model": model, "messages": [{"role": "user", "content": f"{LONG}\nПерескажи."}], "stream": True}
            heard = []
            with api.stream("POST", "/v1/chat/completions", json=body | {"max_tokens": 400}) as answer:
                for line in answer.iter_lines():
                    if line.startswith("data: {"):
                        heard.append(line.removeprefix("data: "))
                        if len(heard) == 1:
                            began()
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


@contextmanager
def memory_group() -> Iterator[Callable[[int], None]]:
    """A group of the kernel's that has no memory to give; the call moves a process into it. Skips without the right."""
    root = Path("/sys/fs/cgroup")
    is_old = (root / "memory").is_dir()
    group = (root / "memory" if is_old else root) / f"znayka-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.limit_in_bytes" if is_old else "memory.max")).write_text(str(2**20))
    except OSError:
        pytest.skip("needs the right to make a memory cgroup")
    try:
        yield lambda pid: print((group / "cgroup.procs").write_text(str(pid)))
    finally:
        group.rmdir()


def test_without_memory_for_a_long_text_the_stream_ends_with_an_error_and_the_model_is_brought_back(
    supervised: Supervised,
) -> None:
    pid, starts = supervised.model_pid, supervised.starts
    with memory_group() as take_memory, ThreadPoolExecutor(1) as client:
        talk = client.submit(supervised.talk, lambda: take_memory(pid))  # its first long text: it has to grow
        supervised.until(talk.done)
        supervised.until(lambda: not psutil.pid_exists(pid))
    assert json.loads(talk.result()[-1])["error"]["code"] == "model_unavailable"
    supervised.until(lambda: supervised.starts == starts + 1)
    with supervised.api() as api:
        assert api.get("/live").status_code == 200
        answer = api.post("/v1/ask", json=QUESTION).json()
    assert (answer["refused"], "28" in answer["answer"]) == (False, True), answer


def test_a_lack_of_memory_in_python_ends_the_process_too() -> None:
    ended = subprocess.run([sys.executable, "-c", WITHOUT_MEMORY], check=False, capture_output=True, text=True)
    assert ended.returncode == OUT_OF_MEMORY, ended.stderr


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
    opening, error = map(json.loads, first.result())  # not a word between: it was still reading
    assert (opening["choices"][0]["delta"].get("content") or "", error["error"]["code"]) == ("", "model_unavailable")
    assert supervised.ended == ["второй", "третий", "четвёртый"]
    for one in waiting:
        events = [line for line in one.result().splitlines() if line.startswith("event: ")]
        assert events[-1] == "event: done", one.result()
        assert "28" in one.result().rpartition("data: ")[2]


def _waiting(supervised: Supervised) -> int:
    with supervised.api() as api:
        lines = api.get("/metrics").text.splitlines()
    return int(float(next(line for line in lines if line.startswith("znayka_questions_waiting ")).split()[1]))
