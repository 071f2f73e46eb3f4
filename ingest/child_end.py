"""How a program that we started ended, and how much memory it held: what its death alone does not tell.

Looked at while it lives. The kernel's own word (`ru_maxrss`) counts what *we* held when we started it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass

import psutil

LOOK_EVERY_S = 0.1
_POLL_S = 0.02
# How programs in C++ end where memory is refused them.
_REFUSED = frozenset({-signal.SIGABRT, -signal.SIGTRAP, -signal.SIGILL, -signal.SIGSEGV})
_FULL_SHARE = 0.5  # of what was allowed: the piece that was refused may be the larger half


@dataclass(frozen=True, slots=True)
class End:
    """`code` is negative for a signal; `peak_bytes` is the most that one process was seen to hold, or to have taken."""

    code: int
    peak_bytes: int = 0
    cpu_s: float = 0.0

    def is_full(self, memory_bytes: int) -> bool:
        """Whether it held so much that what it was refused was memory; `memory_bytes` is what it was allowed."""
        return self.peak_bytes > _FULL_SHARE * memory_bytes

    def is_refusal(self, memory_bytes: int) -> bool:
        """Whether it died as programs do that are refused memory."""
        return self.code in _REFUSED and self.is_full(memory_bytes)


def held_bytes(pid: int) -> int:
    """The most that a process, or one that it started, holds now; 0 when it is gone."""
    try:
        process = psutil.Process(pid)
        tree = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    return max(map(_rss_bytes, tree))


def wait_for_end(process: subprocess.Popen[bytes], timeout_s: float) -> End:
    """Wait for a program; raises `subprocess.TimeoutExpired`. Its processor time includes what it started."""
    deadline, look_at, peak_bytes = time.monotonic() + timeout_s, 0.0, 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        now = time.monotonic()
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return End(process.returncode, peak_bytes, usage.ru_utime + usage.ru_stime)
        if now > deadline:
            raise subprocess.TimeoutExpired(process.args, timeout_s)
        if now >= look_at:
            look_at, peak_bytes = now + LOOK_EVERY_S, max(peak_bytes, held_bytes(process.pid))
        time.sleep(_POLL_S)


def _rss_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
