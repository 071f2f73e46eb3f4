"""Deaths and full disks on purpose, for tests: named places in the code, silent unless this process was armed.

Only the entry points arm, from the settings, which refuse it outside test mode; nothing that a request says gets here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import signal
import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum

from core.errors import Misconfigured


class Point(StrEnum):
    """Where a document's way can be cut by SIGKILL, in the order in which it passes them."""

    HALF_RECEIVED = "K1"
    FILE_WITHOUT_ROW = "K2"
    ROW_COMMITTED = "K3"
    LEASED = "K4"
    PARSED = "K5"
    CHUNKED = "K6"
    HALF_EMBEDDED = "K7"
    INDEX_ASIDE = "K8"
    INDEX_UNSWITCHED = "K9"


_ERRORS = {"full": errno.ENOSPC, "readonly": errno.EROFS}
_FORM = re.compile(
    r"((?P<stuck>hang|freeze)-(?=K))?(?P<what>[a-z]+|K[1-9])(@(?P<first>[1-9]\d*)(-(?P<last>[1-9]\d*))?)?"
)


@dataclass(slots=True)
class _Fault:
    """Strikes at the arrivals from `first` to `last` at a point, or at any write."""

    point: Point | None
    error: int
    first: int
    last: float
    stuck: str = ""
    _arrivals: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def strikes(self) -> bool:
        with self._lock:
            self._arrivals += 1
            return self.first <= self._arrivals <= self.last

    def end(self) -> None:
        """Die, or never go on: `freeze` keeps the interpreter's lock, so that no thread goes on."""
        if not self.stuck:
            os.kill(os.getpid(), signal.SIGKILL)
        sleep = ctypes.PyDLL(None).sleep if self.stuck == "freeze" else time.sleep
        while True:
            sleep(3600)


_armed: _Fault | None = None


def arm(spec: str) -> None:
    """Arm this process: `K5` dies at the first arrival there, `K7@2` at the second; empty disarms.

    `hang-K7` stops the thread that arrives there for ever, `freeze-K7` the whole process, alive.
    `full@3` and `readonly@3` fail every write from the third on, `full@3-9` those up to the ninth.
    Raises `Misconfigured` for anything else.
    """
    global _armed
    _armed = _parsed(spec) if spec else None


def is_armed() -> bool:
    """Say whether anything can strike at all."""
    return _armed is not None


def reach(point: Point) -> None:
    """Die here by SIGKILL, or get stuck, if so armed."""
    if _armed is not None and _armed.point is point and _armed.strikes():
        _armed.end()


def write() -> None:
    """Stand before a write to the disk; raises the OSError that a full or read-only disk gives, if so armed."""
    if _armed is not None and _armed.point is None and _armed.strikes():
        raise OSError(_armed.error, os.strerror(_armed.error))


def _parsed(spec: str) -> _Fault:
    found = _FORM.fullmatch(spec)
    what = found["what"] if found else ""
    is_point = what in list(Point)
    if not found or not (is_point or what in _ERRORS):
        known = ", ".join([*Point, *_ERRORS])
        raise Misconfigured(
            "bad_fault",
            f"ZNAYKA_FAULTS={spec}: нужно одно из {known}, перед K можно hang- или freeze-, затем @номер или "
            "@первый-последний.",
        )
    first = int(found["first"] or 1)
    last = int(found["last"]) if found["last"] else (first if is_point else float("inf"))
    return _Fault(Point(what) if is_point else None, _ERRORS.get(what, 0), first, last, found["stuck"] or "")
