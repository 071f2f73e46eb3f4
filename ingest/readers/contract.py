"""What a reader is: the module of one format exports a `read` of this shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from core.types import ParsedDocument
from ingest.limits import Limits

OnProgress = Callable[[int, int], None]
"""Told (pages done, pages in all) while a document is read."""


class Reader(Protocol):
    """Turns a file into text."""

    def __call__(self, path: Path, limits: Limits, on_progress: OnProgress, /) -> ParsedDocument:
        """Read the file at `path`, whose type is already known from its content.

        Raises `UnreadableDocument` with a reason that is true and says what to do.
        """
