"""What the machine must have before anything is installed. Standard library only."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path

FREE_DISK_GB = 6.0


class Missing(Exception):
    """Something the installation needs is absent; the message is one Russian sentence that says how to get it."""


def cache_dir() -> Path:
    """Folder for what can be made again; the same setting as the service's own."""
    return Path(os.environ.get("ZNAYKA_CACHE_DIR") or Path.home() / ".cache" / "znayka")


def cpu_fingerprint() -> str:
    """Eight hex digits naming this processor's instruction sets, so that a native build stays at home."""
    flags = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        flags = next((line.partition(":")[2] for line in lines if line.lower().startswith(("flags", "features"))), "")
    described = " ".join([platform.machine(), *sorted(flags.split())])
    return hashlib.sha256(described.encode()).hexdigest()[:8]


def require_venv() -> None:
    """Raise `Missing` where Debian ships Python without the parts that make virtual environments."""
    if importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise Missing(f"Python не умеет создавать окружения: установите пакет python{version}-venv и повторите.")


def require_compiler() -> None:
    """Raise `Missing` that names every absent build tool."""
    tools = {"gcc": ("gcc", "cc", "clang"), "g++": ("g++", "c++", "clang++"), "cmake": ("cmake",), "make": ("make",)}
    absent = [name for name, variants in tools.items() if not any(map(shutil.which, variants))]
    if absent:
        raise Missing(
            f"Для сборки модели не хватает программ: {', '.join(absent)}. "
            "Установите их (Debian: apt install build-essential cmake) и повторите."
        )


def require_disk(folder: Path, gigabytes: float) -> None:
    """Raise `Missing` when `folder`, or the nearest existing parent of it, has less free space than that."""
    existing = next(parent for parent in [folder, *folder.parents] if parent.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if free < gigabytes:
        raise Missing(
            f"На диске с папкой {existing} свободно {free:.1f} ГБ, а нужно {gigabytes:.0f} ГБ: "
            "освободите место и повторите."
        )
