"""The install step takes files with the locked SHA-256 alone. Real pip, a wheel made here, indexes on this machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
WHEEL = "greeting-1.0-py3-none-any.whl"
INSTALL = """
import sys, pathlib, locked, steps
lock, log = map(pathlib.Path, sys.argv[1:])
try: locked.install_locked("Ставлю", pathlib.Path(sys.executable), [lock], log=log)
except steps.StepFailed as exc: sys.exit(f"{type(exc).__name__}: {exc}")
"""


def make_wheel(folder: Path, said: str = "hello") -> str:
    """Write a wheel of one module; return its SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    described = {
        "greeting.py": f"said = {said!r}\n",
        "greeting-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
        "greeting-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "greeting-1.0.dist-info/RECORD": "greeting.py,,\ngreeting-1.0.dist-info/RECORD,,\n",
    }
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        for name, text in described.items():
            wheel.writestr(name, text)
    return hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()


def lock(tmp_path: Path, *digests: str) -> Path:
    path = tmp_path / "lock.txt"
    path.write_text(" \\\n".join(["greeting==1.0", *(f"    --hash=sha256:{digest}" for digest in digests)]) + "\n")
    return path


def install(tmp_path: Path, locked: Path, **where: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Install as scripts/install.py does, but into a folder of the test's own; return the outcome and the module."""
    target = tmp_path / "target"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    own = {"PIP_CONFIG_FILE": os.devnull, "PIP_TARGET": str(target), "PIP_NO_CACHE_DIR": "1", "NO_PROXY": "*"}
    done = subprocess.run(
        [sys.executable, "-c", INSTALL, locked, tmp_path / "log"],
        capture_output=True,
        text=True,
        env=environment | own | where | {"PYTHONPATH": str(SCRIPTS)},
    )
    return done, target / "greeting.py"


@contextmanager
def index(folder: Path, name: str) -> Iterator[dict[str, str]]:
    """Serve the wheel as a package index under that host name; yield what points pip there."""
    page = folder / "simple" / "greeting"
    page.mkdir(parents=True)
    (page / "index.html").write_text(f'<a href="/{WHEEL}">{WHEEL}</a>')
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield {"PIP_INDEX_URL": f"http://{name}:{server.server_port}/simple", "PIP_TRUSTED_HOST": name}
        server.shutdown()


def test_a_wheel_that_was_changed_after_it_was_locked_is_refused_by_name_and_nothing_of_it_lands(
    tmp_path: Path,
) -> None:
    locked = lock(tmp_path, make_wheel(tmp_path / "wheels"))
    where = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels")}
    make_wheel(tmp_path / "wheels", said="goodbye")

    refused, module = install(tmp_path, locked, **where)
    assert refused.returncode == 1
    assert refused.stderr.startswith("WrongFile: Установка остановлена: получен не тот файл")
    assert "greeting==1.0" in refused.stderr
    assert not module.exists()

    accepted, module = install(tmp_path, lock(tmp_path, make_wheel(tmp_path / "wheels")), **where)
    assert accepted.returncode == 0, accepted.stderr
    assert module.read_text() == "said = 'hello'\n"


def test_a_lock_without_hashes_is_refused(tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels")
    refused, module = install(tmp_path, lock(tmp_path), PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path / "wheels"))

    assert refused.returncode == 1
    assert "Hashes are required in --require-hashes mode" in refused.stderr
    assert not module.exists()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_one_lock_serves_indexes_of_any_name(tmp_path: Path, name: str) -> None:
    locked = lock(tmp_path, make_wheel(tmp_path / "index"), "0" * 64)
    with index(tmp_path / "index", name) as where:
        accepted, module = install(tmp_path, locked, **where)

    assert accepted.returncode == 0, accepted.stderr
    assert module.exists()


def test_an_index_that_gives_another_file_under_the_same_name_is_refused(tmp_path: Path) -> None:
    locked = lock(tmp_path, make_wheel(tmp_path / "index"))
    make_wheel(tmp_path / "index", said="goodbye")
    with index(tmp_path / "index", "127.0.0.1") as where:
        refused, module = install(tmp_path, locked, **where)

    assert refused.stderr.startswith("WrongFile: ")
    assert where["PIP_INDEX_URL"].removesuffix("/simple") in refused.stderr
    assert not module.exists()
