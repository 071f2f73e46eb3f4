"""Ends the worker when one of its threads stops getting on, so that no document waits for ever in its hands."""

from __future__ import annotations

import faulthandler
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from core.logs import STACKS
from retrieval.embedding.encoder import Encoder

_LOG = logging.getLogger(__name__)
_GRAIN = 0.1  # of the time allowed: how much sooner the alarm may ring, so that not every beat sets it anew
_GRAIN_MAX_S = 1.0

Alarm = Callable[[float], None]


class Watchdog:
    """Threads on duty beat within `stall_s`; the alarm is kept set to when the first of them would be late.

    `alarm(seconds)` sets it in place of the one before. Who does not get on cannot be trusted to notice, nor can
    any code that needs the interpreter's lock: the alarm must ring by itself.
    """

    def __init__(self, stall_s: float = float("inf"), alarm: Alarm = lambda _: None) -> None:
        self._stall_s = stall_s
        self._alarm = alarm
        self._lock = threading.Lock()
        self._due: dict[int, float] = {}
        self._set_to = float("inf")

    @contextmanager
    def on_duty(self) -> Iterator[None]:
        """Expect beats of this thread until the end of the block."""
        me = threading.get_ident()
        with self._lock:
            self._set(me, self._stall_s)
        try:
            yield
        finally:
            with self._lock:
                self._set(me, None)

    @contextmanager
    def off_duty(self) -> Iterator[None]:
        """Expect none while this thread waits for another, which is on duty itself."""
        me = threading.get_ident()
        with self._lock:
            was_on_duty = me in self._due
            self._set(me, None)
        try:
            yield
        finally:
            if was_on_duty:
                with self._lock:
                    self._set(me, self._stall_s)

    def beat(self, allowance_s: float = 0.0) -> None:
        """Say that this thread gets on; what it begins now is bounded elsewhere and may take `allowance_s` longer."""
        self._beat(threading.get_ident(), allowance_s)

    def here(self) -> Callable[[], None]:
        """Return a beat of this thread that other threads can make for it."""
        me = threading.get_ident()
        return lambda: self._beat(me, 0.0)

    def _beat(self, thread: int, allowance_s: float) -> None:
        with self._lock:
            if thread in self._due:  # a late batch must not bring back a thread that has left
                self._set(thread, self._stall_s + allowance_s)

    def _set(self, thread: int, within_s: float | None) -> None:
        now = time.monotonic()
        if within_s is None:
            self._due.pop(thread, None)
        else:
            self._due[thread] = now + within_s
        first = min(self._due.values(), default=float("inf"))
        grain_s = min(_GRAIN_MAX_S, _GRAIN * self._stall_s)
        if first != self._set_to and not abs(first - self._set_to) < grain_s:
            self._set_to = first
            self._alarm(max(0.0, first - now))


def process_alarm(stacks: IO[str]) -> Alarm:
    """Return an alarm that writes all stacks into a file and ends the process with code 1."""

    def ring_in(seconds: float) -> None:
        if seconds == float("inf"):
            faulthandler.cancel_dump_traceback_later()
        else:
            faulthandler.dump_traceback_later(max(0.001, seconds), exit=True, file=stacks)

    return ring_in


def take_over(path: Path) -> IO[str]:
    """Log the stacks that the worker before left when its watchdog ended it; return the file, empty, for our own.

    Not the log itself: one line of it holds all stacks, and none is half a form. Standard error where that fails.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if left := path.read_text(encoding="utf-8", errors="replace"):
                _LOG.error("the worker before stopped getting on and was ended, its stacks:", extra={STACKS: left})
        return path.open("w", encoding="utf-8")
    except OSError as exc:
        _LOG.warning("stacks of a worker that stops getting on will go past the log: %s", exc)
        return sys.stderr


@dataclass(frozen=True, slots=True)
class WatchedEncoder:
    """An encoder each of whose batches is a beat of the thread that asked for it."""

    inner: Encoder
    watchdog: Watchdog

    @property
    def name(self) -> str:
        """Model as the settings name it."""
        return self.inner.name

    @property
    def fingerprint(self) -> str:
        """Identity of the vectors."""
        return self.inner.fingerprint

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.inner.dimension

    @property
    def max_tokens(self) -> int:
        """Longest text that is read whole."""
        return self.inner.max_tokens

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of questions, (n, dimension)."""
        return self.inner.encode_queries(texts)

    def encode_passages(
        self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Vectors of passages, (n, dimension)."""
        beat = self.watchdog.here()

        def listen(done: int) -> None:
            beat()
            if on_progress:
                on_progress(done)

        return self.inner.encode_passages(texts, listen)
