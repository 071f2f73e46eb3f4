"""The model's process for a command that needs one: the running one, or one that lives as long as the command."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from cli.console import say
from cli.parts import service_parts
from cli.supervisor import Supervisor
from core.errors import TryLater
from core.settings import Settings
from generation.model_choice import server_of

START_S = 180.0
POLL_S = 0.2


@contextmanager
def model_process(settings: Settings) -> Iterator[Settings]:
    """Settings whose model server answers: the running one when it serves the chosen model, else one of our own.

    Raises `TryLater` when the model does not come up, `Misconfigured` when it crashes.
    """
    if settings.llm_url or _serves(settings):
        yield settings
        return
    own = settings.model_copy(update={"llm_host": "127.0.0.1", "llm_port": free_port()})
    supervisor = Supervisor(log_dir=settings.data_dir / "logs" / "evaluate", env=_environment(own), say=say)
    try:
        supervisor.start([part for part in service_parts(own) if part.name == "llm"])
        _wait(supervisor)
        yield own
    finally:
        supervisor.stop()


def _serves(settings: Settings) -> bool:
    try:
        listed = httpx.get(f"{settings.model_url}/models", timeout=2.0, trust_env=False)
        return listed.is_success and server_of(settings).name in {model["id"] for model in listed.json()["data"]}
    except (httpx.HTTPError, ValueError, KeyError):
        return False


def _environment(settings: Settings) -> dict[str, str]:
    chosen = {"MODEL": settings.model, "LLM_HOST": settings.llm_host, "LLM_PORT": f"{settings.llm_port}"}
    chosen |= {"ADAPTER": f"{settings.adapter.absolute()}"} if settings.adapter else {}
    # Settings without an adapter mean none, also where the environment of this command names one.
    inherited = {name: value for name, value in os.environ.items() if name.upper() != "ZNAYKA_ADAPTER"}
    return inherited | {f"ZNAYKA_{name}": value for name, value in chosen.items()}


def _wait(supervisor: Supervisor) -> None:
    deadline = time.monotonic() + START_S
    while supervisor.waiting_for():
        if time.monotonic() > deadline:
            raise TryLater("model_slow", "Модель не загрузилась за три минуты. Повторите позже.", retry_after_s=60)
        time.sleep(POLL_S)
        supervisor.watch()


def free_port() -> int:
    """A port of this machine that nobody listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
