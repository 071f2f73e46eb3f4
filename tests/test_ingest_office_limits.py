"""What a hostile file may take of the machine through a program that reads it, and what is said of it then."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.errors import UnreadableDocument
from ingest.child_end import wait_for_end
from ingest.limits import Limits
from ingest.sandbox import Sandbox
from tests.hostile_case import Case, case
from tests.hostile_ole import old_cases
from tests.hostile_pdf import pdf_cases

MIB = 2**20
LIMITS = Limits(timeout_s=600, cpu_s=60, memory_bytes=700 * MIB, archive_max_bytes=32 * MIB, output_chars=2_000_000)
ROOT = Path(__file__).parent.parent
NOWHERE = "http://127.0.0.1:9"

needs_office = pytest.mark.skipif(not shutil.which("soffice"), reason="needs LibreOffice")


def named(cases: list[Case], name: str) -> Case:
    return next(one for one in cases if one.name == name)


def reason(file: Case, folder: Path, limits: Limits = LIMITS) -> str:
    path = folder / "stored"
    path.write_bytes(file.make())
    with Sandbox(limits) as sandbox, pytest.raises(UnreadableDocument) as raised:
        sandbox.parse(path, file.name)
    return raised.value.code


@contextmanager
def watched() -> Iterator[dict[str, int]]:
    """The most bytes that each program below this process holds, by its name, sampled."""
    held: dict[str, int] = {}
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.05):
            for program in psutil.Process().children(recursive=True):
                try:
                    held[program.name()] = max(held.get(program.name(), 0), program.memory_info().rss)
                except psutil.Error:
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield held
    finally:
        stop.set()
        thread.join()


@needs_office
def test_what_libreoffice_may_hold_is_limited_and_the_reason_says_memory(tmp_path: Path) -> None:
    bomb = named(old_cases(NOWHERE), "cells-repeated-a-billion-times.ods")
    with watched() as held:
        assert reason(bomb, tmp_path) == "parse_memory_exceeded"
    assert 100 * MIB < held["soffice.bin"] < LIMITS.memory_bytes + 200 * MIB, "without a limit it takes five gigabytes"


def test_an_open_document_is_weighed_before_libreoffice_unpacks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "soffice"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n: > {tmp_path}/started\n")  # the path holds no other program
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert reason(named(old_cases(NOWHERE), "content-of-400-megabytes.odt"), tmp_path) == "too_large_unpacked"
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("name", ["form-draws-itself.pdf", "lzw-in-flate-bomb.pdf"])
def test_a_pdf_that_pdfium_cannot_hold_is_refused_for_memory_and_not_called_a_crash(name: str, tmp_path: Path) -> None:
    assert reason(named(pdf_cases(NOWHERE), name), tmp_path) == "parse_memory_exceeded"


@needs_office
def test_a_damaged_file_is_not_called_too_large_for_memory_because_libreoffice_itself_takes_half_of_it(
    tmp_path: Path,
) -> None:
    limits = replace(LIMITS, memory_bytes=400 * MIB)  # an idle LibreOffice shows 211, of which 162 are its own
    assert reason(named(old_cases(NOWHERE), "nothing-inside.odt"), tmp_path, limits) == "not_converted"


@needs_office
def test_a_file_that_grows_too_large_when_converted_is_refused_for_that_and_not_called_damaged(tmp_path: Path) -> None:
    digits = random.Random(1)
    lines = (" ".join(str(digits.random())[2:] for _ in range(20)) for _ in range(1000))
    rich = case("numbers.rtf", lambda: ("{\\rtf1\\ansi " + "\\par\n".join(lines) + "}").encode())
    assert reason(rich, tmp_path, replace(LIMITS, archive_max_bytes=MIB // 8)) == "too_large_unpacked"


@needs_office
def test_under_a_lower_hard_limit_of_files_office_files_are_read_and_the_child_keeps_its_limit_of_memory(
    tmp_path: Path,
) -> None:
    path = tmp_path / "note.rtf"
    path.write_text("{\\rtf1\\ansi Order 417 sets the vacation.}")
    script = (
        "import resource, psutil; from pathlib import Path; from ingest.limits import Limits; "
        "from ingest.sandbox import Sandbox; resource.setrlimit(resource.RLIMIT_FSIZE, (2**23, 2**23)); "
        f"sandbox = Sandbox(Limits(memory_bytes={LIMITS.memory_bytes})); "
        f"print(sandbox.parse(Path({str(path)!r}), 'note.rtf').pages[0].text); "
        "(child,) = psutil.Process().children(); print(child.rlimit(psutil.RLIMIT_AS)[0])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.splitlines() == ["Order 417 sets the vacation.", str(LIMITS.memory_bytes)], done.stderr


def test_what_a_program_held_is_not_what_its_parent_holds() -> None:
    """What a program is said to have held begins, with the kernel, at what the process held that started it."""
    ballast = bytearray(b"x") * (200 * MIB)
    with subprocess.Popen(["sleep", "0.3"]) as program:
        end = wait_for_end(program, 60)
    assert ballast
    assert not end.is_full(100 * MIB)
