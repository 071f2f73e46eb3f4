"""OLE containers: the office formats before 2007, and the later ones when a password locks them."""

from __future__ import annotations

import struct
from pathlib import Path

import olefile

from ingest.reasons import damaged

_ENCRYPTED_MARK = 0x0100
# Of MS-CFB's header: shift of a sector's size, sectors of the table, of the small one, of the table of tables.
_HEADER = struct.Struct("<30sH12xI16xI4xI")
_ERRORS = (OSError, ValueError, IndexError, struct.error, RecursionError)


def is_ole(head: bytes) -> bool:
    """Whether a file that begins so is an OLE container."""
    return head.startswith(bytes(olefile.MAGIC))


def _open(path: Path) -> olefile.OleFileIO:
    """Open a container whose tables are no larger than the file: olefile would follow four billion sectors of one."""
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
    _start, shift, tables, small_tables, tables_of_tables = _HEADER.unpack(header)
    sectors = path.stat().st_size >> min(shift, 32)
    if max(tables, small_tables, tables_of_tables) > sectors:
        raise ValueError("more tables than sectors")
    return olefile.OleFileIO(path)


def streams(path: Path) -> frozenset[str]:
    """Names of the streams at the top of the container; raises `UnreadableDocument` when it is damaged."""
    try:
        with _open(path) as container:
            return frozenset(entry[0] for entry in container.listdir() if len(entry) == 1)
    except _ERRORS as exc:
        raise damaged("документ старого формата Office") from exc


def is_locked(path: Path) -> bool:
    """Whether a DOC or PPT opens with a password only (the mark `fEncrypted` of MS-DOC's header; MS-PPT's stream)."""
    try:
        with _open(path) as container:
            if container.exists("EncryptedSummary"):
                return True
            if not container.exists("WordDocument"):
                return False
            header = container.openstream("WordDocument").read(12)
    except _ERRORS as exc:
        raise damaged("документ старого формата Office") from exc
    return len(header) == 12 and bool(struct.unpack_from("<H", header, 10)[0] & _ENCRYPTED_MARK)
