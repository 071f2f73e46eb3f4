"""One child process: its own process group, its output as JSON lines in a log that is rotated by size."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

from core import logs

LOG_MAX_BYTES = 10 * 2**20
LOG_BACKUPS = 3
TAIL_BYTES = 2**16


class Process:
    """A program that runs until it ends, is stopped, or this process dies.

    Must be created in the main thread: the kernel's tie to the parent is one to the thread that forked.
    """

    def __init__(self, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "cli.tether", str(os.getpid()), *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=dict(os.environ if env is None else env),
        )
        assert self._child.stdout is not None  # noqa: S101 - narrows a type
        self._reader = threading.Thread(target=_keep_log, args=(self._child.stdout, log), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id, which is also that of its group."""
        return self._child.pid

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._child.poll()

    def terminate(self) -> None:
        """Ask it to end; what it has begun may be finished."""
        if self.poll() is None:
            self._signal(signal.SIGTERM)

    def finish(self, timeout_s: float) -> None:
        """Wait that long for the end, then kill whatever is left of the group."""
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout_s)
        self.kill()

    def kill(self) -> None:
        """End the whole group at once."""
        self._signal(signal.SIGKILL)
        self._child.wait()
        self._reader.join(timeout=1.0)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a log as people read them, of its last 64 KiB at most; none when there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            kept = file.read().decode("utf-8", errors="replace").split("\n")
            told = "\n".join(logs.readable(line) for line in kept if line.strip())
            return told.split("\n")[-lines:] if told else []
    except OSError:
        return []


def _keep_log(output: IO[bytes], path: Path) -> None:
    handler = RotatingFileHandler(path, maxBytes=LOG_MAX_BYTES, backupCount=LOG_BACKUPS, encoding="utf-8")
    with output:
        for line in output:
            if text := line.decode("utf-8", errors="replace").rstrip():
                handler.emit(logging.makeLogRecord({"msg": logs.adopted(text)}))
    handler.close()
