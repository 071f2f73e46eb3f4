"""A worker that stops getting on is ended by an alarm that rings by itself; one that works on, however long, is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from core.logs import JsonLines
from ingest.watchdog import Watchdog, WatchedEncoder, take_over
from tests.small_base import WordEncoder

ROOT = Path(__file__).parents[1]
STALL_S = 100.0
NEVER = float("inf")
TIMEOUT_S = 300
PROGRAM = """
import ctypes, sys, threading, time
from ingest.watchdog import Watchdog, process_alarm
watchdog = Watchdog(float(sys.argv[1]), process_alarm(open(sys.argv[2], "w")))

def beat():
    with watchdog.on_duty():
        while True:
            watchdog.beat()
            time.sleep(0.05)

def hang_here():
    with watchdog.on_duty():
        time.sleep(600)

def freeze_here():
    with watchdog.on_duty():
        ctypes.PyDLL(None).sleep(600)

threading.Thread(target=beat, daemon=True).start()
"""


def run(ending: str, stall_s: float, stacks: Path) -> int:
    """Run a process with one thread that beats for ever, and this beside it; return the exit code."""
    command = [sys.executable, "-c", PROGRAM + ending, str(stall_s), str(stacks)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=env, timeout=TIMEOUT_S, check=False).returncode


@pytest.mark.parametrize("stuck", ["hang_here", "freeze_here"])
def test_a_thread_that_is_stuck_ends_the_process_though_another_beats_on(stuck: str, tmp_path: Path) -> None:
    assert run(f"{stuck}()", 2.0, tmp_path / "stacks") == 1
    assert stuck in (tmp_path / "stacks").read_text()


def test_long_work_that_beats_is_not_cut(tmp_path: Path) -> None:
    assert run("time.sleep(6)", 2.0, tmp_path / "stacks") == 0
    assert (tmp_path / "stacks").read_text() == ""


def in_thread(work: object) -> None:
    thread = threading.Thread(target=work)  # type: ignore[arg-type]
    thread.start()
    thread.join()


def test_the_alarm_is_set_to_the_thread_that_would_be_late_first() -> None:
    alarms: list[float] = []
    watchdog = Watchdog(STALL_S, alarms.append)
    with watchdog.on_duty():
        watchdog.beat(allowance_s=500)

        def other() -> None:
            with watchdog.on_duty():
                pass

        in_thread(other)
    assert alarms == [pytest.approx(one, abs=5) for one in (STALL_S, STALL_S + 500, STALL_S, STALL_S + 500, NEVER)]


def test_beats_in_quick_succession_set_no_alarm_anew() -> None:
    alarms: list[float] = []
    watchdog = Watchdog(10_000.0, alarms.append)
    with watchdog.on_duty():
        for _ in range(1000):
            watchdog.beat()
        assert len(alarms) < 10


def test_who_waits_for_another_is_not_expected_to_beat() -> None:
    alarms: list[float] = []
    watchdog = Watchdog(STALL_S, alarms.append)
    with watchdog.on_duty(), watchdog.off_duty():
        assert alarms[-1] == NEVER
        watchdog.beat()
        assert alarms[-1] == NEVER
    with watchdog.off_duty():
        pass
    assert alarms[-1] == NEVER, "who was not on duty does not come on duty by waiting"


def test_a_late_batch_of_a_thread_that_left_does_not_bring_it_back() -> None:
    alarms: list[float] = []
    watchdog = Watchdog(STALL_S, alarms.append)
    with watchdog.on_duty():
        beat = watchdog.here()
    beat()
    assert alarms[-1] == NEVER


def test_each_batch_of_the_encoder_is_a_beat_of_the_thread_that_asked_and_heard_by_it() -> None:
    watchdog = Watchdog(STALL_S)
    beats: list[int] = []
    heard: list[int] = []
    watchdog.here = lambda: lambda: beats.append(threading.get_ident())  # type: ignore[method-assign]

    class InThreads(WordEncoder):
        def encode_passages(self, texts: object, on_progress: object = None) -> np.ndarray:
            for done in (1, 2):
                in_thread(lambda done=done: on_progress(done))  # type: ignore[operator]
            return super().encode_passages(texts)  # type: ignore[arg-type]

    encoder = WatchedEncoder(InThreads(), watchdog)
    vectors = encoder.encode_passages(["один", "два"], heard.append)
    assert vectors.tolist() == WordEncoder().encode_passages(["один", "два"]).tolist()
    assert heard == [1, 2]
    assert len(beats) == 2
    assert (encoder.name, encoder.fingerprint, encoder.dimension) == (
        WordEncoder.name,
        WordEncoder().fingerprint,
        WordEncoder().dimension,
    )


def test_the_stacks_of_the_worker_before_are_one_log_line_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "logs" / "worker.stacks"
    take_over(path).close()
    assert not caplog.records
    path.write_text('Thread 0x1:\n  File "x.py", line 1 in hang\n')
    take_over(path).close()
    (record,) = caplog.records
    line = JsonLines().format(record)
    assert json.loads(line)["exception"] == 'Thread 0x1:\n  File "x.py", line 1 in hang\n'
    take_over(path).close()
    assert len(caplog.records) == 1


def test_a_disk_that_takes_no_file_leaves_the_stacks_to_standard_error(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    assert take_over(tmp_path / "logs" / "worker.stacks") is sys.stderr
