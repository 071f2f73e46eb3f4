"""The wheel that is compiled once and kept: used only while it is what the compiler made of the locked source."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
# In place of Python with pip: it writes down that it was called, and makes a "wheel" where it was told to.
COMPILER = """#!/bin/sh
for argument; do case $argument in --wheel-dir=*) made=${argument#*=} ;; esac; done
echo called >> "$CALLS"
mkdir -p "$made" && echo compiled > "$made/llama_cpp_python-1.2.3-py3-none-any.whl"
"""
PROVIDE = """
import sys, pathlib, llama_wheel, locked
source = locked.Entry("llama-cpp-python", "1.2.3", (sys.argv[1],), "llama-cpp-python==1.2.3")
python, log = map(pathlib.Path, sys.argv[2:])
print(llama_wheel.provide_wheel(source, python=python, log=log))
"""


class Compiler:
    """A stand-in for the compiler that counts how often it was needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._python = folder / "python"
        self._python.write_text(COMPILER)
        self._python.chmod(0o755)
        self._calls = folder / "calls"

    def provide(self, source: str = "a" * 64) -> tuple[Path, str]:
        """Ask for the wheel of that source; return where it is and what the person at the console read."""
        own = {"PYTHONPATH": str(SCRIPTS), "ZNAYKA_CACHE_DIR": str(self._folder / "cache"), "CALLS": str(self._calls)}
        argv = [sys.executable, "-S", "-c", PROVIDE, source, self._python, self._folder / "log"]
        done = subprocess.run(argv, capture_output=True, text=True, env=os.environ | own, check=True)
        return Path(done.stdout.splitlines()[-1]), done.stdout

    @property
    def calls(self) -> int:
        return len(self._calls.read_text().splitlines())


@pytest.fixture
def compiler(tmp_path: Path) -> Compiler:
    return Compiler(tmp_path)


def test_a_kept_wheel_is_used_without_a_compiler(compiler: Compiler) -> None:
    first, _ = compiler.provide()
    again, _ = compiler.provide()

    assert first == again
    assert compiler.calls == 1


def test_a_kept_wheel_whose_bytes_changed_is_noticed_and_compiled_anew(compiler: Compiler) -> None:
    wheel, _ = compiler.provide()
    wheel.write_text("something else")
    mended, said = compiler.provide()

    assert "не тот, что был здесь собран: собираю заново" in said
    assert mended.read_text() == "compiled\n"
    assert compiler.calls == 2


def test_a_wheel_that_somebody_laid_there_without_a_record_is_not_trusted(compiler: Compiler) -> None:
    wheel, _ = compiler.provide()
    (wheel.parent / "built.json").unlink()
    compiler.provide()

    assert compiler.calls == 2


def test_a_wheel_of_another_source_is_not_used(compiler: Compiler) -> None:
    compiler.provide()
    compiler.provide(source="b" * 64)

    assert compiler.calls == 2
