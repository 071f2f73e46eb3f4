"""What `make audit` makes of pip-audit's report. A stand-in says what the real one was seen to say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
SOUND = {"name": "rich", "version": "15.0", "vulns": []}
BAD = {"name": "jinja2", "version": "2.0", "vulns": [{"id": "PYSEC-2099-1", "fix_versions": ["3.1"]}]}
SKIPPED = {"name": "uv", "skip_reason": "Dependency not found on PyPI and could not be audited: uv (0.13.9)"}
PIP_AUDIT = """#!/bin/sh
for argument; do case $argument in --output=*) output=${argument#*=} ;; esac; done
echo "$@" > "$ARGUMENTS"
[ -n "$REPORT" ] && echo "$REPORT" > "$output"
echo "$STDERR" >&2
exit 1
"""


def audit(tmp_path: Path, packages: list[dict[str, Any]] | None, stderr: str = "") -> tuple[int, str]:
    """Run the audit with a stand-in that reports those packages, or nothing; return exit code and what was said."""
    python = tmp_path / "python"
    python.write_text(PIP_AUDIT)
    python.chmod(0o755)
    own = {
        "PYTHONPATH": str(SCRIPTS),
        "ARGUMENTS": str(tmp_path / "arguments"),
        "REPORT": "" if packages is None else json.dumps({"dependencies": packages}),
        "STDERR": stderr,
    }
    code = "import sys, pathlib, audit; sys.exit(audit.audit(pathlib.Path(sys.argv[1])))"
    argv = [sys.executable, "-S", "-c", code, python]
    done = subprocess.run(argv, capture_output=True, text=True, env=os.environ | own)
    return done.returncode, done.stdout


def test_every_lock_file_is_asked_about_without_resolving_anything(tmp_path: Path) -> None:
    assert audit(tmp_path, [SOUND]) == (
        0,
        "→ Спрашиваю об известных уязвимостях\nПроверено пакетов: 1. Известных уязвимостей нет.\n",
    )
    arguments = (tmp_path / "arguments").read_text()
    assert {"--disable-pip", "--require-hashes"} <= set(arguments.split())
    for lock in ("run", "test", "cuda", "install", "audit"):
        assert f"requirements/{lock}.txt" in arguments


@pytest.mark.parametrize("others", [[], [SKIPPED]])
def test_a_known_vulnerability_is_named_with_the_version_that_mends_it(
    tmp_path: Path, others: list[dict[str, Any]]
) -> None:
    code, said = audit(tmp_path, [SOUND, BAD, *others])

    assert code == 1
    assert "jinja2 2.0: PYSEC-2099-1, исправлено в версиях: 3.1" in said


def test_a_service_that_cannot_be_reached_is_one_sentence_and_a_code_of_its_own(tmp_path: Path) -> None:
    traceback = (
        "Traceback (most recent call last):\n  File ...\nrequests.exceptions.ConnectionError: HTTPSConnectionPool("
    )
    code, said = audit(tmp_path, None, stderr=f"{traceback}host='api.osv.dev', port=443): Max retries exceeded")

    assert code == 3
    assert said.splitlines()[1:] == [
        "Ничего не проверено: служба сведений об уязвимостях (api.osv.dev) недоступна. "
        "Проверьте выход в сеть и повторите."
    ]


@pytest.mark.parametrize("packages", [[SKIPPED], [SOUND, SKIPPED], []])
def test_packages_that_the_service_passed_over_are_not_called_sound(
    tmp_path: Path, packages: list[dict[str, Any]]
) -> None:
    code, said = audit(tmp_path, packages)

    assert code == 3
    assert "Не проверено пакетов" in said
    assert "уязвимостей нет" not in said
    assert all(package["name"] in said for package in packages if "skip_reason" in package)


def test_another_failure_is_not_blamed_on_the_network(tmp_path: Path) -> None:
    code, said = audit(tmp_path, None, stderr="pip-audit: error: unrecognized arguments: --typo")

    assert code == 3
    assert "недоступна" not in said
    assert "--typo" in said
