"""Hostile archives and letters: bombs, names that climb out, members that overlap, lie, repeat or nest without end."""

from __future__ import annotations

import base64
import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tests.hostile_case import PARTIAL, READY, SENTENCE, Case, case, zipped

_TOO_MUCH = ("too_large_unpacked", "too_many_files")
_LETTER = "From: a@example.ru\r\nTo: b@example.ru\r\nSubject: Order\r\nMIME-Version: 1.0\r\n"
_BOMB = 600 * 2**20


@dataclass(frozen=True, slots=True)
class Member:
    """A member written by hand: what its headers say need not be true."""

    name: bytes
    packed: bytes
    size: int
    method: int = zipfile.ZIP_DEFLATED
    flags: int = 0
    attributes: int = 0
    crc: int = 0


def written(members: Sequence[Member], *, shared: bool = False) -> bytes:
    """An archive of these members; `shared` has all of them point at the first one's bytes."""
    out, directory = io.BytesIO(), io.BytesIO()
    for position, one in enumerate(members):
        offset = 0 if shared else out.tell()
        sizes = (one.crc, len(one.packed), one.size, len(one.name), 0)
        if not (shared and position):
            out.write(struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, one.flags, one.method, 0, 33, *sizes))
            out.write(one.name + one.packed)
        head = (0x02014B50, 20, 20, one.flags, one.method, 0, 33, *sizes, 0, 0, 0, one.attributes, offset)
        directory.write(struct.pack("<IHHHHHHIIIHHHHHII", *head) + one.name)
    start, listed, count = out.tell(), directory.getvalue(), min(len(members), 0xFFFF)
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(listed), start, 0)
    return out.getvalue() + listed + end


def _member(name: str | bytes, content: bytes, **told: int) -> Member:
    raw = name.encode() if isinstance(name, str) else name
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = squeezer.compress(content) + squeezer.flush()
    return Member(raw, packed, **({"size": len(content), "crc": zlib.crc32(content), "flags": 0x800} | told))


_NOTE = SENTENCE.encode()


def _blanks(size: int) -> bytes:
    """So many blanks, packed, without ever being in memory whole."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"".join(squeezer.compress(b" " * 2**20) for _ in range(size >> 20)) + squeezer.flush()


def _bomb() -> bytes:
    return written([Member(b"bomb.txt", _blanks(_BOMB), _BOMB)])


def _liar(told: int) -> bytes:
    """Says that it unpacks to `told` bytes, and unpacks to much more."""
    return written([_member("note.txt", _NOTE), Member(b"bomb.txt", _blanks(100 << 20), told)])


def _overlapping(count: int = 500) -> bytes:
    """Each of the members is the same stretch of the file."""
    one = _blanks(2 << 20)
    return written([Member(b"%d.txt" % n, one, 2 << 20) for n in range(count)], shared=True)


def _nested(levels: int, width: int) -> bytes:
    inner = zipped({f"{n}.txt": b" " * 2**20 + _NOTE for n in range(width)})
    for _ in range(levels):
        inner = zipped({f"{n}.zip": inner for n in range(width)}, zipfile.ZIP_STORED)
        inner = zipped({"layer.zip": inner})
    return inner


def _twice() -> bytes:
    """One name for two members; the second is called what the first is."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for text in ("first " + SENTENCE, "second " + SENTENCE):
            archive.writestr("same.txt", text)
    return buffer.getvalue()


def _symlink() -> bytes:
    link = _member("passwd.txt", b"/etc/passwd", attributes=0o120777 << 16)
    return written([_member("note.txt", _NOTE), link])


def _zip64_lie() -> bytes:
    data = written([_member("note.txt", _NOTE)])
    return data[:-22] + struct.pack("<IIQI", 0x07064B50, 0, 2**62, 1) + data[-22:]


_Names = tuple[str | bytes, ...]
CLIMBING: _Names = (
    "../../../../tmp/climbed.txt",
    "/etc/climbed.txt",
    "..\\..\\climbed.txt",
    "C:\\Windows\\climbed.txt",
    "\\\\server\\share\\climbed.txt",
    "./././climbed.txt",
    "folder/../../climbed.txt",
    "~/climbed.txt",
    "climbed.txt\x00.png",
    "\x1b[31mclimbed\x1b[0m.txt",
    "climbed\u202etxt.exe.txt",
    b"\xff\xfe\xfdclimbed.txt",
)


def _letter(content_type: str, body: str) -> bytes:
    return f"{_LETTER}Content-Type: {content_type}\r\n\r\n{body}".encode()


def _multiparts(depth: int) -> bytes:
    head = "".join(f'--b{n}\r\nContent-Type: multipart/mixed; boundary="b{n + 1}"\r\n\r\n' for n in range(depth))
    return _letter('multipart/mixed; boundary="b0"', f"{head}--b{depth}\r\n\r\n{SENTENCE}\r\n")


def _letters_in_letters(depth: int) -> bytes:
    return _letter("message/rfc822", (_LETTER + "Content-Type: message/rfc822\r\n\r\n") * depth + f"\r\n{SENTENCE}")


def _attachment(name: str, data: bytes) -> str:
    encoded = base64.encodebytes(data).decode()
    head = f'Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="{name}"'
    return f"--b\r\n{head}\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}\r\n"


def _with_attachments(*attachments: str) -> bytes:
    body = f"--b\r\nContent-Type: text/plain\r\n\r\n{SENTENCE}\r\n" + "".join(attachments) + "--b--\r\n"
    return _letter('multipart/mixed; boundary="b"', body)


def _letter_cases() -> list[Case]:
    plain, deep = "text/plain", ("unexpected_content", "nested_too_deep", "archive_without_text", PARTIAL, READY)
    bad_date = _letter(plain, SENTENCE).replace(b"Subject", b"Date: Thu, 99 Foo 99999 99:99:99 +9999\r\nSubject")
    words = "=?utf-8?q?=D0?= " * 20_000
    return [
        case("multiparts-nested-10000.eml", partial(_multiparts, 10_000), *deep),
        case("letters-in-letters-2000.eml", partial(_letters_in_letters, 2_000), *deep),
        case(
            "attachments-5000.eml", lambda: _with_attachments(*[_attachment("a.txt", _NOTE)] * 5000), "too_many_files"
        ),
        case("attached-bomb.eml", lambda: _with_attachments(_attachment("bomb.zip", _bomb())), PARTIAL),
        case(
            "attachment-climbs-out.eml",
            lambda: _with_attachments(_attachment("../../../tmp/climbed.txt", _NOTE)),
            READY,
        ),
        case("date-that-is-none.eml", lambda: bad_date, READY),
        case(
            "charset-with-a-zero.eml", lambda: _letter('text/plain; charset="utf-8\x00x"', "Приказ " + SENTENCE), READY
        ),
        case("charset-that-unpacks.eml", lambda: _letter("text/plain; charset=zlib", "Приказ " + SENTENCE), READY),
        case("boundary-that-is-empty.eml", lambda: _letter('multipart/mixed; boundary=""', SENTENCE), READY),
        case(
            "subject-of-20000-words.eml", lambda: _letter(plain, SENTENCE).replace(b"Order", words.encode(), 1), READY
        ),
        case(
            "header-of-ten-megabytes.eml",
            lambda: _LETTER.encode() + b"X-A: " + b"a" * (10 << 20) + b"\r\n\r\n" + _NOTE,
            READY,
        ),
    ]


def archive_cases(_url: str) -> list[Case]:
    """All of them."""
    garbage = bytes(range(256)) * 8
    broken: list[tuple[str, Callable[[], bytes]]] = [
        (f"member-of-noise-method-{method}.zip", partial(_broken_member, garbage, method))
        for method in (8, 9, 12, 14, 98)
    ]
    return [
        case("bomb-of-600-megabytes.zip", _bomb, "too_large_unpacked"),
        case("members-that-overlap.zip", _overlapping, *_TOO_MUCH),
        case("archives-nested-five-deep.zip", partial(_nested, 5, 4), "archive_without_text", *_TOO_MUCH),
        case("archives-of-archives.zip", partial(_nested, 1, 16), "archive_without_text", *_TOO_MUCH),
        case("says-less-than-it-holds.zip", partial(_liar, 1000), PARTIAL),
        case("says-more-than-it-holds.zip", partial(_liar, 2**32 - 2), "too_large_unpacked"),
        case("members-65534.zip", lambda: written([_member("a.txt", b"")] * 65_534), "too_many_files"),
        case(
            "names-that-climb-out.zip",
            lambda: written([_member(name, _NOTE) for name in CLIMBING]),
            READY,
            PARTIAL,
            "damaged",
        ),
        case("link-to-a-system-file.zip", _symlink, READY),
        case("one-name-twice.zip", _twice, READY),
        case("name-of-65535-bytes.zip", lambda: written([_member(b"a" * 65_531 + b".txt", _NOTE)]), READY),
        case("all-members-locked.zip", lambda: written([_member("a.txt", _NOTE, flags=1)]), "encrypted"),
        *(case(name, make, PARTIAL) for name, make in broken),
        case("directory-cut.zip", lambda: written([_member("a.txt", _NOTE)])[:-30], "damaged"),
        case("directory-beyond-the-file.zip", _zip64_lie, READY, "damaged"),
        case("end-of-directory-alone.zip", lambda: b"PK\x05\x06" + bytes(18), "empty_archive"),
        case("letters-in-an-archive.zip", lambda: zipped({"a.eml": _multiparts(3000), "b.txt": _NOTE}), PARTIAL),
        case("odd-documents-in-an-archive.zip", _odd_members, PARTIAL),
        *_letter_cases(),
    ]


def _broken_member(garbage: bytes, method: int) -> bytes:
    return written([_member("note.txt", _NOTE), Member(b"noise.txt", garbage, 9000, method)])


def _odd_members() -> bytes:
    """What ends a document by itself ends no more than a member here."""
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    odd = {
        "a.xls": ole + b"\xff" * 2000,
        "b.pdf": b"%PDF-1.7",
        "c.png": b"\x89PNG\r\n\x1a\n",
        "d.docx": b"PK\x03\x04" * 99,
    }
    return zipped({"note.txt": _NOTE, **odd, "e.exe": b"MZ\x00", "f.txt": b""})
