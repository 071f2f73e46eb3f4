"""Keeps the parts running: starts them, says when each is up, starts a crashed one again, stops them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from cli.parts import Part
from cli.process import Process, tail
from core.errors import Misconfigured

STOP_S = 8.0
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
# A part that ran this long was not failing at its start, so its next crash is its first again.
SETTLED_S = 60.0
SETTLING_S = 1.0
START_CRASHES_MAX = 3
PROBE_TIMEOUT_S = 2.0
LOG_TAIL_LINES = 6


class Supervised:
    """One part with its process and how often it has crashed lately. Times are those of a monotonic clock."""

    def __init__(self, part: Part, log: Path, env: Mapping[str, str]) -> None:
        self.part = part
        self.log = log
        self.crashes = 0
        self._env = env
        self.start()

    def start(self) -> None:
        """Run the part's program, again if it ran before."""
        self.process = Process(self.part.argv, log=self.log, env=self._env)
        self.started_at = time.monotonic()
        self.restart_at: float | None = None
        self.is_ready = False
        self.hindrance = ""

    def schedule_restart(self) -> float:
        """Note a crash; answer the seconds to wait, twice as many after each crash in a row."""
        self.process.kill()  # what the crash left of its group
        self.crashes = 1 if time.monotonic() - self.started_at > SETTLED_S else self.crashes + 1
        delay = min(FIRST_DELAY_S * 2.0 ** (self.crashes - 1), LONGEST_DELAY_S)
        self.restart_at = time.monotonic() + delay
        return delay

    def probe(self, http: httpx.Client) -> bool:
        """Say whether the part can work now; what it says hinders it is kept in `hindrance`."""
        if self.part.ready_url is None:
            return time.monotonic() - self.started_at > SETTLING_S
        try:
            answer = http.get(self.part.ready_url)
        except httpx.HTTPError:
            return False
        self.hindrance = "" if answer.is_success else _reason(answer)
        return answer.is_success


class Supervisor:
    """Runs parts until `stop`. Use from the main thread, see `Process`."""

    def __init__(self, *, log_dir: Path, env: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._log_dir = log_dir
        self._env = env
        self._say = say
        self._running: list[Supervised] = []
        self._http = httpx.Client(timeout=PROBE_TIMEOUT_S, trust_env=False)

    def start(self, parts: list[Part]) -> None:
        """Start every part; none is waited for."""
        self._running = [Supervised(part, self._log_dir / f"{part.name}.log", self._env) for part in parts]

    def watch(self) -> None:
        """One look at every part: restart what ended, announce what came up."""
        for one in self._running:
            if one.restart_at is not None:
                if time.monotonic() >= one.restart_at:
                    one.start()
            elif (code := one.process.poll()) is not None:
                delay = one.schedule_restart()
                self._say(f"✗ {_titled(one)}: процесс завершился (код {code}); запускаю снова через {delay:.0f} с.")
            elif not one.is_ready and one.probe(self._http):
                one.is_ready = True
                self._say(f"✓ {_titled(one)}: работает ({time.monotonic() - one.started_at:.0f} с)")

    def waiting_for(self) -> list[str]:
        """Titles of the parts that are not up, with what each says hinders it.

        Raises `Misconfigured` with the end of its log for a part that keeps crashing before it ever came up.
        """
        for one in self._running:
            if one.crashes >= START_CRASHES_MAX and not one.is_ready:
                words = "\n".join(tail(one.log, LOG_TAIL_LINES)) or "журнал пуст"
                raise Misconfigured(
                    "part_fails",
                    f"Не запускается {_titled(one)}. Конец журнала {one.log}:\n{words}\n"
                    "Проверьте установку: znayka doctor.",
                )
        return [
            f"{_titled(one)}. {one.hindrance}" if one.hindrance else _titled(one)
            for one in self._running
            if not one.is_ready
        ]

    def stop(self) -> None:
        """End every process and everything they started; those that do not end by themselves are killed."""
        for one in self._running:
            one.process.terminate()
        deadline = time.monotonic() + STOP_S
        for one in self._running:
            one.process.finish(max(0.1, deadline - time.monotonic()))
        self._running = []
        self._http.close()


def _titled(one: Supervised) -> str:
    return f"{one.part.title} ({one.part.name})"


def _reason(answer: httpx.Response) -> str:
    """The sentence in a refusal: `problem+json` has it in `detail`, OpenAI's shape in `error.message`."""
    try:
        body = answer.json()
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    inner = body.get("error")
    return str(body.get("detail") or (inner.get("message") if isinstance(inner, dict) else "") or "")
