"""API and worker under a wall clock that jumps by hours and days: no document is worked on twice, none is stuck."""

from __future__ import annotations

import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live_model_server import fair, wait_until
from tests.preloaded import preloaded
from tests.service import Service

pytestmark = [pytest.mark.real_model, pytest.mark.crash, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[1]
HOUR_S, DAY_S = 3600.0, 86_400.0
JUMPS_S = (DAY_S, -DAY_S, HOUR_S, -HOUR_S, 0.5, -0.5, 0.0)
TIMEOUT_S = 600.0


class Clock:
    """The wall clock of the processes that were started with `env`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        self.jump(0.0)
        self.env = {**preloaded("jumping_clock.c", folder), "JUMPING_CLOCK": str(self._file)}

    def jump(self, offset_s: float) -> None:
        """Set it so far off the true time, for all processes at once."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("d", offset_s))


class Jumping(Service):
    """API and worker under one clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock(folder)
        super().__init__(folder / "data", ("api", "worker"), llm_url="http://127.0.0.1:1/v1", test_mode=True)
        self.env = {**self.env, **self.clock.env}

    @property
    def path(self) -> Path:
        return self.settings.data_dir / "znayka.db"

    def send(self, name: str, content: str, **form: str) -> dict[str, Any]:
        answer = httpx.post(
            f"{self.api_url}/v1/documents",
            files={"file": (name, content.encode())},
            data=form,
            trust_env=False,
            timeout=TIMEOUT_S,
        )
        assert answer.status_code == 202, answer.text
        document: dict[str, Any] = answer.json()[0]
        return document

    def names(self, query: str) -> list[str]:
        wanted = {"query": query, "top_k": 20}
        answer = httpx.post(f"{self.api_url}/v1/search", json=wanted, trust_env=False, timeout=TIMEOUT_S)
        return [one["text"] for one in answer.raise_for_status().json()["passages"]]

    def attempts(self) -> dict[str, int]:
        with closing(sqlite3.connect(self.path)) as raw:
            return dict(raw.execute("SELECT id, attempts FROM documents"))

    def has_begun(self, count: int) -> bool:
        """Whether that many documents were taken in hand."""
        return sum(self.attempts().values()) >= count

    def second_worker(self, **settings: str) -> subprocess.CompletedProcess[str]:
        """Start another worker on the same database, and wait for its end."""
        env = self.env | {f"ZNAYKA_{name.upper()}": value for name, value in settings.items()}
        command = [sys.executable, "-m", "ingest.worker"]
        return subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jumping]:
    with Jumping(tmp_path_factory.mktemp("clock")) as service:
        yield service


def test_a_clock_that_jumps_during_an_ingest_makes_no_document_twice_and_gives_none_away(
    running: Jumping, tmp_path: Path
) -> None:
    sent, others = [], []
    elsewhere: Mapping[str, str] = {"data_dir": str(tmp_path), "database_url": f"sqlite:///{running.path}"}
    for n, offset_s in enumerate(JUMPS_S):
        sent += [running.send(f"{n}-{m}.txt", f"Правило {n}.{m} о насосах. " * 200 + f"{n}{m}") for m in range(3)]
        wait_until(partial(running.has_begun, len(sent) - 2), timeout_s=TIMEOUT_S)
        running.clock.jump(offset_s)
        if n in (0, 1):
            others.append(running.second_worker(**(elsewhere if n else {})))
    ahead = datetime.fromisoformat(sent[3]["created_at"]).timestamp() - time.time()
    assert DAY_S / 2 < ahead < 2 * DAY_S, "the clock did jump"
    assert [running.wait_for_end(one["id"]).status for one in sent] == ["ready"] * len(sent)
    assert running.attempts() == {one["id"]: 1 for one in sent}
    for other in others:
        assert other.returncode == 1
        assert "уже работает другой процесс обработки" in other.stderr
    assert "died" not in running.log("worker").read_text()


def test_what_a_dead_worker_held_and_what_a_full_disk_put_off_come_at_once_though_the_clock_went_back(
    running: Jumping,
) -> None:
    running.restart("worker", faults="K5")
    held = running.send("Умер.txt", "Работник умер, читая этот документ.")
    running.wait_death("worker", TIMEOUT_S)
    postponed = running.send("Отложен.txt", "Документ, отложенный на полминуты из-за полного диска.")
    with closing(sqlite3.connect(running.path)) as raw, raw:
        raw.execute("UPDATE documents SET not_before = ? WHERE id = ?", (time.time() + 30, postponed["id"]))
    running.clock.jump(-DAY_S)
    running.start("worker")
    began = time.monotonic()
    assert [running.wait_for_end(one["id"]).status for one in (held, postponed)] == ["ready", "ready"]
    assert time.monotonic() - began < fair(60)
    assert running.attempts()[held["id"]] == 2
    running.clock.jump(0.0)


def test_an_edition_that_came_after_the_clock_went_back_is_the_one_that_is_found(running: Jumping) -> None:
    first = running.send("Склад.txt", "Пропуск на склад выдаёт охрана.", replace="true")
    assert running.wait_for_end(first["id"]).status == "ready"
    running.clock.jump(-DAY_S)
    second = running.send("Склад.txt", "Пропуск на склад выдаёт кладовщик.", replace="true")
    assert running.wait_for_end(second["id"]).status == "ready"
    found = running.names("пропуск на склад")
    assert [text for text in found if "склад" in text] == ["Пропуск на склад выдаёт кладовщик."]
    running.clock.jump(0.0)
