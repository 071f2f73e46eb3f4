"""Hostile texts and pictures: what expressions choke on, what encodings break on, pictures of billions of pixels."""

from __future__ import annotations

import io
import struct
import zlib
from functools import partial

from PIL import Image

from tests.hostile_case import PARTIAL, READY, SENTENCE, Case, case

_SPENT = ("parse_memory_exceeded", "parse_cpu_exceeded", "parse_timeout", "too_much_text")
_NOTE = SENTENCE.encode()
_MANY = 2_000_000
_IMAGE_READ = ("no_text", READY, PARTIAL)
_GIF = b"GIF89a\xff\xff\xff\xff\x80\x00\x00" + bytes(6) + b";"
_JPEG = b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03" + b"\x01\x11\x00" * 3 + b"\xff\xd9"


def _page(body: str) -> bytes:
    return f"<!DOCTYPE html><html><body><p>{SENTENCE}</p>{body}</body></html>".encode()


def _tables(count: int = 12_000) -> bytes:
    """So many small tables, each followed by a numbered point: whoever looks for every point in every table is lost."""
    one = "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table><p>{0}.1 Пункт о сроках.</p>"
    return _page("".join(one.format(number % 90 + 1) for number in range(count)))


def _ragged(rows: int = 100_000) -> bytes:
    """One row of many cells, many rows of one: sixteen billion cells if they are squared."""
    return ";".join(["ячейка"] * 160_000).encode() + b"\na" * rows


def _html_cases(url: str) -> list[Case]:
    far = "".join(
        f'<{tag} {attribute}="{url}/{tag}">'
        for tag, attribute in (
            ("img", "src"),
            ("iframe", "src"),
            ("link", "href"),
            ("object", "data"),
            ("base", "href"),
        )
    )
    entities = f'<!DOCTYPE html [<!ENTITY a SYSTEM "file:///etc/passwd"><!ENTITY b SYSTEM "{url}/entity">]><html>&a;&b;'
    comments = f"{'<!---->' * 40}{SENTENCE}"
    return [
        case("nested-100000.html", lambda: _page("<div>" * 100_000 + SENTENCE), READY),
        case("tables-nested-20000.html", lambda: _page("<table><tr><td>" * 20_000 + SENTENCE), READY),
        case("inline-nested-200000.html", lambda: _page("<b><i>" * 100_000 + SENTENCE), READY),
        case("tables-12000.html", _tables, READY),
        case("forty-comments.html", comments.encode, READY),
        case("forty-comments.txt", comments.encode, READY),
        case("comments-never-closed.html", lambda: _page("<!--" * 500_000), READY),
        case("tags-never-closed.html", lambda: _page("<p " * 500_000), READY),
        case("list-starts-at-a-superscript.html", lambda: _page('<ol start="²"><li>один<li>два</ol>'), READY),
        case("list-starts-at-5000-digits.html", lambda: _page(f'<ol start="{"9" * 5000}"><li>один</ol>'), READY),
        case("entities-of-files.html", lambda: (entities + SENTENCE).encode(), READY),
        case("things-on-another-machine.html", lambda: _page(far), READY),
        case(
            "attributes-100000.html",
            lambda: _page("<p " + " ".join(f"a{n}=1" for n in range(100_000)) + ">"),
            READY,
            *_SPENT,
        ),
        case("nothing-but-scripts.html", lambda: b"<!DOCTYPE html><html><script>alert(1)</script></html>", "no_text"),
        case("character-references.html", lambda: _page("&#0;&#xD800;&#x110000;&#99999999999999;" * 1000), READY),
    ]


def _mark_cases() -> list[Case]:
    repeated = {
        "brackets": "[", "stars": "*a ", "backticks": "`a ``b ", "tildes": "~~a ", "braces": "{{ ",
        "templates": "{% a ",
        "comments": "<!-- ", "tags": "<a ", "links": "[a](b(c)", "hashes": "# ", "pipes": "| ", "rules": "- ",
        "underscores": "__a_ ", "backslashes": "\\",
    }  # fmt: skip
    cases = [
        case(f"{name}-on-one-line.md", lambda mark=mark: _NOTE + b"\n\n" + (mark * 200_000).encode(), READY, *_SPENT)
        for name, mark in repeated.items()
    ]
    return [
        *cases,
        case("brackets-nested.json", lambda: b"[" * _MANY, READY, "too_much_text"),
        case("objects-nested.json", lambda: b'{"a":' * 300_000, READY, "too_much_text"),
        case("blank-lines.txt", lambda: _NOTE + b"\n" * _MANY + _NOTE, READY, "too_much_text"),
        case(
            "table-of-20000-columns.md",
            lambda: ("|a" * 20_000 + "|\n" + "|-" * 20_000 + "|\n" + "|b" * 20_000).encode(),
            READY,
        ),
        case("front-matter-never-closed.md", lambda: b"---\n" + b"title: a\n" * 200_000, READY),
        case(
            "line-of-100-megabytes.csv",
            lambda: b"a;b;c\n" + b"d" * (100 << 20),
            "too_much_text",
            "parse_memory_exceeded",
        ),
        case("rows-of-all-lengths.csv", _ragged, READY, *_SPENT),
        case("quote-never-closed.csv", lambda: b'a;b;c\n"' + b"d;e\n" * 400_000, READY, "too_much_text"),
    ]


def _text_cases() -> list[Case]:
    zalgo = ("а" + "\u0301\u0316" * 400_000 + " " + SENTENCE).encode()
    hidden = "".join(map(chr, (*range(0x200B, 0x2010), 0xFEFF, 0xAD, 0x2060, 0xE0041))) * 500
    return [
        case(
            "zeros-and-letters.txt",
            lambda: b"\x00".join(bytes([byte]) for byte in _NOTE) + b"\x00",
            READY,
            "unsupported_type",
        ),
        case("nothing-but-invisible.txt", hidden.encode, "no_text", "empty_file"),
        case("broken-utf8.txt", lambda: _NOTE + b"\xc3\x28\xa0\xa1\xe2\x28\xa1\xf0\x28\x8c\xbc" * 50, READY),
        case("half-of-a-pair.txt", lambda: b"\xff\xfe" + SENTENCE.encode("utf-16-le") + b"\x00\xd8" * 500, READY),
        case("utf32-beyond-the-last.txt", lambda: b"\xff\xfe\x00\x00" + b"\xff\xff\xff\x7f" * 500, READY, "no_text"),
        case("utf7.txt", lambda: SENTENCE.encode("utf-7") + b"+2AA-+3AA-", READY),
        case("right-to-left.txt", lambda: f"{SENTENCE}\u202e{SENTENCE[::-1]}\u2066\u2069".encode(), READY),
        case("marks-piled-up.txt", lambda: zalgo, READY, *_SPENT),
        case("word-of-two-megabytes.txt", lambda: b"a" * 1_900_000, READY, "too_much_text"),
        case("latin-word-then-noise.txt", lambda: b"a" * 1_500_000 + b" \xff\xfe\xfa\xc0\xc1", READY),
        case("full-stops.txt", lambda: b". " * 100_000 + _NOTE, READY),
        case("full-stops-in-a-row.txt", lambda: b"." * 200_000 + _NOTE, READY),
        case("references-in-a-row.txt", lambda: b"Yes. " + b"[1, 2] " * 50_000, READY),
        case(
            "points-to-nowhere.txt",
            lambda: "".join(f"{n}.{n}. Пункт договора\n" for n in range(1, 6_000)).encode(),
            READY,
        ),
        case("terminal-commands.txt", lambda: b"\x1b]0;owned\x07\x1b[31m" + _NOTE, READY, "unsupported_type"),
        case("bytes-of-all-kinds.txt", lambda: bytes(range(256)) * 40, "unsupported_type"),
        case("program.txt", lambda: b"MZ\x90\x00\x03\x00\x00\x00" + bytes(500), "unsupported_type"),
        case("nothing.txt", lambda: b"", "empty_file"),
    ]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, *extra: bytes) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + b"".join(extra)
        + _chunk(b"IDAT", zlib.compress(bytes(5000)))
        + _chunk(b"IEND", b"")
    )


def _text_bomb() -> bytes:
    return _png(30, 30, _chunk(b"zTXt", b"a\x00\x00" + zlib.compress(b" " * (100 << 20))))


def _tiff_cycle() -> bytes:
    tags = ((256, 30), (257, 30), (258, 8), (259, 1), (262, 1), (273, 8), (278, 30), (279, 900))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return (
        b"II*\x00" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + struct.pack("<I", 8) + bytes(900)
    )


def _frames(kind: str, count: int) -> bytes:
    """So many small frames, every one different."""
    frames = [Image.frombytes("L", (16, 16), bytes([n % 251, n // 251] * 128)) for n in range(count)]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    return out.getvalue()


def _scan() -> bytes:
    out = io.BytesIO()
    Image.frombytes("L", (400, 400), bytes(range(256)) * 625).save(out, "JPEG")
    return out.getvalue()


def _upside_down() -> bytes:
    size = (2**31 - 1, -(2**31 - 1))
    return b"BM" + struct.pack("<IIIIiiHHIIIIII", 99, 0, 54, 40, *size, 1, 24, *[0] * 6)


def _image_cases() -> list[Case]:
    large = "image_too_large"
    return [
        case("billions-of-pixels.png", partial(_png, 65_535, 65_535), large),
        case("two-billion-wide.png", partial(_png, 2**31 - 1, 1), large, "damaged"),
        case("comment-bomb.png", _text_bomb, "damaged", *_IMAGE_READ),
        case("frame-is-its-own-next.tif", _tiff_cycle, "damaged", *_IMAGE_READ),
        case("frames-2000.tif", partial(_frames, "TIFF", 2000), "too_many_pages"),
        case("frames-2000.gif", partial(_frames, "GIF", 2000), "too_many_pages"),
        case("huge-with-nothing-in-it.gif", _GIF.__bytes__, large, "damaged"),
        case("minus-one-high.bmp", _upside_down, large, "damaged"),
        case("half-of-a-picture.jpg", lambda: _scan()[:3000], "damaged", *_IMAGE_READ),
        case("jpeg-of-billions.jpg", _JPEG.__bytes__, large, "damaged"),
        case("noise.webp", lambda: b"RIFF\xff\xff\xff\x7fWEBPVP8X" + bytes(range(256)) * 8, large, "damaged"),
    ]  # fmt: skip


def text_cases(url: str) -> list[Case]:
    """All of them; `url` is where a request must never come from."""
    return [*_html_cases(url), *_mark_cases(), *_text_cases(), *_image_cases()]
