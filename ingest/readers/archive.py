"""ZIP archives: every file inside that we can read, each under its own name."""

from __future__ import annotations

import lzma
import tempfile
import zipfile
import zlib
from pathlib import Path

from core.errors import UnreadableDocument
from core.types import ParsedDocument
from ingest.limits import Limits
from ingest.media_type import ZIP
from ingest.readers.contract import OnProgress
from ingest.readers.members import Members
from ingest.readers.zip_directory import Entry, entries, open_zip
from ingest.reasons import password_protected

_BLOCK_BYTES = 2**20
_DAMAGED = "повреждён в архиве"


def read(path: Path, limits: Limits, on_progress: OnProgress) -> ParsedDocument:
    """Give the members' pages; a member that cannot be read is named in the document's problem.

    The sizes that the archive declares are checked before anything is unpacked, and kept to while unpacking.
    """
    members = Members(limits)
    with open_zip(path) as archive, tempfile.TemporaryDirectory(prefix="archive-") as folder:
        inside = entries(archive)
        _check(inside)
        members.spend(len(inside), sum(entry.size_bytes for entry in inside))
        for done, entry in enumerate(inside, 1):
            _add(archive, entry, Path(folder), members)
            on_progress(done, len(inside))
    return members.document(ZIP)


def _check(inside: list[Entry]) -> None:
    if not inside:
        raise UnreadableDocument("empty_archive", "В архиве нет ни одного файла. Проверьте, что он собран полностью.")
    if all(entry.is_encrypted for entry in inside):
        raise password_protected()


def _add(archive: zipfile.ZipFile, entry: Entry, folder: Path, members: Members) -> None:
    """Unpack one file under a name of ours, whatever its own says, and read it."""
    if entry.is_encrypted:
        members.fail(entry.name, "защищён паролем")
        return
    target = folder / "member"
    try:
        with archive.open(entry.info) as source, target.open("wb") as copy:
            left = entry.size_bytes
            while block := source.read(min(_BLOCK_BYTES, left)):
                left -= copy.write(block)
    except OSError as exc:
        if exc.errno is not None:  # the disk's; bzip2 tells of damage without a number
            raise
        members.fail(entry.name, _DAMAGED)
        return
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError):
        members.fail(entry.name, _DAMAGED)
        return
    members.add(entry.name, target)
    target.unlink()
