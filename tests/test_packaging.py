"""The set-up scripts and the container files, as far as they can be tried without a network or Docker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
OURS = ("api", "worker", "llm", "ui")


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code as the set-up scripts run: without the packages of the service."""
    return subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=SCRIPTS,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SCRIPTS), "PATH": os.environ["PATH"], "HOME": "/nonexistent"} | environment,
    )


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))


def test_a_python_that_is_too_old_is_one_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo 'Python 3.9.2' && exit 0\nexit 1\n")
    old.chmod(0o755)
    refused = subprocess.run(["sh", SCRIPTS / "setup.sh", old, "run"], capture_output=True, text=True)

    assert refused.returncode == 1
    assert re.fullmatch(r"Нужен Python 3\.11 .*Python 3\.9\.2.*\n", refused.stderr)


def test_absent_build_tools_are_named_with_the_package_that_has_them(tmp_path: Path) -> None:
    (tmp_path / "gcc").write_text("#!/bin/sh\n")
    (tmp_path / "gcc").chmod(0o755)
    code = "import machine\ntry: machine.require_compiler()\nexcept machine.Missing as exc: print(exc)"
    said = python(code, PATH=str(tmp_path)).stdout

    assert "g++, cmake, make" in said
    assert "apt install" in said


def test_a_small_disk_is_one_sentence_with_both_numbers(tmp_path: Path) -> None:
    code = (
        "import machine, pathlib\n"
        f"try: machine.require_disk(pathlib.Path({str(tmp_path / 'not' / 'yet')!r}), 10**9)\n"
        "except machine.Missing as exc: print(exc)"
    )
    said = python(code).stdout

    assert str(tmp_path) in said
    assert "1000000000 ГБ" in said


def test_a_wheel_is_kept_apart_for_each_processor_python_and_version(tmp_path: Path) -> None:
    code = "import llama_wheel; print(llama_wheel.wheel_folder('1.2.3').name)"
    name = python(code, ZNAYKA_CACHE_DIR=str(tmp_path)).stdout.strip()

    assert re.fullmatch(rf"llama-cpp-python-1\.2\.3-cp{sys.version_info[0]}{sys.version_info[1]}-[0-9a-f]{{8}}", name)


def test_a_failed_step_shows_the_end_of_what_it_said_and_where_the_rest_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "import sys, pathlib, steps\n"
        "program = 'for n in range(100): print(n, flush=True)\\nraise SystemExit(\"no such package\")'\n"
        f"try: steps.run_step('Ставлю', [sys.executable, '-c', program], log=pathlib.Path({str(log)!r}))\n"
        "except steps.StepFailed as exc: print(exc)"
    )
    said = python(code).stdout

    assert "no such package" in said
    assert str(log) in said
    assert "\n42\n" not in said
    assert "\n42\n" in log.read_text()


def test_every_container_of_ours_is_bounded_and_without_rights(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert "ports" not in service or name == "proxy", name
    assert "USER znayka" in (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")


def test_the_image_and_ci_install_by_the_script_that_checks_hashes() -> None:
    built = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    kept_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()

    assert "RUN sh scripts/setup.sh python3 run" in built
    assert not {"requirements", "scripts", "pyproject.toml"} & set(kept_out)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r'^test:.*\n\t@sh scripts/setup\.sh "\$\(PYTHON\)" test\n', makefile, re.MULTILINE)
    for recipe in (built, makefile, (ROOT / ".ci" / "run").read_text(encoding="utf-8")):
        assert not re.search(r"pip3? install|uv pip", recipe)


def test_every_container_that_listens_is_asked_whether_it_can_work(compose: dict[str, Any]) -> None:
    assert {name for name, service in compose["services"].items() if "healthcheck" in service} >= {
        "api",
        "llm",
        "ui",
        "proxy",
    }


def test_the_containers_start_the_programs_that_exist(compose: dict[str, Any]) -> None:
    for name in OURS:
        program, flag, module = compose["services"][name]["command"]
        path = ROOT / module.replace(".", "/")
        assert (program, flag) == ("python", "-m")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_the_containers_use_only_settings_that_exist(compose: dict[str, Any]) -> None:
    table = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for service in compose["services"].values():
        for variable in service.get("environment", {}):
            assert f"`{variable}`" in table


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="needs docker-compose")
def test_compose_accepts_the_file_and_demands_the_key() -> None:
    command = ["docker-compose", "config", "--quiet"]
    environment = {name: value for name, value in os.environ.items() if name != "ZNAYKA_UI_API_KEY"}

    accepted = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=environment | {"ZNAYKA_UI_API_KEY": "k" * 40}
    )
    assert accepted.returncode == 0, accepted.stderr
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert refused.returncode != 0
    assert "openssl rand -hex 32" in refused.stderr


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_follows_the_status(status: int, code: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/ready"
        checked = subprocess.run([sys.executable, ROOT / "docker" / "healthcheck.py", url], capture_output=True)

    assert checked.returncode == code
