"""The wheel of llama-cpp-python: the index has only its source, so it is compiled once per processor and kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from locked import Entry, run_hashed
from machine import cache_dir, cpu_fingerprint
from steps import say

# Everything but the library itself is left out: 5 minutes on two cores instead of 16.
PARTS_LEFT_OUT = (
    "LLAVA_BUILD",
    *(f"LLAMA_BUILD_{part}" for part in ("TOOLS", "SERVER", "EXAMPLES", "TESTS", "COMMON")),
)
RECORD = "built.json"


def wheel_folder(version: str) -> Path:
    """Where the wheel for this version, this Python and this processor is kept."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return cache_dir() / "wheels" / f"llama-cpp-python-{version}-{python}-{cpu_fingerprint()}"


def kept_wheel(source: Entry) -> Path | None:
    """The wheel made earlier from this very source, if it is still the one that the compiler made."""
    folder = wheel_folder(source.version)
    wheel = next(iter(sorted(folder.glob("*.whl"))), None)
    if wheel is None:
        return None
    try:
        recorded = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return wheel if recorded == _record(wheel, source) else None


def provide_wheel(source: Entry, *, python: Path, log: Path) -> Path:
    """Return the kept wheel; compile the locked source when there is none or its SHA-256 is not the recorded one.

    Raises:
        StepFailed: the source was not the locked one, or the compiler gave up; the message holds its last words.
    """
    if kept := kept_wheel(source):
        return kept
    folder = wheel_folder(source.version)
    if folder.exists():
        say("Сохранённый пакет llama-cpp-python не тот, что был здесь собран: собираю заново.")
    made = folder.with_name(f"{folder.name}.{os.getpid()}")
    _compile(source, made, python, log)
    wheel = next(made.glob("*.whl"))
    (made / RECORD).write_text(json.dumps(_record(wheel, source)), encoding="utf-8")
    # Renamed when whole, so that an interrupted build is never taken for a wheel.
    shutil.rmtree(folder, ignore_errors=True)
    made.replace(folder)
    return folder / wheel.name


def _compile(source: Entry, made: Path, python: Path, log: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch) / "source.txt"
        wanted.write_text(source.text, encoding="utf-8")
        run_hashed(
            f"Собираю llama-cpp-python {source.version} под этот процессор (один раз, обычно 5–15 минут)",
            [*_pip_wheel(python), f"--wheel-dir={made}", "--requirement", str(wanted)],
            log=log,
            env=os.environ | _build_environment(python),
        )


def _pip_wheel(python: Path) -> list[str]:
    # pip keeps wheels it has built too, but does not ask which processor they were built for. Isolation would fetch
    # the build tools anew, whatever the index has; those of requirements/install.txt are there already.
    flags = ["--no-cache-dir", "--no-deps", "--require-hashes", "--no-build-isolation", "--verbose"]
    return [str(python), "-m", "pip", "wheel", *flags]


def _record(wheel: Path, source: Entry) -> dict[str, object]:
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"wheel": wheel.name, "sha256": digest, "source": sorted(source.hashes)}


def _build_environment(python: Path) -> dict[str, str]:
    flags = " ".join(f"-D{part}=OFF" for part in PARTS_LEFT_OUT)
    return {
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "CMAKE_ARGS": f"{os.environ.get('CMAKE_ARGS', '')} {flags}".strip(),
        "CMAKE_BUILD_PARALLEL_LEVEL": os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL") or str(os.cpu_count() or 1),
    }
