"""One parser child as its parent sees it: started, asked, killed with everything that it started."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import psutil

from core.errors import Misconfigured, NotFound, ServiceError, UnreadableDocument, UnsupportedType
from ingest import frames, reasons
from ingest.child_end import LOOK_EVERY_S, AddressSpace
from ingest.frames import Kind
from ingest.limits import Limits
from ingest.parser_child import command
from ingest.readers.contract import OnProgress

_START_TIMEOUT_S = 120.0
_ENVIRONMENT = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "TESSDATA_PREFIX", "TZ")
_ERRORS: Mapping[str, type[ServiceError]] = MappingProxyType(
    {error.__name__: error for error in (UnreadableDocument, UnsupportedType, NotFound)}
)


class ParserProcess:
    """A child in a session and a temporary folder of its own, without our environment's secrets."""

    def __init__(self, limits: Limits) -> None:
        """Start the child and wait until it is ready; raises `Misconfigured` when it cannot start."""
        self._limits = limits
        self._folder = tempfile.mkdtemp(prefix="znayka-parser-")
        self._process = subprocess.Popen(
            command(self._folder, limits),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self._folder,
            env=_environment(self._folder),
            start_new_session=True,
        )
        self._seen = psutil.Process(self._process.pid)
        self._space = AddressSpace(self._seen)
        assert self._process.stdin is not None  # noqa: S101 - narrows a type
        assert self._process.stdout is not None  # noqa: S101 - narrows a type
        self._requests = self._process.stdin.fileno()
        self._replies = self._process.stdout.fileno()
        try:
            frames.receive(self._replies, max_bytes=0, deadline=time.monotonic() + _START_TIMEOUT_S)
        except (EOFError, TimeoutError) as exc:
            self.kill()
            raise Misconfigured(
                "parser_cannot_start", "Программа чтения документов не запускается. Проверьте установку: znayka doctor."
            ) from exc

    @property
    def is_alive(self) -> bool:
        """Whether the child can take a job."""
        return self._process.poll() is None

    @property
    def rss_bytes(self) -> int:
        """Memory that the child holds."""
        try:
            return int(self._seen.memory_info().rss)
        except psutil.Error:
            return 0

    def ask(self, job: str, arguments: Mapping[str, Any], on_progress: OnProgress) -> bytes:
        """Have the child do a job; raises its error. After any other end than its answer the child is dead."""
        deadline = time.monotonic() + self._limits.timeout_s
        self._space.begin()
        try:
            frames.send(self._requests, Kind.REQUEST, json.dumps({"job": job, "arguments": arguments}).encode())
            kind, payload = self._answer(deadline, on_progress)
        except TimeoutError as exc:
            self.kill()
            raise reasons.too_slow(self._limits) from exc
        except frames.TooLong as exc:
            self.kill()
            raise reasons.too_much_text(self._limits) from exc
        except (EOFError, BrokenPipeError) as exc:
            raise self._death() from exc
        except BaseException:  # `on_progress` refused to go on, or we are being stopped: the child is in mid-job
            self.kill()
            raise
        if kind is Kind.ERROR:
            value = json.loads(payload)
            raise _ERRORS.get(value["type"], UnreadableDocument)(value["code"], value["detail"])
        return payload

    def kill(self) -> None:
        """End the child and all that it started, and remove what it left on the disk."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answer(self, deadline: float, on_progress: OnProgress) -> tuple[Kind, bytes]:
        max_bytes = 8 * self._limits.output_chars + 2**26
        while True:
            while not frames.is_ready(self._replies, min(LOOK_EVERY_S, deadline - time.monotonic())):
                self._space.look()
                if time.monotonic() > deadline:
                    raise TimeoutError
            self._space.look()
            kind, payload = frames.receive(self._replies, max_bytes=max_bytes, deadline=deadline)
            if kind is not Kind.PROGRESS:
                return kind, payload
            on_progress(*json.loads(payload))

    def _death(self) -> UnreadableDocument:
        """Wait for the child, whose pipe has closed, and say what it died of."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        self.kill()
        if code == -signal.SIGXCPU:
            return reasons.too_much_work(self._limits)
        if self._space.is_refusal(code, self._limits.memory_bytes):
            return reasons.too_much_memory(self._limits)
        return reasons.parser_died()


def _environment(folder: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return kept | {"HOME": folder, "TMPDIR": folder, "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
