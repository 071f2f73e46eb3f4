"""DOC, RTF, ODT, PPT and their kin: LibreOffice turns them into DOCX, PPTX or XLSX, which our readers read."""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psutil

from core.errors import UnreadableDocument
from core.types import ParsedDocument
from ingest import media_type as mt
from ingest.limits import Limits
from ingest.ole import is_locked, is_ole
from ingest.readers import docx, pptx, spreadsheet
from ingest.readers.contract import OnProgress, Reader
from ingest.reasons import password_protected, too_slow

_NAMES = ("soffice", "libreoffice")
_SILENT = subprocess.DEVNULL
_MANIFEST = "META-INF/manifest.xml"
_TIMEOUT_SHARE = 0.8
# A document may not run macros, nor make LibreOffice fetch what it links to, from the network or from our disk.
_SETTING = (
    '<item oor:path="/org.openoffice.Office.{0}"><prop oor:name="{1}" oor:op="fuse"><value>{2}</value></prop></item>'
)
_PROFILE = (
    '<?xml version="1.0" encoding="UTF-8"?><oor:items xmlns:oor="http://openoffice.org/2001/registry">'
    + _SETTING.format("Common/Security/Scripting", "DisableMacrosExecution", "true")
    + _SETTING.format("Common/Security/Scripting", "BlockUntrustedRefererLinks", "true")
    + _SETTING.format("Writer/Content/Update", "Link", "2")
    + _SETTING.format("Calc/Content/Update", "Link", "2")
    + "</oor:items>"
)


@dataclass(frozen=True, slots=True)
class _Route:
    """What LibreOffice makes of a type, who reads that, and what it needs installed."""

    suffix: str
    target: str
    reader: Reader
    package: str


_WORD = ("docx", docx.read, "libreoffice-writer")
_SLIDES = ("pptx", pptx.read, "libreoffice-impress")
_ROUTES = MappingProxyType(
    {
        mt.DOC: _Route("doc", *_WORD),
        mt.RTF: _Route("rtf", *_WORD),
        mt.ODT: _Route("odt", *_WORD),
        mt.PPT: _Route("ppt", *_SLIDES),
        mt.ODP: _Route("odp", *_SLIDES),
        mt.ODS: _Route("ods", "xlsx", spreadsheet.read, "libreoffice-calc"),
    }
)


def read(path: Path, limits: Limits, on_progress: OnProgress) -> ParsedDocument:
    """Convert, then read; raises `UnreadableDocument` `needs_libreoffice` where it is not installed."""
    route = _ROUTES[mt.detect(path, path.name)]
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        raise UnreadableDocument(
            "needs_libreoffice",
            f"Для файлов {route.suffix.upper()} на сервере нужен LibreOffice: установите пакет {route.package} "
            f"(apt install {route.package}) и загрузите файл снова или сохраните его как {route.target.upper()}.",
        )
    if _is_locked(path):
        raise password_protected()
    with tempfile.TemporaryDirectory(prefix="office-") as folder:
        converted = _converted(program, path, route, Path(folder), limits)
        return route.reader(converted, limits, on_progress)


def _converted(program: str, path: Path, route: _Route, folder: Path, limits: Limits) -> Path:
    """Run LibreOffice with a profile of its own, so that runs do not meet."""
    settings = folder / "profile" / "user" / "registrymodifications.xcu"
    settings.parent.mkdir(parents=True)
    settings.write_text(_PROFILE, encoding="utf-8")
    source = folder / f"source.{route.suffix}"
    source.symlink_to(path.absolute())
    command = [program, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless", "--norestore"]
    command += ["--convert-to", route.target, "--outdir", str(folder / "out"), str(source)]
    with _memory_unlimited():
        process = subprocess.Popen(command, cwd=folder, stdin=_SILENT, stdout=_SILENT, stderr=_SILENT)
    try:
        process.wait(timeout=limits.timeout_s * _TIMEOUT_SHARE)
    except subprocess.TimeoutExpired as exc:
        raise too_slow(limits) from exc
    finally:
        _kill_tree(process)
    converted = folder / "out" / f"source.{route.target}"
    if not converted.is_file():
        raise UnreadableDocument(
            "not_converted",
            f"LibreOffice не смог открыть этот файл {route.suffix.upper()}: он повреждён, или на сервере не хватает "
            f"пакета {route.package}. Сохраните файл как {route.target.upper()} и загрузите снова.",
        )
    return converted


def _is_locked(path: Path) -> bool:
    """Whether a password locks the file; LibreOffice would only say that it cannot load it."""
    with path.open("rb") as file:
        head = file.read(8)
    if is_ole(head):
        return is_locked(path)
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return _MANIFEST in archive.namelist() and b"encryption-data" in archive.read(_MANIFEST)


@contextmanager
def _memory_unlimited() -> Iterator[None]:
    """Let a program start without our own limit on addresses, of which LibreOffice reserves many and uses few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    """End the program with what it started. They stay in our process group, so that killing that ends them too."""
    if process.poll() is None:
        tree = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for member in tree:
            member.kill()
        process.wait()
