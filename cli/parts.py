"""The processes the service consists of: how each is started, and how it is known to be up."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass

from core.errors import Misconfigured
from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Part:
    """A process. `ready_url` answers 200 when it can work; without one, a process that stays alive counts as up."""

    name: str
    title: str
    argv: tuple[str, ...]
    ready_url: str | None = None
    host: str = ""
    port: int | None = None
    port_setting: str = ""


def service_parts(settings: Settings) -> list[Part]:
    """The parts these settings ask for; no model process when another server is named by ZNAYKA_LLM_URL."""
    api = Part(
        "api",
        "сервис запросов",
        _module("api"),
        f"http://{_reachable(settings.api_host)}:{settings.api_port}/live",
        settings.api_host,
        settings.api_port,
        "ZNAYKA_API_PORT",
    )
    llm = Part(
        "llm",
        "языковая модель",
        _module("generation.server"),
        f"http://{_reachable(settings.llm_host)}:{settings.llm_port}/ready",
        settings.llm_host,
        settings.llm_port,
        "ZNAYKA_LLM_PORT",
    )
    worker = Part("worker", "обработка документов", _module("ingest.worker"))
    own_model = [] if settings.llm_url else [llm]
    page = Part(
        "ui",
        "страница",
        _module("ui"),
        f"{page_url(settings)}/_stcore/health",
        settings.ui_host,
        settings.ui_port,
        "ZNAYKA_UI_PORT",
    )
    return [api, worker, *own_model, page]


def page_url(settings: Settings) -> str:
    """Where a browser on this machine finds the page."""
    return f"http://{_reachable(settings.ui_host)}:{settings.ui_port}"


def require_free_ports(parts: list[Part]) -> None:
    """Raise `Misconfigured` that names the first port somebody else listens on, and the setting that changes it."""
    for part in parts:
        if part.port is not None and is_taken(part.host, part.port):
            raise Misconfigured(
                "port_in_use",
                f"Порт {part.port} ({part.title}) занят другой программой или уже запущенной Знайкой: "
                f"остановите её или задайте другой порт, например {part.port_setting}={part.port + 100}.",
            )


def is_taken(host: str, port: int) -> bool:
    """Say whether a server could not listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name)


def _reachable(host: str) -> str:
    """An address to call for a server that listens on `host`; the wildcard addresses can only be listened on."""
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
