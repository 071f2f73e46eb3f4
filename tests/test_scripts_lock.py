"""`make check` notices when the lock files and pyproject.toml part. Tried on a copy of both."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for folder in ("scripts", "requirements"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, root / "scripts" / "lock.py"], capture_output=True, text=True)


def edit(path: Path, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, path.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE)
    assert count == 1
    path.write_text(text, encoding="utf-8")


def test_the_lock_files_cover_what_the_project_asks_for(copy: Path) -> None:
    done = check(copy)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("section", ["dependencies", "test", "training", "install"])
def test_a_dependency_that_was_added_without_locking_it_fails(copy: Path, section: str) -> None:
    edit(copy / "pyproject.toml", rf"^{section} = \[\n", r'\g<0>    "left-pad>=1.3",\n')
    done = check(copy)

    assert done.returncode == 1
    assert "holds none of left-pad>=1.3" in done.stderr
    assert "make lock" in done.stderr


def test_a_version_below_what_the_project_asks_for_fails(copy: Path) -> None:
    edit(copy / "requirements" / "run.txt", r"^fastapi==\S+", "fastapi==0.1.0")

    assert "requirements/run.txt holds 0.1.0 of fastapi" in check(copy).stderr


def test_a_package_that_only_another_package_needs_is_missed_too(copy: Path) -> None:
    edit(copy / "requirements" / "run.txt", r"^starlette==.*\n(?:    --hash.*\n)+", "")

    assert "requirements/run.txt holds none of starlette" in check(copy).stderr


def test_a_version_that_was_locked_anew_is_not_held_to_what_the_installed_one_needs(copy: Path) -> None:
    for package in ("pydantic", "pydantic-core"):
        edit(copy / "requirements" / "run.txt", rf"^{package}==\S+", f"{package}==2.999")
    done = check(copy)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_package_without_hashes_fails(copy: Path) -> None:
    edit(copy / "requirements" / "run.txt", r"^(typer==\S+).*\n(?:    --hash.*\n)+", r"\1\n")

    assert "requirements/run.txt has no hash for typer" in check(copy).stderr


@pytest.mark.parametrize("line", ["--index-url https://mirror.example/simple", "--find-links /wheels"])
def test_a_lock_that_names_a_place_to_fetch_from_fails(copy: Path, line: str) -> None:
    path = copy / "requirements" / "test.txt"
    path.write_text(path.read_text(encoding="utf-8") + f"    {line}\n", encoding="utf-8")

    assert f"names a place to fetch from: {line}" in check(copy).stderr


def test_two_versions_of_one_package_fail(copy: Path) -> None:
    path = copy / "requirements" / "run.txt"
    path.write_text(
        path.read_text(encoding="utf-8") + f"scipy==1.0 \\\n    --hash=sha256:{'0' * 64}\n", encoding="utf-8"
    )
    done = check(copy)

    assert done.returncode == 1
    assert "по нескольку версий: scipy" in done.stderr


def test_the_build_of_pytorch_for_processors_keeps_up_with_the_general_one(copy: Path) -> None:
    edit(copy / "requirements" / "torch-cpu.txt", r"^torch==[0-9.]+", "torch==2.6.0")

    assert "torch-cpu.txt holds another version" in check(copy).stderr
