"""Faults strike where and when they are told to, and only in a process that was armed in test mode."""

from __future__ import annotations

import ast
import errno
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import faults
from core.errors import Misconfigured
from core.faults import Point
from core.settings import load_settings

ROOT = Path(__file__).parents[1]
ENTRY_POINTS = {"api/__main__.py", "ingest/worker.py"}


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    faults.arm("")


def outcomes(writes: int) -> list[int]:
    """Stand before so many writes; the error number of each that fails, 0 for one that does not."""
    numbers = []
    for _ in range(writes):
        try:
            faults.write()
        except OSError as exc:
            numbers.append(exc.errno or 0)
        else:
            numbers.append(0)
    return numbers


def test_nothing_strikes_a_process_that_is_not_armed() -> None:
    assert not faults.is_armed()
    for point in Point:
        faults.reach(point)
    assert outcomes(3) == [0, 0, 0]


def test_every_write_from_the_nth_on_fails() -> None:
    faults.arm("full@3")
    assert outcomes(5) == [0, 0, errno.ENOSPC, errno.ENOSPC, errno.ENOSPC]


def test_a_disk_heals_after_the_last_failing_write() -> None:
    faults.arm("readonly@2-3")
    assert outcomes(4) == [0, errno.EROFS, errno.EROFS, 0]


@pytest.mark.parametrize("point", list(Point))
def test_a_process_dies_at_the_nth_arrival_at_its_point(point: Point) -> None:
    script = f"""
from core import faults
faults.arm("{point}@2")
for other in faults.Point:
    if other != "{point}":
        faults.reach(other)
faults.write()
faults.reach(faults.Point("{point}"))
print("alive", flush=True)
faults.reach(faults.Point("{point}"))
print("not here")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "alive\n"), done.stderr


@pytest.mark.parametrize(
    "spec", ["K0", "K10", "k5", "K5@0", "K5@x", "empty", "full@5-", "K5;K6", " K5", "hang-full", "freeze-K0", "hang"]
)
def test_a_misspelt_fault_is_refused(spec: str) -> None:
    with pytest.raises(Misconfigured, match="ZNAYKA_FAULTS"):
        faults.arm(spec)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ZNAYKA_FAULTS": "K5"},
        {"ZNAYKA_FAULTS": "full", "ZNAYKA_TEST_MODE": "false"},
        {"ZNAYKA_TEST_MODE": "true", "ZNAYKA_API_HOST": "0.0.0.0"},
    ],
)
def test_a_start_with_faults_outside_test_mode_is_refused(
    wrong: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match=r"ZNAYKA_(FAULTS|TEST_MODE)"):
        load_settings()


def test_the_processes_themselves_refuse_to_start_with_faults_outside_test_mode(tmp_path: Path) -> None:
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "ZNAYKA_DATA_DIR": str(tmp_path), "ZNAYKA_FAULTS": "K5"}
    for module in ("ingest.worker", "api"):
        command = [sys.executable, "-m", module]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        assert done.returncode not in (0, -signal.SIGKILL)
        assert "ZNAYKA_TEST_MODE" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_only_entry_points_arm() -> None:
    arming = set()
    for folder in ("core", "retrieval", "ingest", "generation", "evaluation", "api", "cli", "ui"):
        for path in (ROOT / folder).rglob("*.py"):
            calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
            if any(ast.unparse(call.func) == "faults.arm" for call in calls):
                arming.add(path.relative_to(ROOT).as_posix())
    assert arming == ENTRY_POINTS
