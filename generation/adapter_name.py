"""What an adapter's file calls itself: `general.name` in the head of a GGUF, read without the packages for training."""

from __future__ import annotations

import struct
from pathlib import Path

_HEAD_BYTES = 1 << 20  # an adapter has no vocabulary: what it says of itself takes a few hundred bytes
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # of GGUF's kinds of number
_STRING, _ARRAY = 8, 9
_NAME = "general.name"


def name_in(path: Path) -> str | None:
    """The name that the file gives itself; None when it gives none or is no GGUF. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.startswith(b"GGUF"):
        return None
    try:
        return _named(head)
    except (struct.error, KeyError, OverflowError, UnicodeDecodeError):
        return None


def _named(head: bytes) -> str | None:
    """Raises what a cut or damaged head makes of it."""
    (pairs,) = struct.unpack_from("<Q", head, 16)
    at = 24
    for _ in range(pairs):
        key, at = _text(head, at)
        (kind,) = struct.unpack_from("<I", head, at)
        if key == _NAME and kind == _STRING:
            return _text(head, at + 4)[0].strip() or None
        at = _after(head, at + 4, kind)
    return None


def _after(head: bytes, at: int, kind: int) -> int:
    """Where the value that begins at `at` ends."""
    if kind == _STRING:
        return _text(head, at)[1]
    if kind != _ARRAY:
        return at + _WIDTHS[kind]
    inner, count = struct.unpack_from("<IQ", head, at)
    at += 12
    if inner != _STRING:
        return at + int(count) * _WIDTHS[inner]
    for _ in range(count):
        at = _text(head, at)[1]
    return at


def _text(head: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", head, at)
    (raw,) = struct.unpack_from(f"<{length}s", head, at + 8)
    return raw.decode(), at + 8 + int(length)
