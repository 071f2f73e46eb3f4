"""Make `.venv` hold what the lock files in requirements/ say, to the byte; do nothing when it does already.

Usage: python scripts/install.py run|test. Standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llama_wheel import kept_wheel, provide_wheel
from locked import LOCKS, WrongFile, find_entry, install_locked
from machine import FREE_DISK_GB, Missing, cache_dir, require_compiler, require_disk, require_venv
from steps import StepFailed, run_step, say

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "znayka.stamp"
LOG = VENV / "install.log"
LOCK = ROOT / ".setup.lock"  # beside .venv, which is made anew
CPU_INDEX_PROBE_S = 30


def main() -> int:
    """Install for the purpose named on the command line; return the exit code."""
    purpose = sys.argv[1]
    if _is_current(purpose):
        return 0
    try:
        with _alone():
            if not _is_current(purpose):
                _install(purpose)
    except (Missing, StepFailed) as exc:
        say(str(exc))
        return 1
    except KeyboardInterrupt:
        say("Установка прервана; следующий запуск продолжит её.")
        return 130
    return 0


@contextmanager
def _alone() -> Iterator[None]:
    """Wait for another command that sets up the same tree: two at once would take files away from each other."""
    with LOCK.open("a") as lock:  # for writing: over NFS a lock is refused to readers
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Окружение уже готовит другая команда, жду её.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(purpose: str) -> None:
    say("Готовлю окружение. В первый раз это занимает 10–20 минут, потом секунды.")
    require_venv()
    require_disk(ROOT, FREE_DISK_GB)
    require_disk(cache_dir(), 1.0)
    llama = find_entry("run", "llama-cpp-python")
    if kept_wheel(llama) is None:
        require_compiler()
    STAMP.unlink(missing_ok=True)
    if not _has_pip():
        say("→ Создаю виртуальное окружение .venv")
        venv.create(VENV, with_pip=True, clear=True)
    install_locked("Ставлю средства сборки", PYTHON, [LOCKS / "install.txt"], log=LOG)
    cards = [] if _install_cpu_torch() else [LOCKS / "cuda.txt"]
    wheel = provide_wheel(llama, python=PYTHON, log=LOG)
    _pip("Ставлю движок модели", "--force-reinstall", str(wheel))
    tests = [LOCKS / "test.txt"] if purpose == "test" else []
    install_locked("Ставлю остальные пакеты", PYTHON, [LOCKS / "run.txt", *tests, *cards], log=LOG)
    _pip("Ставлю Знайку", "--no-build-isolation", "--editable", str(ROOT))
    run_step("Проверяю, что всё на месте", [str(PYTHON), "-m", "pip", "check"], log=LOG)
    STAMP.write_text(f"{_digest()} {purpose}\n", encoding="utf-8")


def _install_cpu_torch() -> bool:
    """Install the build for processors: from PyTorch's own index, which uv knows, else from where pip looks, if there.

    False where neither has it: the general build, which is among the other packages, wants libraries of its own.
    """
    lock = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--requirement", str(LOCKS / "torch-cpu.txt")]
    by_uv = [str(PYTHON), "-m", "uv", "pip", "install", f"--python={PYTHON}", "--torch-backend=cpu", *lock]
    say("→ Ищу сборку PyTorch для процессора")
    if _works([*by_uv, "--dry-run"]):
        run_step("Ставлю PyTorch, сборка для процессора", by_uv, log=LOG)
        return True
    try:
        install_locked("Ставлю PyTorch из настроенного индекса пакетов", PYTHON, [LOCKS / "torch-cpu.txt"], log=LOG)
    except WrongFile:
        raise
    except StepFailed:
        say("  сборки для процессора там нет; беру общую, с библиотеками видеокарт: она больше")
        return False
    return True


def _works(argv: list[str]) -> bool:
    try:
        return subprocess.run(argv, capture_output=True, timeout=CPU_INDEX_PROBE_S, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _pip(title: str, *what: str) -> None:
    """Install what is on this disk already, and nothing else."""
    run_step(title, [str(PYTHON), "-m", "pip", "install", "--no-index", "--no-deps", *what], log=LOG)


def _has_pip() -> bool:
    return PYTHON.exists() and _works([str(PYTHON), "-m", "pip", "--version"])


def _is_current(purpose: str) -> bool:
    """A full set, made for the tests, also serves `run`."""
    if not (STAMP.exists() and PYTHON.exists()):
        return False
    digest, _, installed = STAMP.read_text(encoding="utf-8").strip().partition(" ")
    return digest == _digest() and installed in {purpose, "test"}


def _digest() -> str:
    parts = [path.read_bytes() for path in (ROOT / "pyproject.toml", *sorted(LOCKS.glob("*.txt")))]
    parts.append(f"{sys.version_info[:2]} {ROOT}".encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
