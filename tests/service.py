"""The real service for tests: its own processes on free ports, its data in a folder of the test's."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from cli.documents import ENDS
from cli.parts import Part, page_url, service_parts
from cli.process import Process, tail
from core.settings import PREFIX, Settings
from core.types import Document
from ui.client import Client

EVERY_PART = ("api", "worker", "llm", "ui")
START_S = 600.0  # a machine that others use too
POLL_S = 0.1
LOG_LINES = 30


class Service:
    """Runs parts of the service while the `with` block lasts; further settings by name, as `Settings` has them."""

    def __init__(self, data_dir: Path, parts: Iterable[str] = EVERY_PART, **settings: Any) -> None:
        names = ("api_port", "ui_port", "llm_port")
        chosen: dict[str, Any] = (
            dict(zip(names, free_ports(len(names)), strict=True)) | {"data_dir": data_dir} | settings
        )
        self.env = service_environment(chosen)
        self.settings = Settings(**_from_environment() | chosen)
        self._parts = {part.name: part for part in service_parts(self.settings) if part.name in set(parts)}
        self._processes: dict[str, Process] = {}

    def __enter__(self) -> Self:
        try:
            for name in self._parts:
                self.start(name)
            for name in self._parts:
                self.wait_ready(name)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is not None and hasattr(error, "add_note"):
            error.add_note(self.logs())

    @property
    def api_url(self) -> str:
        return self.settings.api_url

    @property
    def ui_url(self) -> str:
        return page_url(self.settings)

    @property
    def model_url(self) -> str:
        return self.settings.model_url

    def client(self, key: str = "") -> Client:
        return Client(self.api_url, key)

    def start(self, name: str, **settings: Any) -> None:
        """Start a part, with further settings for this life of its."""
        own = {f"{PREFIX}{key.upper()}": str(value) for key, value in settings.items()}
        self._processes[name] = Process(self._parts[name].argv, log=self.log(name), env=self.env | own)

    def kill(self, name: str) -> None:
        """SIGKILL to the whole group of one part."""
        self._processes.pop(name).kill()

    def restart(self, name: str, **settings: Any) -> None:
        """Kill a part, start it again, with further settings for this life of its, and wait until it is up."""
        if name in self._processes:
            self.kill(name)
        self.start(name, **settings)
        self.wait_ready(name)

    def wait_death(self, name: str, timeout_s: float = START_S) -> int:
        """Wait until a part has ended by itself; return its exit code, negative for a signal."""
        deadline = time.monotonic() + timeout_s
        while (code := self._processes[name].poll()) is None:
            assert time.monotonic() < deadline, f"{name} lives on:\n{self.logs([name])}"
            time.sleep(POLL_S / 10)
        self.kill(name)
        return code

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def is_running(self, name: str) -> bool:
        return name in self._processes and self._processes[name].poll() is None

    def wait_ready(self, name: str, timeout_s: float = START_S) -> None:
        part, deadline = self._parts[name], time.monotonic() + timeout_s
        while not _is_up(part):
            if not self.is_running(name):
                raise AssertionError(f"{name} ended while starting:\n{self.logs([name])}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{name} is not ready after {timeout_s:.0f} s:\n{self.logs([name])}")
            time.sleep(POLL_S)

    def upload(self, *paths: Path, collection: str = "default", replace: bool = False) -> list[Document]:
        """Upload files under their own names; answer the documents as the API took them in."""
        documents = []
        for path in paths:
            with path.open("rb") as content:
                documents.append(self.client().upload(path.name, content, collection=collection, replace=replace))
        return documents

    def wait_for_end(self, document_id: str, timeout_s: float = START_S) -> Document:
        """Poll one document until it is ready, partial or failed."""
        deadline = time.monotonic() + timeout_s
        while True:
            answer = httpx.get(f"{self.api_url}/v1/documents/{document_id}", trust_env=False, timeout=START_S)
            answer.raise_for_status()
            if answer.json()["status"] in ENDS:
                return next(one for one in self.client().documents(limit=100).items if one.id == document_id)
            assert time.monotonic() < deadline, f"{answer.json()}\n{self.logs()}"
            time.sleep(POLL_S)

    def log(self, name: str) -> Path:
        return self.settings.data_dir / "logs" / f"{name}.log"

    def logs(self, names: Iterable[str] | None = None) -> str:
        """The ends of the parts' logs, to be shown when a test fails."""
        wanted = self._parts if names is None else names
        return "\n".join(f"--- {name}\n" + "\n".join(tail(self.log(name), LOG_LINES)) for name in wanted)

    def stop(self) -> None:
        for process in self._processes.values():
            process.kill()
        self._processes.clear()


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def service_environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """This process's environment with these settings in place of all of ours but the cache folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    kept |= {f"{PREFIX}{name.upper()}": str(value) for name, value in _from_environment().items()}
    return kept | {f"{PREFIX}{name.upper()}": str(value) for name, value in settings.items()}


def _from_environment() -> dict[str, Any]:
    value = os.environ.get(f"{PREFIX}CACHE_DIR")
    return {"cache_dir": value} if value else {}


def _is_up(part: Part) -> bool:
    if part.ready_url is None:
        return True
    try:
        return httpx.get(part.ready_url, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
