"""The wheel of llama-cpp-python: the index has only its source, so it is compiled once per processor and kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from machine import cache_dir, cpu_fingerprint
from steps import run_step

# Everything but the library itself is left out: 5 minutes on two cores instead of 16.
PARTS_LEFT_OUT = (
    "LLAVA_BUILD",
    *(f"LLAMA_BUILD_{part}" for part in ("TOOLS", "SERVER", "EXAMPLES", "TESTS", "COMMON")),
)


def wheel_folder(version: str) -> Path:
    """Where the wheel for this version, this Python and this processor is kept."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return cache_dir() / "wheels" / f"llama-cpp-python-{version}-{python}-{cpu_fingerprint()}"


def kept_wheel(version: str) -> Path | None:
    """The wheel made earlier, if there is one."""
    return next(iter(sorted(wheel_folder(version).glob("*.whl"))), None)


def provide_wheel(version: str, *, python: Path, log: Path) -> Path:
    """Return the kept wheel; compile it first when there is none.

    Raises:
        StepFailed: the compiler gave up; the message holds its last words.
    """
    folder = wheel_folder(version)
    if kept := kept_wheel(version):
        return kept
    made = folder.with_name(f"{folder.name}.{os.getpid()}")
    run_step(
        f"Собираю llama-cpp-python {version} под этот процессор (один раз, обычно 5–15 минут)",
        [*_pip_wheel(python), f"--wheel-dir={made}", f"llama-cpp-python=={version}"],
        log=log,
        env=os.environ | _build_environment(),
    )
    # Renamed when whole, so that an interrupted build is never taken for a wheel.
    made.replace(folder)
    return next(folder.glob("*.whl"))


def _pip_wheel(python: Path) -> list[str]:
    # pip keeps wheels it has built too, but does not ask which processor they were built for.
    return [str(python), "-m", "pip", "wheel", "--no-cache-dir", "--no-deps", "--verbose"]


def _build_environment() -> dict[str, str]:
    flags = " ".join(f"-D{part}=OFF" for part in PARTS_LEFT_OUT)
    return {
        "CMAKE_ARGS": f"{os.environ.get('CMAKE_ARGS', '')} {flags}".strip(),
        "CMAKE_BUILD_PARALLEL_LEVEL": os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL") or str(os.cpu_count() or 1),
    }
