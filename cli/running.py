"""`znayka run`: from nothing to an answered question, then on until Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from cli.console import say
from cli.parts import page_url, require_free_ports, service_parts
from cli.supervisor import Supervisor
from cli.welcome import welcome
from core.settings import Settings
from retrieval.store.database import Database
from ui.client import Client

POLL_S = 0.2
HEARTBEAT_S = 10.0
FIRST_TIME = " (в первый раз модели готовятся под этот процессор, это минута или две)"


def run(settings: Settings, *, wants_welcome: bool) -> None:
    """Start everything, load the examples into an empty base, stay up until a signal says stop."""
    parts = service_parts(settings)
    require_free_ports(parts)
    log_dir = settings.data_dir / "logs"
    is_first = not settings.data_dir.exists()
    with closing(Database(settings.sql_url)) as database:
        database.require_usable()  # every part would refuse, each in its own log
    with _stop_signal() as stopped:
        supervisor = Supervisor(log_dir=log_dir, env=os.environ | {"ZNAYKA_MODEL": settings.model}, say=say)
        say(f"Запускаю Знайку. Журналы: {log_dir}")
        try:
            supervisor.start(parts)
            _wait_until_up(supervisor, stopped, is_first=is_first)
            greeting = threading.Thread(target=_greet, args=(settings, wants_welcome, stopped), daemon=True)
            greeting.start()
            while not stopped.wait(POLL_S):
                supervisor.watch()
        finally:
            say("Останавливаю…")
            supervisor.stop()
            say("Знайка остановлена.")


def _wait_until_up(supervisor: Supervisor, stopped: threading.Event, *, is_first: bool) -> None:
    next_beat = time.monotonic() + HEARTBEAT_S
    hint = FIRST_TIME if is_first else ""
    while not stopped.wait(POLL_S):
        supervisor.watch()
        waiting = supervisor.waiting_for()
        if not waiting:
            return
        if time.monotonic() > next_beat:
            next_beat += HEARTBEAT_S
            say(f"  … жду: {', '.join(waiting)}{hint}")
            hint = ""


def _greet(settings: Settings, wants_welcome: bool, stopped: threading.Event) -> None:
    """Runs beside the watching loop, so that a part that crashes meanwhile is restarted."""
    if wants_welcome and not stopped.is_set():
        welcome(Client(settings.api_url, settings.ui_api_key.get_secret_value()), _sleeper(stopped))
    if not stopped.is_set():
        say(
            f"\nСтраница:  {page_url(settings)}\n"
            f"API:       {settings.api_url}  (описание: {settings.api_url}/openapi.json)\n"
            "Остановить: Ctrl-C"
        )


def _sleeper(stopped: threading.Event) -> Callable[[float], bool]:
    """A sleep that ends early, and answers False, when the service is being stopped."""
    return lambda seconds: not stopped.wait(seconds)


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    stopped = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in numbers}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
