"""Files that are two things at once, or another thing than their name says."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image

from tests.hostile_case import READY, SENTENCE, Case, case, zipped
from tests.hostile_office import docx
from tests.hostile_pdf import document

_SCRIPT = b"<html><script>alert(1)</script><p>" + SENTENCE.encode() + b"</p></html>"
_NO_PICTURE_TEXT = ("no_text", READY)


def _picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("L", (64, 64), 255).save(out, kind)
    return out.getvalue()


def _as(content: Callable[[], bytes], *names: str, ends: tuple[str, ...]) -> list[Case]:
    return [case(name, content, *ends) for name in names]


def polyglot_cases(_url: str) -> list[Case]:
    """All of them."""
    archive = zipped({"note.txt": SENTENCE})
    return [
        case("pdf-then-zip.pdf", lambda: document() + archive, READY),
        case("zip-then-pdf.zip", lambda: archive + document(), READY, "damaged"),
        case("pdf-in-a-page.html", lambda: b"<!--" + document() + b"-->" + _SCRIPT, READY),
        case("page-then-pdf.html", lambda: _SCRIPT + document(), READY),
        case("gif-then-script.gif", lambda: _picture("GIF") + b"/*" + _SCRIPT + b"*/=1;", *_NO_PICTURE_TEXT),
        case("gif-that-is-a-script.js", lambda: b"GIF89a/*" + _SCRIPT + b"*/=1;", "damaged", "image_too_large"),
        case("docx-then-pdf.docx", lambda: docx() + document(), READY, "damaged"),
        case("pdf-before-docx.docx", lambda: document() + docx(), READY),
        case("jpeg-then-zip.jpg", lambda: _picture("JPEG") + archive, *_NO_PICTURE_TEXT),
        case("png-then-page.png", lambda: _picture("PNG") + _SCRIPT, *_NO_PICTURE_TEXT),
        case("jpeg-with-php.php", lambda: _picture("JPEG") + b"<?php system($_GET['c']); ?>", *_NO_PICTURE_TEXT),
        *_as(document, "pdf.docx", "pdf.txt", "pdf", "pdf.html", "pdf.zip", ends=(READY,)),
        *_as(docx, "docx.pdf", "docx.zip", "docx.txt", "docx.xlsx", ends=(READY,)),
        *_as(lambda: _SCRIPT, "page.txt", "page.pdf", "page.docx", "page.svg", ends=(READY,)),
        *_as(lambda: _picture("PNG"), "picture.docx", "picture.pdf", ends=_NO_PICTURE_TEXT),
        *_as(lambda: b"\x7fELF\x02\x01\x01" + bytes(200), "program.pdf", "program.docx", ends=("unsupported_type",)),
        *_as(lambda: b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(99), "archive.zip", ends=("unsupported_type",)),
    ]
