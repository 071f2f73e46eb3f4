"""Messages between the service and its parser child: a kind, a length, then that many bytes. No pickle."""

from __future__ import annotations

import os
import select
import struct
import time
from enum import Enum

_HEADER = struct.Struct(">cQ")


class Kind(Enum):
    """What a frame's payload is: JSON, but for `RESULT`, whose bytes the job defines."""

    READY = b"h"
    REQUEST = b"q"
    PROGRESS = b"p"
    RESULT = b"r"
    ERROR = b"e"


class TooLong(Exception):
    """The other side announced a payload over the limit."""


def send(fd: int, kind: Kind, payload: bytes = b"") -> None:
    """Write one frame whole; raises `BrokenPipeError` when the other side is gone."""
    view = memoryview(_HEADER.pack(kind.value, len(payload)) + payload)
    while view:
        view = view[os.write(fd, view) :]


def receive(fd: int, *, max_bytes: int, deadline: float | None = None) -> tuple[Kind, bytes]:
    """Read one frame. `deadline` is on the monotonic clock, None waits for ever.

    Raises `EOFError` when the other side is gone, `TimeoutError` past the deadline, `TooLong` over `max_bytes`.
    """
    kind, length = _HEADER.unpack(_exactly(fd, _HEADER.size, deadline))
    if length > max_bytes:
        raise TooLong(f"{length} bytes announced, {max_bytes} allowed")
    return Kind(kind), _exactly(fd, length, deadline)


def is_ready(fd: int, timeout_s: float) -> bool:
    """Wait until something can be read, or the other side is gone; False when neither came in time."""
    poll = select.poll()  # `select` refuses descriptors over 1023, which a busy API has
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(0.0, timeout_s) * 1000))


def _exactly(fd: int, count: int, deadline: float | None) -> bytes:
    parts: list[bytes] = []
    while count:
        _wait(fd, deadline)
        part = os.read(fd, min(count, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _wait(fd: int, deadline: float | None) -> None:
    if deadline is not None and not is_ready(fd, deadline - time.monotonic()):
        raise TimeoutError
