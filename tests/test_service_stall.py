"""A real worker that gets stuck in the middle of embedding is ended and replaced, and its document becomes ready."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from cli.documents import ENDS
from cli.parts import service_parts
from cli.supervisor import Supervisor
from core.settings import PREFIX
from tests.service import Service

pytestmark = [pytest.mark.real_model, pytest.mark.crash, pytest.mark.timeout(1800)]

STALL_S = 20  # nothing of the honest work before takes as long, on a busy machine either
TIMEOUT_S = 900


def test_a_frozen_worker_is_ended_and_the_one_that_the_supervisor_starts_makes_the_document_ready(
    tmp_path: Path,
) -> None:
    """Frozen: a thread holds the interpreter's lock for ever, so that nothing in the process could notice."""
    path = tmp_path / "отчёты.md"
    path.write_text("\n\n".join(f"# Статья {n}\n\nОтдел {n} сдаёт отчёт номер {n} в срок." for n in range(60)))
    said: list[str] = []
    with Service(tmp_path / "data", ("api",), llm_url="http://127.0.0.1:1/v1", test_mode=True) as service:
        env = service.env | {f"{PREFIX}FAULTS": "freeze-K7@2", f"{PREFIX}WORKER_STALL_S": str(STALL_S)}
        supervisor = Supervisor(log_dir=tmp_path / "logs", env=env, say=said.append)
        try:
            supervisor.start([part for part in service_parts(service.settings) if part.name == "worker"])
            sent = service.upload(path)[0].id
            deadline = time.monotonic() + TIMEOUT_S
            while next(one for one in service.client().documents(limit=9).items if one.id == sent).status not in ENDS:
                supervisor.watch()
                if any("запускаю снова" in line for line in said):
                    env.pop(f"{PREFIX}FAULTS", None)
                    env.pop(f"{PREFIX}WORKER_STALL_S", None)
                assert time.monotonic() < deadline, said
                time.sleep(0.2)
        finally:
            supervisor.stop()
        assert service.wait_for_end(sent).status == "ready"
    assert sum("код 1" in line and "запускаю снова" in line for line in said) == 1, said
    told = [json.loads(line) for line in (tmp_path / "logs" / "worker.log").read_text(encoding="utf-8").splitlines()]
    (stuck,) = [one for one in told if one["logger"] == "ingest.watchdog"]
    assert "in reach" in stuck["exception"], stuck["exception"]
    assert "in encode_passages" in stuck["exception"], stuck["exception"]
    assert not [one for one in told if one["logger"] == "output"], "the worker itself wrote JSON, not its supervisor"
