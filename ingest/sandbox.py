"""Where untrusted files are opened: one killable child process, reused from document to document."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.errors import UnreadableDocument
from core.types import ParsedDocument
from ingest import parsed_json
from ingest.limits import Limits
from ingest.parser_process import ParserProcess
from ingest.readers.contract import OnProgress
from ingest.reasons import MEMORY_EXCEEDED, PARSER_DIED

# A used child may have died before the job, or of what earlier ones had left in its memory.
_OF_WEAR = frozenset({PARSER_DIED, MEMORY_EXCEEDED})


def _ignore(_done: int, _total: int) -> None:
    """Take progress that nobody watches."""


class Sandbox:
    """Does jobs one at a time in a child, which is replaced when it dies, ages or grows; safe to share by threads."""

    def __init__(self, limits: Limits, *, recycle_after: int = 500) -> None:
        """Start nothing yet. A child is replaced after `recycle_after` jobs, or holding a third of its memory limit."""
        self._limits = limits
        self._recycle_after = recycle_after
        self._lock = threading.Lock()
        self._child: ParserProcess | None = None
        self._jobs_done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def parse(self, path: Path, name: str, on_progress: OnProgress = _ignore) -> ParsedDocument:
        """Read the file at `path`, uploaded as `name`; `on_progress` is told (pages done, pages in all).

        Raises `UnreadableDocument` or `UnsupportedType`, whatever the file does to the parser.
        """
        return parsed_json.loads(self.call("parse", {"path": str(path.absolute()), "name": name}, on_progress))

    def call(self, job: str, arguments: Mapping[str, Any], on_progress: OnProgress = _ignore) -> bytes:
        """Do the job that `parser_child.JOBS` names so, with JSON arguments, and give its bytes."""
        with self._lock:
            try:
                return self._ask(job, arguments, on_progress)
            except UnreadableDocument as exc:
                if exc.code not in _OF_WEAR or self._jobs_done <= 1:
                    raise
            self._discard()  # out of memory in Python, it lives on with what it holds
            return self._ask(job, arguments, on_progress)

    def _ask(self, job: str, arguments: Mapping[str, Any], on_progress: OnProgress) -> bytes:
        child = self._ready_child()
        try:
            return child.ask(job, arguments, on_progress)
        finally:
            self._jobs_done += 1

    def close(self) -> None:
        """End the child; a later call starts another."""
        with self._lock:
            self._discard()

    def _ready_child(self) -> ParserProcess:
        if self._child and self._is_worn(self._child):
            self._discard()
        if not self._child:
            self._child = ParserProcess(self._limits)
            self._jobs_done = 0
        return self._child

    def _is_worn(self, child: ParserProcess) -> bool:
        return (
            not child.is_alive
            or self._jobs_done >= self._recycle_after
            or child.rss_bytes * 3 > self._limits.memory_bytes
        )

    def _discard(self) -> None:
        if self._child:
            self._child.kill()
        self._child = None
