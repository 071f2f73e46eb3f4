"""DOC, RTF, ODT, PPT and their kin: LibreOffice turns them into DOCX, PPTX or XLSX, which our readers read."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import psutil

from core.errors import UnreadableDocument
from core.types import ParsedDocument
from ingest import media_type as mt
from ingest.child_end import End, wait_for_end
from ingest.limits import Limits
from ingest.ole import is_locked, is_ole
from ingest.readers import docx, pptx, spreadsheet
from ingest.readers.contract import OnProgress, Reader
from ingest.readers.zip_directory import open_zip, read_member
from ingest.reasons import password_protected, too_large_inside, too_much_memory, too_much_work, too_slow
from ingest.resource_limits import set_soft

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
    _check(path, limits)
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
    environment = {**os.environ, "TMPDIR": str(folder)}
    with _limited(limits) as file_max_bytes:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdin=_SILENT, stdout=_SILENT, stderr=_SILENT)
    try:
        end = wait_for_end(process, limits.timeout_s * _TIMEOUT_SHARE)
    except subprocess.TimeoutExpired as exc:
        raise too_slow(limits) from exc
    finally:
        _kill_tree(process)
    if any(path.lstat().st_size >= file_max_bytes for path in folder.rglob("*")):
        raise too_large_inside(replace(limits, archive_max_bytes=file_max_bytes))
    converted = folder / "out" / f"source.{route.target}"
    if not converted.is_file():
        raise _not_converted(end, route, limits)
    return converted


def _not_converted(end: End, route: _Route, limits: Limits) -> UnreadableDocument:
    if end.cpu_s >= limits.cpu_s:
        return too_much_work(limits)
    if end.is_full(limits.memory_bytes):
        return too_much_memory(limits)
    return UnreadableDocument(
        "not_converted",
        f"LibreOffice не смог открыть этот файл {route.suffix.upper()}: он повреждён, или на сервере не хватает "
        f"пакета {route.package}. Сохраните файл как {route.target.upper()} и загрузите снова.",
    )


def _check(path: Path, limits: Limits) -> None:
    """Refuse what LibreOffice would unpack without end, and what it would only call unreadable: a password locks it.

    Raises `UnreadableDocument`.
    """
    with path.open("rb") as file:
        head = file.read(8)
    if is_ole(head):
        if is_locked(path):
            raise password_protected()
    elif zipfile.is_zipfile(path):
        with open_zip(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > limits.archive_max_bytes:
                raise too_large_inside(limits)
            listed = _MANIFEST in archive.namelist()
            if listed and b"encryption-data" in read_member(archive, _MANIFEST, "документ OpenDocument"):
                raise password_protected()


@contextmanager
def _limited(limits: Limits) -> Iterator[int]:
    """Start a program within limits of its own: on what it holds and writes, as ours is, but not on addresses.

    LibreOffice reserves many of those and uses few. Gives the bytes that a file which it writes may have.
    """
    wanted = {
        resource.RLIMIT_AS: resource.RLIM_INFINITY,
        resource.RLIMIT_DATA: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.archive_max_bytes,
    }
    before = {kind: resource.getrlimit(kind) for kind in wanted}
    try:
        held = {kind: set_soft(kind, value) for kind, value in wanted.items()}
        yield held[resource.RLIMIT_FSIZE]
    finally:
        for kind, pair in before.items():
            resource.setrlimit(kind, pair)


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    """End the program with what it started. They stay in our process group, so that killing that ends them too."""
    if process.poll() is None:
        tree = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for member in tree:
            member.kill()
        process.wait()
