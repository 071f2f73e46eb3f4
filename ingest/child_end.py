"""How a program that we started ended, and what it had used by then: what its death alone does not tell."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass

_POLL_S = 0.02
# How programs in C++ end where memory is refused them.
_REFUSED = frozenset({-signal.SIGABRT, -signal.SIGTRAP, -signal.SIGILL, -signal.SIGSEGV})
_FULL_SHARE = 0.5  # of what was allowed: the piece that was refused may be the larger half


@dataclass(frozen=True, slots=True)
class End:
    """`code` is negative for a signal; programs that it waited for count in what it held at most, and in its work."""

    code: int
    peak_bytes: int = 0
    cpu_s: float = 0.0

    def is_full(self, memory_bytes: int) -> bool:
        """Whether it held so much that what it was refused was memory; `memory_bytes` is what it was allowed."""
        return self.peak_bytes > _FULL_SHARE * memory_bytes

    def is_refusal(self, memory_bytes: int) -> bool:
        """Whether it died as programs do that are refused memory."""
        return self.code in _REFUSED and self.is_full(memory_bytes)


def wait_for_end(process: subprocess.Popen[bytes], timeout_s: float) -> End:
    """Wait for a program, of whose end, if it was seen before, only the code is known.

    Raises `subprocess.TimeoutExpired`.
    """
    deadline = time.monotonic() + timeout_s
    while process.returncode is None:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return End(process.returncode, usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime)
        if time.monotonic() > deadline:
            raise subprocess.TimeoutExpired(process.args, timeout_s)
        time.sleep(_POLL_S)
    return End(process.returncode)
