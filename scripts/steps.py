"""Long commands that say what they do, that they are alive, and what went wrong. Standard library only."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

HEARTBEAT_S = 10.0
POLL_S = 0.2
TAIL_LINES = 15
LINE_WIDTH = 70


class StepFailed(Exception):
    """A command ended with an error; the message holds the end of what it printed and where the rest is."""


def say(text: str) -> None:
    """Write one line for the person at the console, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run_step(title: str, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
    """Run `argv`, its output in `log`, with a sign of life every ten seconds.

    Raises:
        StepFailed: the command could not be started or ended with a code other than 0.
    """
    say(f"→ {title}")
    started = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        offset = output.tell()
        process = subprocess.Popen(
            argv, stdout=output, stderr=subprocess.STDOUT, env=None if env is None else dict(env)
        )
        code = _wait(process, log, offset, started)
    if code != 0:
        tail = "\n".join(_lines(log, offset)[-TAIL_LINES:])
        raise StepFailed(f"Не удалось: {title} (код {code}). Конец вывода:\n{tail}\nВесь вывод: {log}")
    say(f"  готово за {time.monotonic() - started:.0f} с")


def _wait(process: subprocess.Popen[bytes], log: Path, offset: int, started: float) -> int:
    next_beat = started + HEARTBEAT_S
    try:
        while process.poll() is None:
            if time.monotonic() >= next_beat:
                next_beat += HEARTBEAT_S
                say(f"  … {time.monotonic() - started:.0f} с. {_last_words(log, offset)}")
            time.sleep(POLL_S)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process.returncode


def _last_words(log: Path, offset: int) -> str:
    lines = _lines(log, offset)
    return lines[-1].strip()[:LINE_WIDTH] if lines else ""


def _lines(log: Path, offset: int) -> list[str]:
    with log.open("rb") as output:
        output.seek(offset)
        text = output.read().decode("utf-8", errors="replace")
    return [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
