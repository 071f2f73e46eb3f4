"""Hostile files of the old formats, and of those that LibreOffice reads: cycles of sectors, links to other machines."""

from __future__ import annotations

import struct
from functools import partial

from tests.hostile_case import READY, SENTENCE, Case, case, zipped

_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FREE, _END, _NONE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF
_SECTOR = 512
OFFICE = "soffice"
_ODT = "application/vnd.oasis.opendocument.text"
_ODS = "application/vnd.oasis.opendocument.spreadsheet"
_NAMES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:xlink="http://www.w3.org/1999/xlink"'
)


def header(*, fat: int = 1, difat: int = 0, first_difat: int = _END, shift: int = 9, first: int = 1) -> bytes:
    """A header whose allocation table starts at sector 0 and whose directory starts at `first`."""
    start = _MAGIC + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, shift, 6) + bytes(6)
    counts = struct.pack("<IIIIIIIII", 0, fat, first, 0, 4096, _END, 0, first_difat, difat)
    return start + counts + struct.pack("<109I", 0, *[_FREE] * 108)


def entry(name: str, kind: int, *, left: int = _NONE, right: int = _NONE, child: int = _NONE, size: int = 0) -> bytes:
    """A directory entry; its bytes start at sector 2."""
    raw = name.encode("utf-16-le") + b"\x00\x00"
    links = struct.pack("<HBBIII", len(raw), kind, 1, left, right, child)
    return raw.ljust(64, b"\x00") + links + bytes(36) + struct.pack("<III", 2, size, 0)


def container(*entries: bytes, chain: tuple[int, ...] = (0xFFFFFFFD, _END, _END), **told: int) -> bytes:
    """A header, a table with this chain, a directory of these entries, and a sector of zeros."""
    table = struct.pack("<128I", *chain, *[_FREE] * (128 - len(chain)))
    return header(**told) + table + b"".join(entries).ljust(_SECTOR, b"\x00") + bytes(_SECTOR)


def _table_of_tables_cycle() -> bytes:
    """The list of allocation tables goes on with itself, thirty million times."""
    pointers = struct.pack("<128I", *[0] * 127, 3)
    plain = container(entry("Root Entry", 5), fat=0xFFFFFF00, difat=(0xFFFFFF00 - 109 + 126) // 127, first_difat=3)
    return plain[: _SECTOR * 4] + pointers


def _root(**told: int) -> bytes:
    return entry("Root Entry", 5, child=1, **told)


def _stream_cycle(name: str) -> bytes:
    """A stream of two gigabytes whose only sector is followed by itself."""
    return container(_root(), entry(name, 2, size=2**31 - 1), chain=(0xFFFFFFFD, _END, 2))


def _tree_cycle() -> bytes:
    return container(_root(), entry("WordDocument", 2, left=1, right=0, child=1, size=4096))


def _directory_cycle() -> bytes:
    return container(_root(), entry("Workbook", 2, size=4096), chain=(0xFFFFFFFD, 1, _END))


def _holding(stream: str) -> bytes:
    return container(_root(), entry(stream, 2, size=4096))


def _ole_cases() -> list[Case]:
    wrong, spent = ("damaged", "unsupported_type"), ("parse_memory_exceeded", "parse_cpu_exceeded")
    return [
        case("table-of-tables-cycle.doc", _table_of_tables_cycle, *wrong),
        case("directory-follows-itself.xls", _directory_cycle, *wrong),
        case("directory-is-a-cycle.doc", _tree_cycle, *wrong, "not_converted"),
        case("stream-follows-itself.xls", partial(_stream_cycle, "Workbook"), *wrong, *spent),
        case("stream-follows-itself.doc", partial(_stream_cycle, "WordDocument"), *wrong, *spent, "not_converted"),
        case("sectors-of-2-to-the-60000.doc", lambda: container(_root(), shift=60_000), *wrong),
        case("cut-after-header.ppt", lambda: header(), *wrong),
        case("encrypted-package.docx", partial(_holding, "EncryptedPackage"), "encrypted"),
        case("book-of-noise.xls", lambda: _holding("Book") + bytes(range(256)) * 99, *wrong),
    ]  # fmt: skip


def opendocument(kind: str, body: str) -> bytes:
    """An OpenDocument file of this body."""
    opening = f'<?xml version="1.0"?><office:document-content {_NAMES} office:version="1.2">'
    content = f"{opening}<office:body>{body}</office:body></office:document-content>"
    manifest = (
        '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
    )
    # The first member is stored, its name at a fixed place: so the kind is told.
    return _stored_first(kind, {"content.xml": content, "META-INF/manifest.xml": manifest})


def _stored_first(kind: str, members: dict[str, str]) -> bytes:
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", kind, zipfile.ZIP_STORED)
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _odt(body: str) -> bytes:
    return opendocument(_ODT, f"<office:text><text:p>{SENTENCE}</text:p>{body}</office:text>")


def _links(url: str) -> bytes:
    """A section that lies on this machine, one and a picture that lie on another."""
    sources = (f"{url}/section", "file:///etc/passwd")
    sections = "".join(
        f'<text:section text:name="s{n}"><text:section-source xlink:href="{source}" xlink:type="simple"/>'
        "</text:section>"
        for n, source in enumerate(sources)
    )
    picture = (
        f'<text:p><draw:frame><draw:image xlink:href="{url}/picture.png" xlink:type="simple"/></draw:frame></text:p>'
    )
    return _odt(sections + picture)


def _bomb() -> bytes:
    return _odt("<text:p> </text:p>" + " " * (400 << 20))


def _repeated() -> bytes:
    opening = '<table:table-cell office:value-type="string" table:number-columns-repeated="1000">'
    cell = f"{opening}<text:p>слово</text:p></table:table-cell>"
    row = f'<table:table-row table:number-rows-repeated="1000000">{cell}</table:table-row>'
    return opendocument(
        _ODS, f'<office:spreadsheet><table:table table:name="A">{row}</table:table></office:spreadsheet>'
    )


def _rich(text: str) -> bytes:
    return ("{\\rtf1\\ansi " + SENTENCE + text + "}").encode()


def _office_cases(url: str) -> list[Case]:
    picture = f'{{\\field{{\\*\\fldinst INCLUDEPICTURE "{url}/rtf.png" \\\\d}}}}'
    spent = ("parse_memory_exceeded", "parse_cpu_exceeded", "parse_timeout", "too_large_unpacked")
    made = [
        case("links-to-other-files.odt", partial(_links, url), READY),
        case("content-of-400-megabytes.odt", _bomb, READY, *spent),
        case("cells-repeated-a-billion-times.ods", _repeated, *spent),
        case("groups-nested-100000.rtf", lambda: _rich("{" * 100_000), READY, "not_converted", *spent),
        case("picture-on-another-machine.rtf", lambda: _rich(picture), READY),
        case("nothing-inside.odt", lambda: zipped({"mimetype": _ODT}, 0), "not_converted"),
    ]
    return [Case(one.name, one.make, one.ends, OFFICE) for one in made]


def old_cases(url: str) -> list[Case]:
    """All of them; `url` is where a request must never come from."""
    return [*_ole_cases(), *_office_cases(url)]
