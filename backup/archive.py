"""A plain tar file of regular files, which any tar program opens, written and read without `TarFile`.

Links, devices, sparse files, long names and records of other dialects never get as far as being refused one by
one: a header counts only if it is, byte for byte, the one that is written here for such a name and size.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO

from core import faults
from core.errors import Misconfigured

BLOCK = tarfile.BLOCKSIZE
PIECE_BYTES = 2**20
END = bytes(2 * BLOCK)
_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_NAME = re.compile(rf"(?=.{{1,100}}\Z){_PART}(/{_PART})*")


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive; its bytes begin at `offset`."""

    name: str
    size_bytes: int
    offset: int


def damaged(what: str) -> Misconfigured:
    """The one error for an archive that is not what was written."""
    return Misconfigured("backup_damaged", f"Резервная копия повреждена: {what}. Возьмите другую копию.")


@dataclass(slots=True)
class Writer:
    """Appends files to `archive`, an empty one that can be sought; `sums` are their SHA-256, by name in order.

    `advance` is told how many bytes came with each piece. `moment` stands in the headers as the files' time.
    """

    archive: IO[bytes]
    moment: int
    advance: Callable[[int], None]
    sums: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, source: IO[bytes], size_bytes: int, *, expected: str | None = None) -> bool:
        """Append `size_bytes` of `source`; False, and nothing appended, when they are fewer or not the `expected`."""
        begin, digest, left = self.archive.tell(), hashlib.sha256(), size_bytes
        self._write(_header(name, size_bytes, self.moment))
        while left and (piece := source.read(min(PIECE_BYTES, left))):
            self._write(piece)
            digest.update(piece)
            self.advance(len(piece))
            left -= len(piece)
        if left or expected not in (None, digest.hexdigest()):
            self.archive.seek(begin)
            self.archive.truncate()
            return False
        self._write(bytes(-size_bytes % BLOCK))
        self.sums[name] = digest.hexdigest()
        return True

    def finish(self) -> None:
        """Close the sequence; nothing may be added afterwards."""
        self._write(END)

    def _write(self, piece: bytes) -> None:
        faults.write()
        self.archive.write(piece)


def members(archive: IO[bytes]) -> Iterator[Member]:
    """Walk over the members in their order.

    Raises `Misconfigured` that names the place, for anything that `Writer` does not write.
    """
    size_bytes, offset, known, last = archive.seek(0, 2), 0, set[str](), "начало файла"
    while True:
        archive.seek(offset)
        block = archive.read(BLOCK)
        if block == bytes(BLOCK):
            break
        member = _member(block, offset + BLOCK, last)
        if member.name in known:
            raise damaged(f"«{member.name}» в ней дважды")
        if member.offset + member.size_bytes > size_bytes:
            raise damaged(f"она обрывается на «{member.name}»")
        yield member
        known.add(member.name)
        last, offset = f"«{member.name}»", _end(archive, member)
    if block + archive.read() != END:
        raise damaged(f"после {last} лишние данные или нет конца")


def pieces(archive: IO[bytes], member: Member) -> Iterator[bytes]:
    """Give the bytes of a member."""
    archive.seek(member.offset)
    left = member.size_bytes
    while left:
        piece = archive.read(min(PIECE_BYTES, left))
        if not piece:
            raise damaged(f"она обрывается на «{member.name}»")
        left -= len(piece)
        yield piece


def is_name(name: str) -> bool:
    """Say whether a file of this relative name can be kept: parts of plain letters, none hidden, none above."""
    return _NAME.fullmatch(name) is not None


def _header(name: str, size_bytes: int, moment: int) -> bytes:
    if not is_name(name):
        raise ValueError(f"not a name for an archive: {name!r}")
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size_bytes, moment, 0o600
    return info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")


def _member(block: bytes, offset: int, last: str) -> Member:
    try:
        info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        is_ours = block == _header(info.name, info.size, int(info.mtime))
    except (tarfile.HeaderError, ValueError) as exc:  # ValueError: letters beyond ASCII, a name that is not for us
        raise damaged(f"запись после {last} не читается или не из копий Знайки") from exc
    if not is_ours or info.size < 0:
        raise damaged(f"запись «{info.name}» не из копий Знайки")
    return Member(info.name, info.size, offset)


def _end(archive: IO[bytes], member: Member) -> int:
    """Where the next header begins; the filling before it must be zeros, so that no bit can turn unnoticed."""
    end, filling = member.offset + member.size_bytes, -member.size_bytes % BLOCK
    archive.seek(end)
    if archive.read(filling) != bytes(filling):
        raise damaged(f"после «{member.name}» лишние данные или нет конца")
    return end + filling
