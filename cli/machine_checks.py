"""What the machine offers: processor, memory, disk, and the programs that some documents need."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import psutil

from cli.console import size
from cli.finding import Finding, error, ok, warning

OLDEST_PYTHON = (3, 11)
COMFORTABLE_DISK_BYTES = 5 * 10**9
PROGRAM_TIMEOUT_S = 15.0


def check_python() -> Finding:
    """The interpreter is new enough and 64-bit."""
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < OLDEST_PYTHON or sys.maxsize < 2**32:
        return error("Python", found, "нужен 64-битный Python 3.11 или новее")
    return ok("Python", found)


def check_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> Finding:
    """The instruction sets that the model and the encoder are quick with."""
    text = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.exists() else ""
    flags = {flag for line in text.splitlines() if line.startswith("flags") for flag in line.partition(":")[2].split()}
    cores = f"ядер: {psutil.cpu_count(logical=False) or psutil.cpu_count()}"
    if not flags:
        return ok("Процессор", f"{platform.machine()}, {cores}")
    if "avx2" not in flags:
        return warning("Процессор", f"нет AVX2, {cores}", "ответы будут медленными: возьмите процессор новее 2015 года")
    if not flags & {"avx512_vnni", "avx_vnni"}:
        return warning("Процессор", f"AVX2, без VNNI, {cores}", "загрузка документов медленнее, чем могла бы быть")
    return ok("Процессор", f"AVX2 и VNNI, {cores}")


def check_disk(folder: Path, reserve_bytes: int) -> Finding:
    """Room for uploads in the data folder's file system."""
    existing = next(parent for parent in [folder.absolute(), *folder.absolute().parents] if parent.exists())
    free = shutil.disk_usage(existing).free
    detail = f"свободно {size(free)} ({existing})"
    if free <= reserve_bytes:
        return error("Диск", detail, f"загрузка остановлена: освободите больше {size(reserve_bytes)}")
    if free < COMFORTABLE_DISK_BYTES:
        return warning("Диск", detail, "места хватит ненадолго: освободите несколько гигабайт")
    return ok("Диск", detail)


def check_libreoffice() -> Finding:
    """Needed for DOC, ODT, RTF, PPT."""
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program is None:
        packages = "libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui"
        return warning("LibreOffice", "не найден: DOC, ODT, RTF и PPT не читаются", f"apt install {packages}")
    return ok("LibreOffice", program)


def check_tesseract() -> Finding:
    """Needed for scans and for pages whose text layer is broken."""
    remedy = "apt install tesseract-ocr tesseract-ocr-rus tesseract-ocr-osd"
    if shutil.which("tesseract") is None:
        return warning("Tesseract", "не найден: сканы не распознаются", remedy)
    languages = set(_output(["tesseract", "--list-langs"]).split())
    if "rus" not in languages:
        return warning("Tesseract", "нет русского языка: сканы не распознаются", remedy)
    if "osd" not in languages:
        return warning("Tesseract", "нет данных osd: повёрнутые страницы не распознаются", remedy)
    return ok("Tesseract", "русский язык есть")


def check_chromium() -> Finding:
    """Only the browser tests need it."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        return ok("Chromium", "не найден; нужен только для тестов страницы (apt install chromium)")
    return ok("Chromium", program)


def _output(argv: list[str]) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
