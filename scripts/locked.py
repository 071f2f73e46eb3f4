"""Packages are installed from requirements/ alone: each file's SHA-256 stands there. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from machine import Missing
from steps import StepFailed, run_step

LOCKS = Path(__file__).resolve().parent.parent / "requirements"
# pip's own words; it prints them and the hashes it wanted, perhaps a hundred, before the one it got.
MISMATCH = "DO NOT MATCH THE HASHES"


class WrongFile(StepFailed):
    """An index gave a file other than the locked one; nothing of it was run."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One package of a lock file: its exact version and the SHA-256 of every file that may be installed for it."""

    name: str
    version: str
    hashes: tuple[str, ...]
    text: str


def read_lock(path: Path) -> dict[str, Entry]:
    """Entries of a lock file by normalised name. Raises `Missing`: no such file, or not one exact version a package."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise Missing(f"Нет файла {path}: восстановите его из репозитория.") from exc
    blocks = re.split(r"^(?=[A-Za-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)
    entries = [_entry(block) for block in blocks if block.strip()]
    named = {entry.name: entry for entry in entries}
    if len(named) < len(entries):
        twice = sorted({entry.name for entry in entries if named[entry.name] is not entry})
        raise Missing(f"В {path} по нескольку версий: {', '.join(twice)}. Оставьте по одной на пакет.")
    return named


def normal_name(name: str) -> str:
    """The name as the index compares it: lower case, one dash for runs of `-`, `_` and `.`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _entry(block: str) -> Entry:
    head = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", block)
    if head is None:
        raise Missing(f"Непонятная запись в requirements: {block.splitlines()[0]!r}. Выполните make lock.")
    hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})\b", block))
    return Entry(normal_name(head[1]), head[2], hashes, block)


def find_entry(lock: str, package: str) -> Entry:
    """The entry of one package in the lock file of that name. Raises `Missing`."""
    entry = read_lock(LOCKS / f"{lock}.txt").get(package)
    if entry is None:
        raise Missing(f"В requirements/{lock}.txt нет пакета {package}: выполните make lock.")
    return entry


def install_locked(
    title: str, python: Path, locks: Sequence[Path], *, log: Path, env: Mapping[str, str] | None = None
) -> None:
    """Install what the lock files name, from whatever index pip is set up with, wheels with a known SHA-256 only.

    Raises:
        WrongFile: a file differs from the one that was locked.
        StepFailed: pip gave up for another reason.
    """
    files = [argument for lock in locks for argument in ("--requirement", str(lock))]
    argv = [str(python), "-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary=:all:", *files]
    run_hashed(title, argv, log=log, env=env)


def run_hashed(title: str, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
    """Run a pip command that checks hashes; when one was wrong, say which file and what that means."""
    start = log.stat().st_size if log.exists() else 0
    try:
        run_step(title, argv, log=log, env=env)
    except StepFailed as exc:
        said = log.read_bytes()[start:].decode("utf-8", errors="replace")
        if MISMATCH not in said:
            raise
        raise WrongFile(_refusal(said, log)) from exc


def _refusal(said: str, log: Path) -> str:
    named = re.findall(r"^ +(\S+) from (\S+)", said.partition(MISMATCH)[2], re.MULTILINE)
    files = "; ".join(f"{package} ({source})" for package, source in named) or "см. журнал"
    return (
        f"Установка остановлена: получен не тот файл, что записан в requirements: {files}. "
        "Индекс пакетов или посредник на пути к нему отдал изменённый файл. Ничего из него не выполнено. "
        f"Проверьте, откуда он взялся, и повторите. Весь вывод: {log}"
    )
