from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cli.parts import Part
from cli.process import LOG_BACKUPS, LOG_MAX_BYTES, Process, tail
from cli.supervisor import START_CRASHES_MAX, Supervisor
from core.errors import Misconfigured
from tests.service import free_ports

PATIENCE_S = 30.0


def script(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def wait_until(condition: Callable[[], object], meanwhile: Callable[[], object] = lambda: None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        meanwhile()
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Not counting a process that has ended but that nobody has collected yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    running = Supervisor(log_dir=tmp_path / "logs", env=os.environ, say=said.append)
    yield running
    running.stop()


def pids(folder: Path) -> list[int]:
    """What the parts of these tests write down about themselves, whole lines only."""
    found = folder / "pids"
    return [int(line) for line in found.read_text().split("\n")[:-1]] if found.exists() else []


def sleeper(folder: Path, *, children: int = 0) -> tuple[str, ...]:
    """A program that notes its id and those of the children it starts, then sleeps."""
    return script(
        "import os, subprocess, sys, time\n"
        f"for _ in range({children}): subprocess.Popen([sys.executable, '-c', "
        f"\"import os, time; print(os.getpid(), file=open('{folder}/pids', 'a'), flush=True); time.sleep(600)\"])\n"
        f"print(os.getpid(), file=open('{folder}/pids', 'a'), flush=True)\n"
        "time.sleep(600)\n"
    )


def test_a_killed_part_is_started_again_and_it_is_said(supervisor: Supervisor, said: list[str], tmp_path: Path) -> None:
    supervisor.start([Part("worker", "работник", sleeper(tmp_path))])
    wait_until(lambda: pids(tmp_path) and not supervisor.waiting_for(), supervisor.watch)

    os.kill(pids(tmp_path)[0], signal.SIGKILL)

    wait_until(lambda: len(pids(tmp_path)) == 2 and not supervisor.waiting_for(), supervisor.watch)
    assert any("код -9" in line and "запускаю снова" in line for line in said)


def test_a_crash_takes_the_rest_of_its_group_along(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start([Part("worker", "работник", sleeper(tmp_path, children=1))])
    wait_until(lambda: len(pids(tmp_path)) == 2)
    before = pids(tmp_path)
    leader = next(pid for pid in before if os.getpgid(pid) == pid)

    os.kill(leader, signal.SIGKILL)

    wait_until(lambda: not any(map(is_alive, before)), supervisor.watch)


def test_stopping_leaves_no_process_behind(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start([Part(name, name, sleeper(tmp_path, children=2)) for name in ("one", "two")])
    wait_until(lambda: len(pids(tmp_path)) == 6)

    supervisor.stop()

    wait_until(lambda: not any(map(is_alive, pids(tmp_path))))


def test_a_part_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    process = Process(script(deaf), log=tmp_path / "log")
    wait_until(lambda: tail(tmp_path / "log", 1) == ["up"])

    process.terminate()
    process.finish(0.3)

    assert process.poll() == -signal.SIGKILL


def test_parts_die_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import os, time\nfrom pathlib import Path\nfrom cli.parts import Part\nfrom cli.supervisor import Supervisor\n"
        f"s = Supervisor(log_dir=Path({str(tmp_path)!r}), env=os.environ, say=lambda line: None)\n"
        f"s.start([Part(n, n, {sleeper(tmp_path)!r}) for n in ('one', 'two')])\ntime.sleep(600)\n"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", program])
    wait_until(lambda: len(pids(tmp_path)) == 2)

    supervisor.kill()
    supervisor.wait()

    wait_until(lambda: not any(map(is_alive, pids(tmp_path))))


def test_a_part_that_never_comes_up_is_told_with_the_end_of_its_log(supervisor: Supervisor, said: list[str]) -> None:
    broken = Part("api", "сервис", script("raise SystemExit('Настройки неверны')"), "http://127.0.0.1:9/live")
    supervisor.start([broken])

    with pytest.raises(Misconfigured, match="Настройки неверны"):
        wait_until(supervisor.waiting_for and (lambda: not supervisor.waiting_for()), supervisor.watch)

    assert sum("запускаю снова" in line for line in said) == START_CRASHES_MAX


def test_waiting_names_what_the_part_says_hinders_it(supervisor: Supervisor) -> None:
    port = free_ports(1)[0]
    server = (
        "from http.server import *\n"
        "class H(BaseHTTPRequestHandler):\n"
        "  def do_GET(self):\n"
        '    body = \'{"detail": "Нет файла модели."}\'.encode()\n'
        "    self.send_response(503); self.send_header('Content-Length', str(len(body))); self.end_headers()\n"
        "    self.wfile.write(body)\n"
        f"HTTPServer(('127.0.0.1', {port}), H).serve_forever()\n"
    )
    supervisor.start([Part("llm", "модель", script(server), f"http://127.0.0.1:{port}/ready")])

    wait_until(lambda: supervisor.waiting_for() == ["модель (llm). Нет файла модели."], supervisor.watch)


def test_a_log_is_rotated_by_size(tmp_path: Path) -> None:
    lines = 5 * LOG_MAX_BYTES // 1024
    process = Process(script(f"for _ in range({lines}): print('я' * 511)"), log=tmp_path / "log")
    wait_until(lambda: process.poll() is not None)
    process.kill()

    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == LOG_BACKUPS + 1
    assert max(sizes) <= LOG_MAX_BYTES
