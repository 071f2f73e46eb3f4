"""Small libraries in C that stand between a real process and its kernel: built here, loaded by LD_PRELOAD."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def preloaded(source: str, folder: Path) -> dict[str, str]:
    """Build `tests/<source>` into `folder`; return the environment that loads it. Skips where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip(f"{source} needs a C compiler")
    library = folder / f"{Path(source).stem}.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, TESTS / source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}
