"""Hostile PDFs, written object by object: bombs in every filter, cycles in every tree, lies in every number."""

from __future__ import annotations

import io
import re
import zlib
from functools import partial

from pypdf import PdfReader, PdfWriter

from tests.hostile_case import PARTIAL, READY, SENTENCE, Case, case

BOMB_BYTES = 100 * 2**20
_TEXT = f"BT /F1 9 Tf 20 700 Td ({SENTENCE}) Tj ET".encode()
_FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
_PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
_LOST = ("no_text", "damaged", "no_pages")
_SPENT = ("parse_memory_exceeded", "parse_cpu_exceeded", "parse_timeout", "too_much_text")
# Where all processors are taken, nobody may have looked between the growth of the parser and its death.
_UNSEEN = ("parser_died",)


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """A stream object; `entries` of its dictionary beside the length."""
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(data), data)


def written(objects: dict[int, bytes], trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A file of numbered objects with a cross-reference table."""
    out, offsets = io.BytesIO(), {}
    out.write(b"%PDF-1.7\n")
    for number, body in objects.items():
        offsets[number] = out.tell()
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 1\n0000000000 65535 f \n")
    for number, offset in offsets.items():
        out.write(b"%d 1\n%010d 00000 n \n" % (number, offset))
    out.write(b"trailer\n<</Size %d %s>>\nstartxref\n%d\n%%%%EOF\n" % (max(objects) + 1, trailer, start))
    return out.getvalue()


def document(extra: dict[int, bytes] | None = None, *, trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A sound page of text, with these objects in place of its own or besides them."""
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        3: _PAGE,
        4: stream(_TEXT),
        5: _FONT,
    }
    return written(objects | (extra or {}), trailer)


def _content(data: bytes, filters: bytes, resources: bytes = b"") -> bytes:
    page = _PAGE.replace(b"/Resources<<", b"/Resources<<" + resources)
    return document({3: page, 4: stream(data, filters)})


def _bomb() -> bytes:
    return _TEXT + b" " * BOMB_BYTES


def _flate() -> bytes:
    return _content(zlib.compress(_bomb()), b"/Filter/FlateDecode")


def _flate_twice() -> bytes:
    return _content(zlib.compress(zlib.compress(_bomb(), 9), 9), b"/Filter[/FlateDecode/FlateDecode]")


def _hex_of_flate() -> bytes:
    return _content(zlib.compress(_bomb()).hex().encode() + b">", b"/Filter[/ASCIIHexDecode/FlateDecode]")


def _run_length() -> bytes:
    return _content((bytes([129]) + b" ") * (BOMB_BYTES // 128) + b"\x80", b"/Filter/RunLengthDecode")


def _run_length_in_flate() -> bytes:
    runs = (bytes([129]) + b" ") * (BOMB_BYTES // 128) + b"\x80"
    return _content(zlib.compress(runs), b"/Filter[/FlateDecode/RunLengthDecode]")


def _lzw_in_flate() -> bytes:
    """LZW whose every code is the longest string so far: some four thousand bytes for a code and a half."""
    bits = [(256, 9), (32, 9)]
    for code in range(258, 4095):
        width = 9 + (code >= 511) + (code >= 1023) + (code >= 2047)
        bits.append((code, width))
    value = "".join(f"{code:0{width}b}" for code, width in bits)
    block = int(value.ljust(-(-len(value) // 8) * 8, "0"), 2).to_bytes(-(-len(value) // 8), "big")
    return _content(zlib.compress(block * 40), b"/Filter[/FlateDecode/LZWDecode]")


def _predictor() -> bytes:
    parameters = b"/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 2000000000/Colors 32/BitsPerComponent 16>>"
    return _content(zlib.compress(_TEXT), parameters)


def _nested(opening: bytes, closing: bytes, depth: int) -> bytes:
    return document({6: opening * depth + closing * depth, 1: b"<</Type/Catalog/Pages 2 0 R/Names 6 0 R>>"})


def _deep_pages(depth: int = 3000) -> bytes:
    levels = {n: b"<</Type/Pages/Count 1/Parent %d 0 R/Kids[%d 0 R]>>" % (n - 1, n + 1) for n in range(10, 10 + depth)}
    first = {2: b"<</Type/Pages/Count 1/Kids[10 0 R]>>", 10 + depth: _PAGE}
    return document(first | levels)


def _kids(count: int, *, page: bytes = b"3 0 R") -> bytes:
    return document({2: b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, page)})


def many_pages(count: int = 200_000) -> bytes:
    """So many pages, each an object of its own."""
    pages = dict.fromkeys(range(10, 10 + count), b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>")
    kids = b" ".join(b"%d 0 R" % n for n in pages)
    return document({2: b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, kids)} | pages)


def _previous_cycle() -> bytes:
    data = document(trailer=b"/Root 1 0 R/Prev 0000000000")
    (start,) = re.findall(rb"startxref\n(\d+)", data)
    return data.replace(b"/Prev 0000000000", b"/Prev %010d" % int(start))


def _form_cycle() -> bytes:
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</XObject<</X 6 0 R>>>>"
    page = _PAGE.replace(b"/Font", b"/XObject<</X 6 0 R>>/Font")
    return document({3: page, 4: stream(_TEXT + b" /X Do"), 6: stream(b"/X Do /X Do", form)})


def _form_laughs(levels: int = 12) -> bytes:
    """Each form draws the next ten times: ten to the twelfth drawings of one word."""
    objects: dict[int, bytes] = {
        3: _PAGE.replace(b"/Font", b"/XObject<</X 10 0 R>>/Font"),
        4: stream(_TEXT + b" /X Do"),
    }
    for level in range(10, 10 + levels):
        entries = b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</XObject<</X %d 0 R>>/Font<</F1 5 0 R>>>>"
        objects[level] = stream(b"/X Do " * 10, entries % (level + 1))
    objects[10 + levels] = stream(b"BT /F1 9 Tf (lol) Tj ET", b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]")
    return document(objects)


def _object_stream_cycle() -> bytes:
    inner = b"6 0 7 2 1 <</Type/ObjStm>>"
    return document({6: stream(inner, b"/Type/ObjStm/N 2/First 8/Extends 6 0 R"), 7: b"6 0 R"})


def _outline_cycle() -> bytes:
    item = b"<</Title(A)/Parent 6 0 R/Next 7 0 R/First 7 0 R/Last 7 0 R/Dest[3 0 R/Fit]>>"
    catalog = b"<</Type/Catalog/Pages 2 0 R/Outlines 6 0 R/PageMode/UseOutlines>>"
    return document({1: catalog, 6: b"<</Type/Outlines/First 7 0 R/Last 7 0 R/Count 2000000000>>", 7: item})


def _widget_cycle() -> bytes:
    page = _PAGE.replace(b"/Contents", b"/Annots[6 0 R]/Contents")
    catalog = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[6 0 R]>>>>"
    widget = b"<</Type/Annot/Subtype/Widget/Rect[0 0 9 9]/T(f)/Parent 7 0 R/Kids[7 0 R]>>"
    return document({1: catalog, 3: page, 6: widget, 7: b"<</Parent 6 0 R/Kids[6 0 R]>>"})


def _to_unicode(cmap: bytes) -> bytes:
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>"
    return document({5: font, 6: stream(cmap)})


def _cmap_bomb() -> bytes:
    ranges = b"100 beginbfrange\n" + b"<0000> <FFFF> <0041>\n" * 100 + b"endbfrange\n"
    return _to_unicode(b"begincmap\n1 begincodespacerange <0000> <FFFF> endcodespacerange\n" + ranges * 50 + b"endcmap")


def _image(width: int, height: int, filters: bytes = b"/Filter/FlateDecode") -> bytes:
    entries = b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceRGB/BitsPerComponent 8"
    page = _PAGE.replace(b"/Font", b"/XObject<</I 6 0 R>>/Font")
    drawn = _TEXT + b" q 500 0 0 500 0 0 cm /I Do Q"
    return document(
        {3: page, 4: stream(drawn), 6: stream(zlib.compress(bytes(1000)), entries % (width, height) + filters)}
    )


def _type3_cycle() -> bytes:
    glyph = stream(b"1000 0 d0 BT /F3 9 Tf (a) Tj ET")
    font = (
        b"<</Type/Font/Subtype/Type3/FontBBox[0 0 9 9]/FontMatrix[.001 0 0 .001 0 0]/CharProcs<</a 7 0 R>>/FirstChar 97"
        b"/LastChar 97/Widths[1000]/Encoding<</Differences[97/a]>>/Resources<</Font<</F3 6 0 R>>>>>>"
    )
    page = _PAGE.replace(b"<</F1 5 0 R>>", b"<</F1 5 0 R/F3 6 0 R>>")
    return document({3: page, 4: stream(_TEXT + b" BT /F3 9 Tf (aaa) Tj ET"), 6: font, 7: glyph})


def _locked() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(document())))
    writer.encrypt("secret", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _actions(url: str) -> bytes:
    """Opens a program, a page and another file, if anybody obeys it."""
    actions = (
        b"<</S/JavaScript/JS(app.launchURL\\('%s'\\))/Next<</S/Launch/F(/bin/sh)/Next<</S/URI/URI(%s)/Next"
        b"<</S/GoToR/F<</FS/URL/F(%s)>>/D[0/Fit]>>>>>>>>"
    )
    link = url.encode()
    return document({1: b"<</Type/Catalog/Pages 2 0 R/OpenAction %s>>" % (actions % (link, link, link))})


def pdf_cases(url: str) -> list[Case]:
    """All of them; `url` is where a request must never come from."""
    box = _PAGE.replace(b"[0 0 600 800]", b"[-1e30 -1e30 1e30 1e30]")
    deep = b"q " * 1_000_000 + _TEXT
    catalog = b"<</Type/Catalog/Pages 2 0 R"
    labels = catalog + b"/PageLabels<</Kids[6 0 R]/Nums[0<</S/r/St 2000000000>>]>>>>"
    return [
        case("flate-bomb.pdf", _flate, READY, *_SPENT),
        case("flate-in-flate-bomb.pdf", _flate_twice, READY, *_SPENT),
        case("hex-of-flate-bomb.pdf", _hex_of_flate, READY, *_SPENT),
        case("run-length-bomb.pdf", _run_length, *_LOST, *_SPENT),
        case("run-length-in-flate-bomb.pdf", _run_length_in_flate, *_LOST, *_SPENT),
        case("lzw-in-flate-bomb.pdf", _lzw_in_flate, *_LOST, *_SPENT, *_UNSEEN),
        case("predictor-of-terabytes.pdf", _predictor, READY, *_LOST, *_SPENT),
        case("arrays-nested-100000.pdf", partial(_nested, b"[", b"]", 100_000), READY, "damaged"),
        case("dictionaries-nested-100000.pdf", partial(_nested, b"<</A ", b">>", 100_000), READY, "damaged"),
        case("page-tree-3000-deep.pdf", _deep_pages, "damaged"),
        case("page-tree-is-its-own-child.pdf", partial(_kids, 1, page=b"2 0 R"), "damaged"),
        case("same-page-300-times.pdf", lambda: _kids(300, page=b"3 0 R " * 300), READY, PARTIAL),
        case("pages-200000.pdf", many_pages, "too_many_pages"),
        case("pages-200000-claimed.pdf", partial(_kids, 200_000), READY, "too_many_pages"),
        case("pages-minus-one.pdf", partial(_kids, -1), READY, *_LOST),
        case("xref-previous-is-itself.pdf", _previous_cycle, READY, "damaged"),
        case("object-stream-extends-itself.pdf", _object_stream_cycle, READY),
        case("form-draws-itself.pdf", _form_cycle, READY, *_SPENT, *_UNSEEN),
        case("forms-draw-ten-forms-each.pdf", _form_laughs, READY, *_SPENT),
        case("outline-cycle.pdf", _outline_cycle, READY),
        case("form-field-is-its-grandparent.pdf", _widget_cycle, READY),
        case(
            "length-refers-to-itself.pdf",
            lambda: document({4: b"<</Length 4 0 R>>stream\n%s\nendstream" % _TEXT}),
            READY,
            *_LOST,
        ),
        case("page-of-light-years.pdf", lambda: document({3: box}), READY, *_LOST),
        case("image-100000-by-100000.pdf", partial(_image, 100_000, 100_000), READY),
        case("image-two-billion-wide.pdf", partial(_image, 2**31 - 1, 2**31 - 1), READY),
        case("image-jbig2-of-zeros.pdf", partial(_image, 9000, 9000, b"/Filter/JBIG2Decode"), READY),
        case("image-jpx-of-zeros.pdf", partial(_image, 9000, 9000, b"/Filter/JPXDecode"), READY),
        case("page-labels-cycle.pdf", lambda: document({1: labels, 6: b"<</Kids[6 0 R]>>"}), READY),
        case(
            "name-tree-cycle.pdf",
            lambda: document({1: catalog + b"/Names<</Dests 6 0 R>>>>", 6: b"<</Kids[6 0 R]>>"}),
            READY,
        ),
        case("to-unicode-cut.pdf", lambda: _to_unicode(b"begincmap 1 beginbfrange <00"), READY, PARTIAL),
        case("to-unicode-of-noise.pdf", lambda: _to_unicode(bytes(range(256)) * 40), READY, PARTIAL),
        case("to-unicode-bomb.pdf", _cmap_bomb, READY, PARTIAL, *_LOST, *_SPENT),
        case("glyph-draws-itself.pdf", _type3_cycle, READY, "parser_died"),
        case("content-saved-a-million-times.pdf", lambda: document({4: stream(deep)}), READY, *_SPENT),
        case("string-never-closed.pdf", lambda: document({4: stream(b"BT (" + b"(" * 5_000_000)}), *_LOST, *_SPENT),
        case(
            "inline-image-never-ended.pdf", lambda: document({4: stream(_TEXT + b" BI /W 9 ID " + b"E" * 2**20)}), READY
        ),
        case("object-numbers-overflow.pdf", lambda: document().replace(b"4 0 R", b"99999999999999999999 0 R"), *_LOST),
        case("password-unknown.pdf", _locked, "encrypted"),
        case(
            "encryption-of-no-kind.pdf",
            lambda: document(trailer=b"/Root 1 0 R/Encrypt<</V 99/R 99>>"),
            READY,
            "encrypted",
            "damaged",
        ),
        case("cut-in-half.pdf", lambda: document()[:400], READY, *_LOST),
        case("header-alone.pdf", lambda: b"%PDF-1.7\n", "damaged"),
        case("noise-after-header.pdf", lambda: b"%PDF-1.7\n" + bytes(range(256)) * 400, "damaged", "no_pages"),
        case("root-is-a-number.pdf", lambda: document({1: b"5"}), "damaged", "no_pages", READY),
        case("pages-is-a-string.pdf", lambda: document({2: b"(pages)"}), *_LOST, READY),
        case("actions-that-open-things.pdf", partial(_actions, url), READY),
    ]
