"""Hostile Word, Excel and PowerPoint files: entities in every part, nesting, cycles, endless sheets."""

from __future__ import annotations

import zlib
from functools import partial

from tests.hostile_case import READY, SENTENCE, Case, case, zipped

Parts = dict[str, str | bytes]

XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" ' + f'xmlns:r="{_OFFICE}"'
SHEET = f'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="{_OFFICE}"'
SLIDE = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    f'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:r="{_OFFICE}"'
)
_SPENT = ("parse_memory_exceeded", "parse_cpu_exceeded", "parse_timeout", "too_much_text")
_MAIN = {
    "word/document.xml": "wordprocessingml.document",
    "xl/workbook.xml": "spreadsheetml.sheet",
    "ppt/presentation.xml": "presentationml.presentation",
}


def relationships(*targets: tuple[str, str, str]) -> str:
    """A part of relationships: id, the last word of the type, target."""
    items = "".join(
        f'<Relationship Id="{id_}" Type="{_OFFICE}/{kind}" Target="{target}"/>' for id_, kind, target in targets
    )
    return f'{XML_HEAD}<Relationships xmlns="{PACKAGE}/relationships">{items}</Relationships>'


def _package(main: str, parts: Parts) -> bytes:
    office = "application/vnd.openxmlformats-officedocument"
    types = (
        f'{XML_HEAD}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/{main}" ContentType="{office}.{_MAIN[main]}.main+xml"/>'
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{office}.spreadsheetml.sharedStrings+xml"/></Types>'
    )
    root: Parts = {"[Content_Types].xml": types, "_rels/.rels": relationships(("r1", "officeDocument", main))}
    return zipped(root | parts)


def paragraph(text: str, properties: str = "") -> str:
    """A paragraph of one run."""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def _word(body: str) -> str:
    return f"{XML_HEAD}<w:document {WORD}><w:body>{body}</w:body></w:document>"


def docx(body: str = paragraph(SENTENCE), parts: Parts | None = None) -> bytes:
    """A document of this body, with styles, lists and footnotes, any part replaced by `parts`."""
    related = [
        ("r1", "styles", "styles.xml"),
        ("r2", "numbering", "numbering.xml"),
        ("r3", "footnotes", "footnotes.xml"),
    ]
    own: Parts = {
        "word/document.xml": _word(body),
        "word/_rels/document.xml.rels": relationships(*related),
        "word/styles.xml": f"{XML_HEAD}<w:styles {WORD}></w:styles>",
        "word/numbering.xml": f"{XML_HEAD}<w:numbering {WORD}></w:numbering>",
        "word/footnotes.xml": f"{XML_HEAD}<w:footnotes {WORD}></w:footnotes>",
    }
    return _package("word/document.xml", own | (parts or {}))


def _sheet(rows: str) -> str:
    return f'{XML_HEAD}<worksheet {SHEET}><dimension ref="A1:XFD1048576"/><sheetData>{rows}</sheetData></worksheet>'


_ROW = f'<row r="1"><c r="A1" t="inlineStr"><is><t>{SENTENCE}</t></is></c><c r="B1"><v>5</v></c></row>'


def xlsx(rows: str = _ROW, parts: Parts | None = None) -> bytes:
    """A workbook of one sheet with these rows."""
    sheets = '<sheets><sheet name="A" sheetId="1" r:id="r1"/></sheets>'
    related = [
        ("r1", "worksheet", "sheet1.xml"),
        ("r2", "sharedStrings", "sharedStrings.xml"),
        ("r3", "styles", "styles.xml"),
    ]
    own: Parts = {
        "xl/workbook.xml": f"{XML_HEAD}<workbook {SHEET}>{sheets}</workbook>",
        "xl/_rels/workbook.xml.rels": relationships(*related),
        "xl/sheet1.xml": _sheet(rows),
        "xl/sharedStrings.xml": f"{XML_HEAD}<sst {SHEET}></sst>",
        "xl/styles.xml": f"{XML_HEAD}<styleSheet {SHEET}></styleSheet>",
    }
    return _package("xl/workbook.xml", own | (parts or {}))


def pptx(slides: int = 1, parts: Parts | None = None) -> bytes:
    """A presentation that shows its one slide so many times."""
    ids = "".join(f'<p:sldId id="{256 + number}" r:id="r1"/>' for number in range(slides))
    shape = f"<p:sp><p:txBody><a:p><a:r><a:t>{SENTENCE}</a:t></a:r></a:p></p:txBody></p:sp>"
    own: Parts = {
        "ppt/presentation.xml": f"{XML_HEAD}<p:presentation {SLIDE}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relationships(("r1", "slide", "slides/slide1.xml")),
        "ppt/slides/slide1.xml": f"{XML_HEAD}<p:sld {SLIDE}><p:cSld><p:spTree>{shape}</p:spTree></p:cSld></p:sld>",
        "ppt/slides/_rels/slide1.xml.rels": relationships(("r1", "notesSlide", "../notesSlides/n1.xml")),
        "ppt/notesSlides/n1.xml": f"{XML_HEAD}<p:notes {SLIDE}></p:notes>",
    }
    return _package("ppt/presentation.xml", own | (parts or {}))


def _nested(opening: str, closing: str, depth: int) -> bytes:
    return docx(paragraph(SENTENCE) + opening * depth + paragraph("inside") + closing * depth)


def _label_bomb() -> bytes:
    level = f'<w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/><w:lvlText w:val="{"%1" * 50_000}"/></w:lvl>'
    numbering = (
        f'<w:numbering {WORD}><w:abstractNum w:abstractNumId="1">{level}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num></w:numbering>'
    )
    item = paragraph("item", '<w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr>')
    return docx(item * 20_000, {"word/numbering.xml": XML_HEAD + numbering})


def _styles_cycle() -> bytes:
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{a}"><w:basedOn w:val="{b}"/></w:style>' for a, b in ("ab", "ba")
    )
    body = paragraph(SENTENCE, '<w:pPr><w:pStyle w:val="a"/></w:pPr>')
    return docx(body, {"word/styles.xml": f"{XML_HEAD}<w:styles {WORD}>{styles}</w:styles>"})


def _climbing() -> bytes:
    related = relationships(("r1", "styles", "../../../../etc/passwd"), ("r2", "footnotes", "/../../etc/shadow"))
    return docx(parts={"word/_rels/document.xml.rels": related})


def _far_parts(url: str) -> bytes:
    """Pictures, templates and linked files that lie on another machine."""
    kinds = ("image", "attachedTemplate", "aFChunk", "oleObject", "hyperlink", "frame", "subDocument")
    items = "".join(
        f'<Relationship Id="x{n}" Type="{_OFFICE}/{kind}" Target="{url}/{kind}" TargetMode="External"/>'
        for n, kind in enumerate(kinds)
    )
    body = paragraph(SENTENCE) + "".join(f'<w:altChunk r:id="x{n}"/>' for n in range(len(kinds)))
    related = f'{XML_HEAD}<Relationships xmlns="{PACKAGE}/relationships">{items}</Relationships>'
    return docx(body, {"word/_rels/document.xml.rels": related})


def _bomb(size: int = 400 * 2**20) -> bytes:
    """A part of so many blanks, a thousandth of that when packed."""
    return docx(parts={"word/styles.xml": b" " * size})


def _cut_inside() -> bytes:
    data = docx()
    return data[: len(data) // 2]


def _broken_deflate() -> bytes:
    data = bytearray(docx())
    start = data.find(b"word/document.xml") + 40
    data[start : start + 60] = zlib.compress(b"x" * 40).ljust(60, b"\xff")
    return bytes(data)


def _shared_bomb() -> bytes:
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 20_001))
    shared = f"{XML_HEAD}<sst {SHEET}><si><t>{'lol ' * 100_000}</t></si></sst>"
    return xlsx(cells, {"xl/sharedStrings.xml": shared})


def _wide_rows() -> bytes:
    cell = '<c r="XFD{0}" t="inlineStr"><is><t>x</t></is></c>'
    return xlsx("".join(f'<row r="{n}">{cell.format(n)}</row>' for n in range(1, 20_001)))


def _many_sheets(count: int = 5_000) -> bytes:
    sheets = "".join(f'<sheet name="s{n}" sheetId="{n}" r:id="r1"/>' for n in range(1, count))
    return xlsx(parts={"xl/workbook.xml": f"{XML_HEAD}<workbook {SHEET}><sheets>{sheets}</sheets></workbook>"})


def _slide_cycle() -> bytes:
    notes = relationships(("r1", "notesSlide", "../slides/slide1.xml"), ("r2", "slide", "../slides/slide1.xml"))
    slide = relationships(("r1", "notesSlide", "slide1.xml"), ("r2", "diagramData", "slide1.xml"))
    return pptx(parts={"ppt/notesSlides/_rels/n1.xml.rels": notes, "ppt/slides/_rels/slide1.xml.rels": slide})


def office_cases(url: str) -> list[Case]:
    """All of them; `url` is where a request must never come from."""
    odd = '<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="{0}"/></w:tcPr>{1}</w:tc><w:tc>{1}</w:tc></w:tr></w:tbl>'
    table = ("<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>")
    far_row = '<row r="2000000000"><c r="A2000000000"><v>1</v></c></row>'
    corner = '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>corner</t></is></c></row>'
    deep = "unexpected_content"
    return [
        case("tables-nested-2000.docx", partial(_nested, *table, 2000), READY, deep),
        case(
            "content-controls-nested-50000.docx",
            partial(_nested, "<w:sdt><w:sdtContent>", "</w:sdtContent></w:sdt>", 50_000),
            READY,
            deep,
        ),
        case("insertions-nested-100000.docx", partial(_nested, "<w:ins>", "</w:ins>", 100_000), READY, deep),
        case("list-label-bomb.docx", _label_bomb, *_SPENT),
        case("styles-cycle.docx", _styles_cycle, READY),
        case("cell-spans-millions.docx", lambda: docx(odd.format("9" * 9, paragraph(SENTENCE))), READY),
        case("cell-spans-a-word.docx", lambda: docx(odd.format("много", paragraph(SENTENCE))), READY),
        case("cell-spans-a-superscript.docx", lambda: docx(odd.format("²", paragraph(SENTENCE))), READY),
        case("relationships-climb-out.docx", _climbing, READY),
        case("parts-on-another-machine.docx", partial(_far_parts, url), READY),
        case("part-of-400-megabytes.docx", _bomb, "too_large_unpacked", "parse_memory_exceeded", "damaged"),
        case("cut-in-half.docx", _cut_inside, "damaged"),
        case("part-of-noise.docx", _broken_deflate, "damaged"),
        case("document-is-missing.docx", lambda: docx(parts={"word/document.xml": b""}), "damaged"),
        case("document-of-another-language.docx", lambda: docx(parts={"word/document.xml": "<html/>"}), "no_text"),
        case("sheet-of-sixteen-billion-cells.xlsx", lambda: xlsx(_ROW + corner), READY, *_SPENT),
        case("row-two-billion.xlsx", lambda: xlsx(_ROW + far_row), READY, "damaged", *_SPENT),
        case("shared-string-bomb.xlsx", _shared_bomb, "too_much_text"),
        case("rows-of-16384-blanks.xlsx", _wide_rows, READY, *_SPENT),
        case("same-sheet-5000-times.xlsx", _many_sheets, "too_many_pages"),
        case("number-too-large.xlsx", lambda: xlsx(_ROW.replace("<v>5", "<v>1e999")), READY),
        case("number-of-5000-digits.xlsx", lambda: xlsx(_ROW.replace("<v>5", "<v>" + "9" * 5000)), READY, "damaged"),
        case(
            "shared-string-that-is-not.xlsx", lambda: xlsx('<row r="1"><c r="A1" t="s"><v>99</v></c></row>'), "damaged"
        ),
        case("slide-is-its-own-notes.pptx", _slide_cycle, READY),
        case("same-slide-5000-times.pptx", partial(pptx, 5_000), "too_many_pages"),
        case(
            "slide-is-missing.pptx", lambda: pptx(parts={"ppt/_rels/presentation.xml.rels": relationships()}), "no_text"
        ),
    ]
