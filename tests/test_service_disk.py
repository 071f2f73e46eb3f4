"""The real processes on a disk that is full, beside a program that locks the database, and over damaged pages."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.invariants import check_folder
from tests.live_model_server import wait_until
from tests.service import Service

pytestmark = [pytest.mark.real_model, pytest.mark.crash, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[1]
DISK = "32m"
LOCKED_S = 30.0
BUSY_S = 5.0
TIMEOUT_S = 600.0
LEAVE = "Отпуск составляет 28 календарных дней. Заявление подаётся за две недели."
LOCKER = """
import sqlite3, sys, time
raw = sqlite3.connect(sys.argv[1], isolation_level=None)
raw.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
raw.execute("ROLLBACK")
"""


class Running(Service):
    """A service without a model, and short words for what the tests do with it."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            data_dir,
            ("api", "worker"),
            llm_url="http://127.0.0.1:1/v1",
            disk_reserve_bytes=0,
            database_busy_timeout_s=BUSY_S,
        )

    @property
    def data_dir(self) -> Path:
        return self.settings.data_dir

    def call(self, method: str, path: str, **wanted: object) -> httpx.Response:
        return httpx.request(method, self.api_url + path, trust_env=False, timeout=TIMEOUT_S, **wanted)  # type: ignore[arg-type]

    def send(self, name: str, content: bytes) -> httpx.Response:
        return self.call("POST", "/v1/documents", files={"file": (name, content)})

    def finds(self, query: str) -> list[str]:
        answer = self.call("POST", "/v1/search", json={"query": query})
        assert answer.status_code == 200, answer.text
        return [one["document"] for one in answer.json()["passages"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the service lives: a file system of its own, of 32 MB, where that may be mounted."""
    folder = tmp_path_factory.mktemp("disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    with suppress(OSError):
        subprocess.run(command, check=False, capture_output=True)
    yield folder
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def disk(folder: Path) -> Path:
    """The small file system; the tests that fill none do without."""
    if not folder.is_mount():
        pytest.skip("filling a disk needs the right to mount a small one; test_ingest_full_disk.py does it without")
    return folder


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    with Running(folder / "data") as service:
        service.wait_for_end(service.send("Отпуск.txt", LEAVE.encode()).json()[0]["id"])
        yield service


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Let nothing more fit on the disk."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        for size in (2**20, 2**12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    yield
    filler.unlink()


def test_a_full_disk_refuses_uploads_lets_reads_go_on_and_heals_by_itself(running: Running, disk: Path) -> None:
    running.kill("worker")
    waiting = running.send("Ждёт.txt", "Документ, который ждёт места на диске.".encode()).json()[0]["id"]
    with filled(disk):
        running.start("worker")
        for n in range(3):
            refused = running.send(f"{n}.txt", os.urandom(300_000))
            assert (refused.status_code, refused.json()["code"]) == (507, "disk_full"), refused.text
            assert "Освободите место" in refused.json()["detail"]
        wait_until(lambda: "disk_full" in running.log("worker").read_text(), timeout_s=TIMEOUT_S)
        assert running.call("GET", f"/v1/documents/{waiting}").json()["status"] in ("queued", "parsing", "embedding")
        assert running.finds("отпуск") == ["Отпуск.txt"]
        assert running.is_running("worker")
        assert running.is_running("api")
    assert running.wait_for_end(waiting).status == "ready", "without anybody's help"
    healed = running.send("После.txt", "Место снова есть.".encode())
    assert healed.status_code == 202
    assert running.wait_for_end(healed.json()[0]["id"]).status == "ready"
    wait_until(lambda: is_sound(running.data_dir), timeout_s=TIMEOUT_S)  # no half file, no file without a document


def is_sound(data_dir: Path) -> bool:
    with suppress(AssertionError):
        check_folder(data_dir)
        return True
    return False


def test_a_database_locked_for_half_a_minute_loses_nothing(running: Running, tmp_path: Path) -> None:
    queued = running.send("Перед замком.txt", "Пришёл перед замком.".encode()).json()[0]["id"]
    command = [sys.executable, "-c", LOCKER, str(running.data_dir / "znayka.db"), str(LOCKED_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as locker, ThreadPoolExecutor(4) as clients:
        assert locker.stdout is not None
        assert locker.stdout.readline() == "locked\n"
        began = time.monotonic()
        uploads = [clients.submit(running.send, f"{n}.txt", b"x" * n) for n in range(1, 5)]
        while locker.poll() is None:
            assert running.finds("отпуск")[0] == "Отпуск.txt"
            assert running.call("GET", "/v1/documents").status_code == 200
            time.sleep(0.5)
        answers = [upload.result() for upload in uploads]
    assert time.monotonic() - began >= LOCKED_S - 1
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "database_busy"), answer.text
        assert int(answer.headers["retry-after"]) > 0
    assert running.wait_for_end(queued).status == "ready"
    assert running.is_running("worker")
    assert running.send("После замка.txt", "Замок снят.".encode()).status_code == 202
    wait_until(lambda: is_sound(running.data_dir), timeout_s=TIMEOUT_S)  # refused uploads left no bytes behind


def test_a_damaged_page_is_told_by_ready_and_doctor_with_how_to_restore(running: Running) -> None:
    for name in ("api", "worker"):
        running.kill(name)
    path = running.data_dir / "znayka.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'passages'").fetchone()[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: (root - 1) * 4096] + b"\xff" * 4096 + whole[root * 4096 :])
    running.restart("api")
    wait_until(lambda: running.call("GET", "/ready").json()["parts"]["database"] != "ok", timeout_s=TIMEOUT_S)
    ready = running.call("GET", "/ready")
    assert ready.status_code == 503
    assert "database" in ready.json()["failing"]
    assert "восстановите папку данных из резервной копии" in ready.json()["parts"]["database"]
    assert running.call("GET", "/live").status_code == 200
    refused = running.call("POST", "/v1/search", json={"query": "отпуск"})
    assert (refused.status_code, refused.json()["code"]) == (503, "database_damaged")
    assert int(refused.headers["retry-after"]) > 0
    command = [sys.executable, "-m", "cli.main", "doctor"]
    doctor = subprocess.run(command, cwd=ROOT, env=running.env, capture_output=True, text=True, check=False)
    assert doctor.returncode == 1
    assert "повреждена" in doctor.stdout
    assert "из резервной копии" in doctor.stdout
    running.kill("api")
    for leftover in running.data_dir.glob("znayka.db-*"):
        leftover.unlink()
    path.write_bytes(whole)
    running.restart("api")
    assert "Отпуск.txt" in running.finds("отпуск")
    assert running.call("GET", "/ready").json()["parts"]["database"] == "ok"
