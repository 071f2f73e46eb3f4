"""The set-up of one tree by two commands at once: `make run` and `make test` in two windows."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

ROOT = Path(__file__).resolve().parent.parent
# Takes the place of the minutes of installing: says when it begins and ends, and leaves what `_is_current` looks for.
INSTALLS = """
import sys, time
import install

def slow(purpose):
    journal = install.ROOT / "journal"
    with journal.open("a") as file:
        file.write("begin\\n")
    time.sleep(2)
    install.PYTHON.parent.mkdir(parents=True)
    install.PYTHON.touch()
    install.STAMP.write_text(f"{install._digest()} test")
    with journal.open("a") as file:
        file.write("end\\n")

install._install = slow
sys.exit(install.main())
"""


def test_the_second_waits_for_the_first_and_finds_its_work_done(tmp_path: Path) -> None:
    for name in ("scripts", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "scripts" / "slowly.py").write_text(INSTALLS, encoding="utf-8")
    commands = [
        Popen([sys.executable, "scripts/slowly.py", purpose], cwd=tmp_path, text=True, stdout=PIPE, stderr=STDOUT)
        for purpose in ("run", "test")
    ]
    said = [command.communicate(timeout=60)[0] for command in commands]
    assert [command.returncode for command in commands] == [0, 0], said
    assert (tmp_path / "journal").read_text().split() == ["begin", "end"]
    assert "".join(said).count("Окружение уже готовит другая команда, жду её.") == 1
