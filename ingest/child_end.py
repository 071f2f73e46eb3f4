"""How a program that we started ended, and how much memory it took: what its death alone does not tell.

Looked at while it lives. The kernel's own word (`ru_maxrss`) counts what *we* held when we started it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

LOOK_EVERY_S = 0.02
_LOOK_AT_TREE_EVERY_S = 0.1
_LIST_TREE_EVERY_S = 0.5  # reads of all processes of the machine, in the processor time of a document
# How programs in C++ end where memory is refused them.
_REFUSED = frozenset({-signal.SIGABRT, -signal.SIGTRAP, -signal.SIGILL, -signal.SIGSEGV})
_GROWTH_SHARE = 0.5  # of what a job had left: the piece that was refused may be the larger half
_FULL_SHARE = 0.8  # of what a program was allowed: a fault of another kind may come at any size


@dataclass(frozen=True, slots=True)
class End:
    """`code` is negative for a signal; `peak_bytes` is the most that one process was seen to have, to be written to."""

    code: int
    peak_bytes: int = 0
    cpu_s: float = 0.0

    def is_full(self, memory_bytes: int) -> bool:
        """Whether it had so much that what it was refused was memory; `memory_bytes` is what it was allowed."""
        return self.peak_bytes > _FULL_SHARE * memory_bytes


class AddressSpace:
    """What a process takes of addresses during a job, which is what its limit counts: pages not yet written to as well.

    A look costs some microseconds.
    """

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._start_bytes = self._peak_bytes = 0

    def begin(self) -> None:
        """Start a job: what earlier ones have left is not its own."""
        self._start_bytes = self._peak_bytes = self._taken_bytes()

    def look(self) -> None:
        """See how much there is now."""
        self._peak_bytes = max(self._peak_bytes, self._taken_bytes())

    def is_refusal(self, code: int, memory_bytes: int) -> bool:
        """Whether a process that ended so, in a job, died as programs do that are refused memory."""
        left_bytes = memory_bytes - self._start_bytes
        return code in _REFUSED and self._peak_bytes - self._start_bytes > _GROWTH_SHARE * left_bytes

    def _taken_bytes(self) -> int:
        try:
            return int(self._process.memory_info().vms)
        except psutil.Error:
            return 0


def wait_for_end(process: subprocess.Popen[bytes], timeout_s: float) -> End:
    """Wait for a program; raises `subprocess.TimeoutExpired`. Its processor time includes what it started."""
    deadline, look_at, peak_bytes = time.monotonic() + timeout_s, 0.0, 0
    tree = _Tree(process.pid)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        now = time.monotonic()
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return End(process.returncode, peak_bytes, usage.ru_utime + usage.ru_stime)
        if now > deadline:
            raise subprocess.TimeoutExpired(process.args, timeout_s)
        if now >= look_at:
            look_at, peak_bytes = now + _LOOK_AT_TREE_EVERY_S, max(peak_bytes, tree.most_bytes(now))
        time.sleep(LOOK_EVERY_S)


class _Tree:
    """A process with those that it started, directly or not; listed more seldom than looked at."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._list_at = 0.0
        self._members: Sequence[psutil.Process] = ()

    def most_bytes(self, now: float) -> int:
        """The most that one of them has; 0 when they are gone."""
        if now >= self._list_at:
            self._list_at, self._members = now + _LIST_TREE_EVERY_S, self._listed()
        return max(map(_written_bytes, self._members), default=0)

    def _listed(self) -> Sequence[psutil.Process]:
        try:
            root = psutil.Process(self._pid)
            return (root, *root.children(recursive=True))
        except psutil.Error:
            return ()


def _written_bytes(process: psutil.Process) -> int:
    """Memory of a process's own that it may write to, which RLIMIT_DATA counts; mapped libraries are no part of it."""
    try:
        memory = process.memory_info()
    except psutil.Error:
        return 0
    return int(getattr(memory, "data", memory.rss))  # Linux alone tells it
