"""Make `.venv` hold exactly what pyproject.toml and constraints.txt say; do nothing when it does already.

Usage: python scripts/install.py run|test. Standard library only.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import venv
from pathlib import Path

from llama_wheel import kept_wheel, provide_wheel
from machine import FREE_DISK_GB, Missing, cache_dir, require_compiler, require_disk, require_venv
from steps import StepFailed, run_step, say

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "znayka.stamp"
LOG = VENV / "install.log"
CPU_INDEX_PROBE_S = 30


def main() -> int:
    """Install for the purpose named on the command line; return the exit code."""
    purpose = sys.argv[1]
    if _is_current(purpose):
        return 0
    try:
        _install(purpose)
    except (Missing, StepFailed) as exc:
        say(str(exc))
        return 1
    except KeyboardInterrupt:
        say("Установка прервана; следующий запуск продолжит её.")
        return 130
    return 0


def _install(purpose: str) -> None:
    say("Готовлю окружение. В первый раз это занимает 10–20 минут, потом секунды.")
    require_venv()
    require_disk(ROOT, FREE_DISK_GB)
    require_disk(cache_dir(), 1.0)
    llama = _pinned("llama_cpp_python")
    if kept_wheel(llama) is None:
        require_compiler()
    STAMP.unlink(missing_ok=True)
    if not _has_pip():
        say("→ Создаю виртуальное окружение .venv")
        venv.create(VENV, with_pip=True, clear=True)
    _install_torch(_pinned("torch"))
    wheel = provide_wheel(llama, python=PYTHON, log=LOG)
    _pip("Ставлю движок модели", str(wheel))
    extra = "[test]" if purpose == "test" else ""
    _pip("Ставлю остальные пакеты", "--editable", f"{ROOT}{extra}")
    STAMP.write_text(f"{_digest()} {purpose}\n", encoding="utf-8")


def _install_torch(version: str) -> None:
    """Install the CPU build: the one of PyTorch's own index, which uv knows, else whatever pip is set up to find."""
    _pip("Ставлю установщик uv", "uv")
    wanted = [
        str(PYTHON),
        "-m",
        "uv",
        "pip",
        "install",
        f"--python={PYTHON}",
        "--torch-backend=cpu",
        f"torch=={version}",
    ]
    say("→ Ищу сборку PyTorch для процессора")
    if _works([*wanted, "--dry-run"]):
        run_step("Ставлю PyTorch, сборка для процессора", wanted, log=LOG)
    else:
        _pip("Ставлю PyTorch из настроенного индекса пакетов", f"torch=={version}")


def _works(argv: list[str]) -> bool:
    try:
        return subprocess.run(argv, capture_output=True, timeout=CPU_INDEX_PROBE_S, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _pip(title: str, *packages: str) -> None:
    constraints = ROOT / "constraints.txt"
    run_step(title, [str(PYTHON), "-m", "pip", "install", f"--constraint={constraints}", *packages], log=LOG)


def _has_pip() -> bool:
    return PYTHON.exists() and _works([str(PYTHON), "-m", "pip", "--version"])


def _pinned(package: str) -> str:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(package)}==(\S+)$", text, re.MULTILINE | re.IGNORECASE)
    if found is None:
        raise Missing(f"В constraints.txt нет версии пакета {package}: восстановите файл из репозитория.")
    return found[1]


def _is_current(purpose: str) -> bool:
    """A full set, made for the tests, also serves `run`."""
    if not (STAMP.exists() and PYTHON.exists()):
        return False
    digest, _, installed = STAMP.read_text(encoding="utf-8").strip().partition(" ")
    return digest == _digest() and installed in {purpose, "test"}


def _digest() -> str:
    parts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    parts.append(f"{sys.version_info[:2]} {ROOT}".encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
