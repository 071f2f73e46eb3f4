"""The set-up of one tree by two commands at once: `make run` and `make test` in two windows."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

ROOT = Path(__file__).resolve().parent.parent
# Takes the place of the minutes of installing: says that it began, ends when told, leaves what `_is_current` looks for.
INSTALLS = """
import sys, time
import install

def slow(purpose):
    with (install.ROOT / "journal").open("a") as file:
        file.write(purpose + "\\n")
    ends_s = time.monotonic() + 60
    while not (install.ROOT / "may_end").exists() and time.monotonic() < ends_s:
        time.sleep(0.01)
    install.PYTHON.parent.mkdir(parents=True, exist_ok=True)
    install.PYTHON.touch()
    install.STAMP.write_text(f"{install._digest()} test")

install._install = slow
sys.exit(install.main())
"""
WAIT_S = 60


def test_the_second_waits_for_the_first_and_finds_its_work_done(tmp_path: Path) -> None:
    for name in ("scripts", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "scripts" / "slowly.py").write_text(INSTALLS, encoding="utf-8")
    journal = tmp_path / "journal"
    with set_up(tmp_path, "test") as first:
        ends_s = time.monotonic() + WAIT_S
        while not journal.exists() and time.monotonic() < ends_s:
            time.sleep(0.01)
        with set_up(tmp_path, "run") as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "Окружение уже готовит другая команда, жду её.\n"
            (tmp_path / "may_end").touch()
            assert [first.wait(WAIT_S), second.wait(WAIT_S)] == [0, 0]
    assert journal.read_text().split() == ["test"], "the second did nothing"


def set_up(tree: Path, purpose: str) -> Popen[str]:
    return Popen([sys.executable, "scripts/slowly.py", purpose], cwd=tree, text=True, stdout=PIPE, stderr=STDOUT)
