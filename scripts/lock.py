"""The lock files in requirements/: check that they cover what pyproject.toml asks for, or make them anew.

Usage: .venv/bin/python scripts/lock.py [--write [--upgrade]]. The check asks no index; exit code 1 names what is wrong.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from locked import LOCKS, Entry, find_entry, normal_name, read_lock
from machine import Missing
from packaging.requirements import Requirement

ROOT = LOCKS.parent
PROJECT = ROOT / "pyproject.toml"
EXTRAS = ("test", "training")
# Libraries for graphics cards, which the general build of PyTorch wants and the one for processors does not.
CARD = re.compile(r"(nvidia|cuda)-[a-z0-9-]+|triton")
HEADER = "# Made by `make lock` from pyproject.toml. The hashes are the index's own, for every platform's files.\n"
PARTS = ("run", "test", "cuda")
GROUPS = ("install", "audit")


def main() -> int:
    """Write, when asked to, then check; return the exit code."""
    try:
        if "--write" in sys.argv:
            write(is_upgrade="--upgrade" in sys.argv)
        problems = list(check())
    except Missing as exc:
        problems = [str(exc)]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    if problems and "--write" not in sys.argv:
        sys.stderr.write("requirements/ and pyproject.toml disagree: run `make lock` and commit what it writes.\n")
    return bool(problems)


def check() -> Iterator[str]:
    """Yield what is wrong, a sentence each."""
    locks = {name: read_lock(LOCKS / f"{name}.txt") for name in (*PARTS, *GROUPS, "torch-cpu")}
    for name, entries in locks.items():
        yield from _unsound(name, entries)
    run, whole = locks["run"], locks["run"] | locks["test"]
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    yield from _uncovered("run", project["project"]["dependencies"], run)
    yield from _uncovered("test", [wanted for extra in EXTRAS for wanted in extras[extra]], whole)
    for group in GROUPS:
        yield from _uncovered(group, project["dependency-groups"][group], locks[group])
    yield from _uncovered("install", project["build-system"]["requires"], locks["install"])
    if find_entry("torch-cpu", "torch").version.partition("+")[0] != find_entry("run", "torch").version:
        yield "requirements/torch-cpu.txt holds another version than run.txt: put in the hashes of PyTorch's own index."


def _unsound(name: str, entries: dict[str, Entry]) -> Iterator[str]:
    text = (LOCKS / f"{name}.txt").read_text(encoding="utf-8")
    for foreign in re.findall(r"^.*(?:://|--index|--find-links| @ ).*$", text, re.MULTILINE):
        yield f"requirements/{name}.txt names a place to fetch from: {foreign.strip()}"
    for entry in entries.values():
        if not entry.hashes:
            yield f"requirements/{name}.txt has no hash for {entry.name}"


def _uncovered(name: str, wanted: Iterable[str], locked: dict[str, Entry]) -> Iterator[str]:
    """What `wanted` and, as the installed packages declare it, all that they need in turn do not find in `locked`."""
    waiting = [Requirement(text) for text in wanted]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        package = normal_name(requirement.name)
        key = (package, frozenset(requirement.extras))
        entry = locked.get(package)
        if entry is None or not requirement.specifier.contains(entry.version, prereleases=True):
            have = f"holds {entry.version}" if entry else "holds none"
            yield f"requirements/{name}.txt {have} of {requirement}"
        elif key not in seen:
            waiting += _needs(entry, requirement.extras)
        seen.add(key)


def _needs(entry: Entry, extras: Iterable[str]) -> list[Requirement]:
    try:
        installed = metadata.distribution(entry.name)
    except metadata.PackageNotFoundError:  # of another platform, or of a part that is not installed here
        return []
    if installed.version.partition("+")[0] != entry.version.partition("+")[0]:  # locked anew, not yet installed
        return []
    declared = installed.requires or []
    requirements = [Requirement(text) for text in declared]
    return [need for need in requirements if any(_applies(need, extra) for extra in ("", *extras))]


def _applies(need: Requirement, extra: str) -> bool:
    return need.marker is None or need.marker.evaluate({"extra": extra})


def write(*, is_upgrade: bool) -> None:
    """Resolve anew with uv, keeping the versions of the present files unless `is_upgrade`; replace the files."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        whole = folder / "whole.txt"
        if not is_upgrade:
            whole.write_text("".join(_text(LOCKS / f"{name}.txt") for name in PARTS), encoding="utf-8")
        _compile(whole, str(PROJECT), *(f"--extra={extra}" for extra in EXTRAS), is_upgrade=is_upgrade)
        run = folder / "run.txt"
        _compile(run, str(PROJECT), f"--constraint={whole}")
        _split(read_lock(whole), set(read_lock(run)))
        for group in GROUPS:
            target = folder / f"{group}.txt"
            target.write_text("" if is_upgrade else _text(LOCKS / f"{group}.txt"), encoding="utf-8")
            _compile(target, f"--group={PROJECT}:{group}", f"--constraint={whole}", is_upgrade=is_upgrade)
            _save(group, read_lock(target).values())


def _compile(target: Path, *sources: str, is_upgrade: bool = False) -> None:
    # One version of each package for every Python: what the tests ran with is what is installed.
    shape = ["--universal", "--python-version=3.11", "--fork-strategy=fewest", "--generate-hashes"]
    quiet = ["--no-header", "--no-annotate", "--quiet"]
    uv = [sys.executable, "-m", "uv", "pip", "compile", *shape, *quiet, *(["--upgrade"] if is_upgrade else [])]
    # uv has a certificate store of its own; where pip was given another one, it is needed here as well.
    certificates = os.environ.get("SSL_CERT_FILE") or os.environ.get("PIP_CERT")
    environment = os.environ | ({"SSL_CERT_FILE": certificates} if certificates else {})
    subprocess.run([*uv, *sources, f"--output-file={target}"], check=True, env=environment, stdout=subprocess.DEVNULL)


def _split(whole: dict[str, Entry], needed_to_run: set[str]) -> None:
    cards = {name for name in whole if CARD.fullmatch(name)}
    run = needed_to_run - cards
    chosen = {"run": run, "cuda": cards, "test": set(whole) - run - cards}
    for part, names in chosen.items():
        _save(part, (whole[name] for name in sorted(names)))


def _save(part: str, entries: Iterable[Entry]) -> None:
    text = HEADER + "".join(entry.text for entry in entries)
    (LOCKS / f"{part}.txt").write_text(text, encoding="utf-8")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
