"""A real worker that gets stuck in the middle of embedding is ended and replaced, and its document comes to an end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.documents import ENDS
from cli.parts import service_parts
from cli.supervisor import Supervisor
from core.settings import PREFIX
from tests.service import Service

pytestmark = [pytest.mark.real_model, pytest.mark.crash, pytest.mark.timeout(1800)]

STALL_S = 10
TIMEOUT_S = 600


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("stall")
    with Service(folder / "data", ("api",), llm_url="http://127.0.0.1:1/v1", test_mode=True) as running:
        yield running


def long_text(folder: Path, name: str) -> Path:
    """More passages than one batch of the encoder."""
    path = folder / name
    path.write_text("\n\n".join(f"# Статья {n}\n\n{name}: отдел {n} сдаёт отчёт номер {n} в срок." for n in range(60)))
    return path


def test_a_worker_that_froze_is_ended_and_the_next_one_makes_the_document_ready(
    service: Service, tmp_path: Path
) -> None:
    """Frozen: a thread holds the interpreter's lock for ever, so that nothing in the process could notice."""
    worker = Service(service.settings.data_dir, ("worker",), llm_url="http://127.0.0.1:1/v1", test_mode=True)
    worker.start("worker", faults="freeze-K7@2", worker_stall_s=STALL_S)
    sent = service.upload(long_text(tmp_path, "отчёты.md"))[0].id
    assert worker.wait_death("worker", TIMEOUT_S) == 1
    worker.start("worker")
    assert service.wait_for_end(sent, TIMEOUT_S).status == "ready"
    worker.stop()
    told = [json.loads(line) for line in worker.log("worker").read_text(encoding="utf-8").splitlines()]
    (stuck,) = [one for one in told if one["logger"] == "ingest.watchdog"]
    assert "in reach" in stuck["exception"]
    assert "in encode_passages" in stuck["exception"]
    assert not [one for one in told if one["logger"] == "output"], "the worker itself wrote JSON, not its supervisor"


def test_under_the_supervisor_a_document_that_hangs_each_worker_is_put_aside(service: Service, tmp_path: Path) -> None:
    """Hung: one thread waits for ever, the others go on as if nothing were wrong."""
    said: list[str] = []
    own = {"faults": "hang-K7", "worker_stall_s": STALL_S, "attempts_max": 1}
    env = service.env | {f"{PREFIX}{name.upper()}": str(value) for name, value in own.items()}
    supervisor = Supervisor(log_dir=tmp_path / "logs", env=env, say=said.append)
    try:
        supervisor.start([part for part in service_parts(service.settings) if part.name == "worker"])
        sent = service.upload(long_text(tmp_path, "яд.md"))[0].id
        deadline = time.monotonic() + TIMEOUT_S
        while next(one for one in service.client().documents(limit=100).items if one.id == sent).status not in ENDS:
            supervisor.watch()
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
    finally:
        supervisor.stop()
    ended = service.wait_for_end(sent)
    assert (ended.status, ended.error.code if ended.error else None) == ("failed", "poison")
    assert sum("код 1" in line and "запускаю снова" in line for line in said) == 1
