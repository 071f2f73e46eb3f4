"""Look every locked package up among the known vulnerabilities, with pip-audit in a throw-away environment.

Usage: python scripts/audit.py [options of pip-audit]. Exit code 0: each was looked up and nothing is known;
1: something is known; 3: not all could be looked up, so nothing is proved. Standard library only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from locked import LOCKS, install_locked
from machine import Missing, cache_dir, require_venv
from steps import StepFailed, say

# torch-cpu.txt is not asked about: no service knows builds by their suffix, and run.txt has the version.
AUDITED = ("run", "test", "cuda", "install", "audit")
VULNERABLE = 1
NOT_LOOKED_UP = 3
UNREACHABLE = re.compile(r"(Connect|Read)Timeout|ConnectionError|HTTPError|ServiceError|Max retries exceeded")


def main() -> int:
    """Install pip-audit as its lock file says, ask, and return the exit code."""
    try:
        require_venv()
        with tempfile.TemporaryDirectory() as scratch:
            venv.create(scratch, with_pip=True)
            python = Path(scratch) / "bin" / "python"
            install_locked("Ставлю pip-audit", python, [LOCKS / "audit.txt"], log=cache_dir() / "audit.log")
            return audit(python, sys.argv[1:])
    except (Missing, StepFailed) as exc:
        say(str(exc))
        return NOT_LOOKED_UP


def audit(python: Path, options: Sequence[str] = ()) -> int:
    """Ask about all lock files with the pip-audit that `python` has; say what came of it and return the exit code."""
    files = [f"--requirement={LOCKS / f'{name}.txt'}" for name in AUDITED]
    flags = ["--disable-pip", "--require-hashes", "--progress-spinner=off", "--vulnerability-service=osv"]
    say("→ Спрашиваю об известных уязвимостях")
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        output = ["--format=json", f"--output={report}"]
        argv = [str(python), "-m", "pip_audit", *flags, *files, *options, *output]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if report.exists():
            return _judge(json.loads(report.read_text(encoding="utf-8"))["dependencies"])
    say(_failure(done.stderr))
    return NOT_LOOKED_UP


def _judge(packages: Sequence[dict[str, Any]]) -> int:
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    found = [(package, known) for package in packages for known in package.get("vulns", ())]
    for package, known in found:
        mended = ", ".join(known["fix_versions"]) or "нет"
        say(f"{package['name']} {package['version']}: {known['id']}, исправлено в версиях: {mended}")
    if skipped or not packages:
        # pip-audit itself calls that a success: a mirror that has no such page answers 404 for everything.
        names = ", ".join(skipped) or "–"
        say(f"Не проверено пакетов: {len(skipped)} из {len(packages)}, служба о них не знает: {names}")
    if found:
        say(f"Известных уязвимостей: {len(found)}. Обновите пакеты: make lock ARGS=--upgrade")
        return VULNERABLE
    if skipped or not packages:
        return NOT_LOOKED_UP
    say(f"Проверено пакетов: {len(packages)}. Известных уязвимостей нет.")
    return 0


def _failure(said: str) -> str:
    last = said.strip().rpartition("\n")[2]
    if UNREACHABLE.search(last):
        host = re.search(r"host='([^']+)'", last)
        service = f"служба сведений об уязвимостях{f' ({host[1]})' if host else ''}"
        return f"Ничего не проверено: {service} недоступна. Проверьте выход в сеть и повторите."
    return f"Ничего не проверено: pip-audit не справился: {last}"


if __name__ == "__main__":
    sys.exit(main())
