"""The proxy of the containers on this machine: a real nginx with the configuration that is shipped."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.service import free_ports

CONFIGURATION = Path(__file__).resolve().parent.parent / "docker" / "nginx.conf"
IS_THERE = shutil.which("nginx") is not None


@contextmanager
def proxy(folder: Path, *, api: str, ui: str, changes: Mapping[str, str] | None = None) -> Iterator[str]:
    """Serve until the block ends; yield the address. `changes` is what an owner would edit in the file."""
    (port,) = free_ports(1)
    here = {
        "/tmp/": f"{folder}/",
        "/dev/stderr": f"{folder}/error.log",
        "http://api:8000": api,
        "http://ui:8501": ui,
        "listen 8080": f"listen 127.0.0.1:{port}",
    }
    text = CONFIGURATION.read_text(encoding="utf-8")
    for original, changed in (here | dict(changes or {})).items():
        assert original in text
        text = text.replace(original, changed)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    nginx = subprocess.Popen(
        ["nginx", "-c", str(folder / "nginx.conf"), "-g", "daemon off;"], stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, nginx)
        yield url
    finally:
        nginx.terminate()
        nginx.wait()


def _wait(url: str, nginx: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        assert nginx.poll() is None, "nginx ended"
        with suppress(httpx.HTTPError):
            httpx.get(f"{url}/metrics", trust_env=False)
            return
        assert time.monotonic() < deadline, "nginx does not answer"
        time.sleep(0.05)
