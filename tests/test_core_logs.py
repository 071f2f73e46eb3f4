"""Whatever a message holds, a log has one JSON object a line, and a terminal nothing that steers it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from cli.process import Process, tail
from core import logs

ROOT = Path(__file__).parents[1]
HOSTILE = "\n\x1b[31m\u2028\x85\u202e\x07 имя"
KEYS = {"time", "level", "logger", "message"}
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
TIMEOUT_S = 300


def formatted(message: object, *args: object, **extra: object) -> str:
    record = logging.makeLogRecord({"name": "test", "msg": message, "args": args, **extra})
    return logs.JsonLines().format(record)


def failed(*command: str, **env: str) -> list[str]:
    """Run a program of ours that ends with an error; what it wrote, line by line as any program would cut it."""
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, *command], env=kept | env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode != 0
    assert done.stdout == ""
    return done.stderr.splitlines()


@pytest.mark.parametrize("module", ["api", "ingest.worker", "generation.server", "ui"])
def test_each_service_tells_a_hostile_message_as_one_json_line(module: str, tmp_path: Path) -> None:
    (line,) = failed("-m", module, **{"ZNAYKA_DATA_DIR": str(tmp_path), f"ZNAYKA_{HOSTILE}": "x"})
    told = json.loads(line)
    assert told.keys() == KEYS
    assert told["level"] == "critical"
    assert f"ZNAYKA_{HOSTILE}" in told["message"]


def test_an_unexpected_end_of_the_parser_is_one_json_line_with_its_stack(tmp_path: Path) -> None:
    (line,) = failed("-m", "ingest.parser_child", str(tmp_path), json.dumps({HOSTILE: 1}))
    told = json.loads(line)
    assert HOSTILE in told["exception"]
    assert told["exception"].startswith("Traceback")
    assert told["exception"].count("\n") > 3


def test_the_end_of_a_thread_and_a_warning_are_json_lines_too() -> None:
    program = (
        "import threading, warnings; from core.logs import log_to_stderr; log_to_stderr()\n"
        f"def work(): raise ValueError({HOSTILE!r})\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
        f"warnings.warn({HOSTILE!r})\nraise SystemExit(1)\n"
    )
    thread, warning = map(json.loads, failed("-c", program))
    assert HOSTILE in thread["exception"]
    assert warning["logger"] == "py.warnings"
    assert HOSTILE in warning["message"]


def test_no_sign_that_breaks_or_steers_stands_in_a_line_and_all_read_back() -> None:
    signs = "".join(sign for sign in map(chr, range(0x110000)) if unicodedata.category(sign) in HIDDEN)
    line = formatted(signs)
    assert len(line.splitlines()) == 1
    assert not [sign for sign in line if unicodedata.category(sign) in HIDDEN]
    assert json.loads(line)["message"] == signs.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert not [sign for sign in logs.visible(signs) if unicodedata.category(sign) in HIDDEN]


def test_letters_of_any_script_stand_as_they_are() -> None:
    assert "Отпуск «№ 5» – 東京 😀" in formatted("Отпуск «№ 5» – 東京 😀")


def test_the_time_is_utc_to_a_thousandth() -> None:
    assert json.loads(formatted("x", created=1_790_000_000.25))["time"] == "2026-09-21T14:13:20.250Z"


def test_a_message_that_does_not_fit_its_arguments_is_told_all_the_same() -> None:
    assert json.loads(formatted("%d of %s", "one"))["message"] == "%d of %s ('one',)"


def test_a_terminal_gets_short_lines_without_controls() -> None:
    program = (
        "import logging; from core.logs import log_to_stderr; log_to_stderr()\n"
        f"logging.getLogger('part').info('name: %s', {HOSTILE!r})\n"
    )
    ours, theirs = os.openpty()
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    subprocess.run([sys.executable, "-c", program], stderr=theirs, env=env, timeout=TIMEOUT_S, check=True)
    os.close(theirs)
    (shown,) = os.read(ours, 2**16).decode().splitlines()
    os.close(ours)
    assert shown[8:] == " INFO part name: \\n\\x1b[31m\\u2028\\x85\\u202e\\x07 имя"


def test_a_kept_log_has_json_lines_only_and_its_end_is_shown_as_people_read_it(tmp_path: Path) -> None:
    program = (
        "import logging, sys; from core.logs import log_to_stderr\n"
        f"sys.stdout.buffer.write('library: \\x1b[31m\\u2028red\\n\\n{{}}\\n'.encode()); sys.stdout.flush()\n"
        f"log_to_stderr(); logging.getLogger('part').warning({HOSTILE!r})\n"
        "raise ValueError('why')\n"
    )
    process = Process([sys.executable, "-c", program], log=tmp_path / "log")
    process.finish(TIMEOUT_S)
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in lines]
    assert all(one.keys() >= KEYS for one in told)
    assert [one["logger"] for one in told] == ["output", "output", "part", "core.logs"]
    assert told[0]["message"] == "library: \x1b[31m\u2028red"
    shown = tail(tmp_path / "log", 100)
    assert shown[:2] == ["library: \\x1b[31m\\u2028red", "{}"]
    assert shown[2].endswith("WARNING part \\n\\x1b[31m\\u2028\\x85\\u202e\\x07 имя")
    assert shown[-1] == "    ValueError: why"


def test_a_json_line_of_ours_is_kept_to_the_letter() -> None:
    line = formatted(HOSTILE)
    assert logs.adopted(line) == line
