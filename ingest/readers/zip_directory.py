"""What a ZIP says of itself, before all of it is unpacked."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from ingest.encoding import decode_name
from ingest.reasons import damaged

_UTF8_FLAG = 0x800
_ENCRYPTED_FLAG = 0x1
_JUNK = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the archive. `name` is a label for people, never a path to write to."""

    info: zipfile.ZipInfo
    name: str
    size_bytes: int
    is_encrypted: bool


def open_zip(path: Path, kind: str = "архив ZIP") -> zipfile.ZipFile:
    """Open an archive; raises `UnreadableDocument` when its directory cannot be read, which names the file a `kind`."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as exc:
        raise damaged(kind) from exc
    if any(info.header_offset < 0 for info in archive.infolist()):  # bytes are lost before it: no member can be found
        archive.close()
        raise damaged(kind)
    return archive


def read_member(archive: zipfile.ZipFile, name: str, kind: str) -> bytes:
    """Unpack a small member; raises `UnreadableDocument` `damaged`, which says that the file is a `kind`."""
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError) as exc:
        raise damaged(kind) from exc


def entries(archive: zipfile.ZipFile) -> list[Entry]:
    """List the files, in order, without folders and what systems leave behind."""
    found = [
        Entry(info, _name(info), info.file_size, bool(info.flag_bits & _ENCRYPTED_FLAG))
        for info in archive.infolist()
        if not info.is_dir()
    ]
    return [entry for entry in found if not _is_junk(entry.name)]


def _name(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & _UTF8_FLAG:
        name = info.filename
    else:
        name = decode_name(info.filename.encode("cp437", errors="replace"))
    return name.replace("\\", "/").lstrip("/")


def _is_junk(name: str) -> bool:
    return name.startswith(_JUNK[0]) or name.rpartition("/")[2] in _JUNK or name.rpartition("/")[2].startswith("._")
