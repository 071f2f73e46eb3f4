"""What a hostile file is: a name, bytes made when asked for, and the ends that are true of it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Make = Callable[[], bytes]

READY = "ready"
PARTIAL = "partial"
SENTENCE = "Order 417 sets the vacation at twenty eight calendar days for every employee of the company in Tver. "


@dataclass(frozen=True, slots=True)
class Case:
    """`ends` are `ready`, `partial`, or codes of reasons; `needs` names a program without which there is another."""

    name: str
    make: Make
    ends: frozenset[str]
    needs: str = ""


def case(name: str, make: Make, *ends: str, needs: str = "") -> Case:
    """Put a case together."""
    return Case(name, make, frozenset(ends), needs)


def zipped(members: Mapping[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of these members, in order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()
