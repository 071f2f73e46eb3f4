"""The real processes on a file system that becomes read-only under them: reads go on, nothing is half, it heals."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.invariants import check_folder
from tests.live_model_server import wait_until
from tests.preloaded import preloaded
from tests.service import Service

pytestmark = [pytest.mark.real_model, pytest.mark.crash, pytest.mark.timeout(1800)]

SIZE_BYTES = 96 * 2**20
TIMEOUT_S = 600.0
LEAVE = "Отпуск составляет 28 календарных дней. Заявление подаётся за две недели."


class Running(Service):
    """A service without a model, and short words for what the tests do with it."""

    def __init__(self, data_dir: Path, env: dict[str, str] | None = None) -> None:
        super().__init__(data_dir, ("api", "worker"), llm_url="http://127.0.0.1:1/v1", disk_reserve_bytes=0)
        self.env = {**self.env, **(env or {})}
        self.logs_at = data_dir.parent.parent / f"{data_dir.parent.name}-logs"

    def log(self, name: str) -> Path:
        """Logs are the tests' own and lie on another disk."""
        return self.logs_at / f"{name}.log"

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

    def is_sound(self) -> bool:
        with suppress(AssertionError):
            check_folder(self.data_dir)
            return True
        return False

    def send_many(self) -> str:
        """Upload more than can be done in a moment; return the id of the last."""
        text = "Правило, которое ждёт своей очереди. " * 300
        sent = [self.send(f"Правило {n}.txt", f"{text} {n}".encode()).json()[0]["id"] for n in range(12)]
        return str(sent[-1])

    def has_met_the_fault(self) -> bool:
        said = self.log("worker").read_text()
        return "cannot take documents" in said or "waiting for the database" in said

    def reads_and_refuses(self, waiting: str) -> None:
        """What holds as long as nothing can be written: three uploads are refused, reading goes on, nobody dies."""
        wait_until(self.has_met_the_fault, timeout_s=TIMEOUT_S)
        listed = len(self.call("GET", "/v1/documents").json()["items"])
        for n in range(3):
            refused = self.send(f"{n}.txt", os.urandom(50_000))
            assert (refused.status_code, refused.json()["code"]) == (503, "disk_read_only"), refused.text
            assert "только для чтения" in refused.json()["detail"]
            assert "Верните запись" in refused.json()["detail"]
            assert self.finds("отпуск")[0] == "Отпуск.txt"
        deleted = self.call("DELETE", f"/v1/documents/{waiting}")
        assert deleted.status_code in (503, 507), deleted.text
        asked = self.call("POST", "/v1/ask", json={"question": "Какой отпуск?"})
        assert asked.json()["code"] == "model_unavailable", "the same as with a whole disk: here is no model"
        assert len(self.call("GET", "/v1/documents").json()["items"]) == listed
        assert self.call("GET", f"/v1/documents/{waiting}").json()["status"] in ("queued", "parsing", "embedding")
        ready = self.call("GET", "/ready").json()
        assert "disk" in ready["failing"], ready
        assert self.is_running("worker")
        assert self.is_running("api")


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[str]:
    """An ext4 file system of its own; gives the name of its device. Skips where mounting is not allowed."""
    try:
        done = subprocess.run(
            ["mount", "-o", "loop,errors=remount-ro", image, folder], check=False, capture_output=True
        )
    except OSError:
        done = None
    if done is None or done.returncode:
        pytest.skip("needs the right to mount a file system over a loop device")
    found = subprocess.run(["findmnt", "-no", "SOURCE", str(folder)], check=True, capture_output=True, text=True)
    try:
        yield Path(found.stdout.strip()).name
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "disk"
    with path.open("wb") as file:
        file.truncate(SIZE_BYTES)
    try:
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", path], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs mkfs.ext4")
    return path


def test_a_file_system_that_the_kernel_closes_for_writing_goes_on_answering_and_loses_nothing(
    image: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted(image, folder) as device:
        trigger = Path(f"/sys/fs/ext4/{device}/trigger_fs_error")
        if not trigger.exists():
            pytest.skip("needs a kernel that can be told to find an error in a file system")
        with Running(folder / "data") as service:
            service.wait_for_end(service.send("Отпуск.txt", LEAVE.encode()).json()[0]["id"])
            waiting = service.send_many()
            trigger.write_text("1")
            with pytest.raises(OSError, match="Read-only"):
                (folder / "data" / "probe").touch()
            service.reads_and_refuses(waiting)
    # An ext4 that found an error is not opened again under open files: unmount, check, mount, start.
    subprocess.run(["fsck.ext4", "-fp", image], check=False, capture_output=True)
    with mounted(image, folder), Running(folder / "data") as service:
        assert service.wait_for_end(waiting).status == "ready"
        assert service.finds("отпуск")[0] == "Отпуск.txt"
        assert len(service.call("GET", "/v1/documents").json()["items"]) == 13
        wait_until(service.is_sound, timeout_s=TIMEOUT_S)


def test_when_writing_comes_back_everything_heals_without_a_restart(tmp_path: Path) -> None:
    folder, closed = tmp_path / "disk", tmp_path / "disk.readonly"
    folder.mkdir()
    env = {**preloaded("read_only_disk.c", tmp_path), "READ_ONLY_FOLDER": str(folder)}
    with Running(folder / "data", env) as service:
        service.wait_for_end(service.send("Отпуск.txt", LEAVE.encode()).json()[0]["id"])
        waiting = service.send_many()
        closed.touch()
        service.reads_and_refuses(waiting)
        pids = [service.pid(name) for name in ("api", "worker")]
        closed.unlink()
        assert service.wait_for_end(waiting).status == "ready"
        healed = service.send("После.txt", "Запись вернулась.".encode())
        if healed.status_code == 503:  # a connection from before may still be met, once
            healed = service.send("После.txt", "Запись вернулась.".encode())
        assert healed.status_code == 202
        assert service.wait_for_end(healed.json()[0]["id"]).status == "ready"
        wait_until(service.is_sound, timeout_s=TIMEOUT_S)
        assert [service.pid(name) for name in ("api", "worker")] == pids
