"""Office documents with entities in every part that is read: laughs, files of this machine, addresses of others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tests.hostile_case import READY, Case, case
from tests.hostile_office import (
    PACKAGE,
    SHEET,
    SLIDE,
    WORD,
    XML_HEAD,
    docx,
    paragraph,
    pptx,
    xlsx,
)


def _laughs(_url: str) -> tuple[str, str]:
    lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 13))
    return f'<!DOCTYPE x [<!ENTITY l0 "lol">{lines}]>', "&l12;"


def _quadratic(_url: str) -> tuple[str, str]:
    return f'<!DOCTYPE x [<!ENTITY big "{"lol" * 100_000}">]>', "&big;" * 10_000


def _local_file(_url: str) -> tuple[str, str]:
    return '<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/passwd">]>', "&file;"


def _far_entity(url: str) -> tuple[str, str]:
    return f'<!DOCTYPE x [<!ENTITY far SYSTEM "{url}/entity">]>', "&far;"


def _far_dtd(url: str) -> tuple[str, str]:
    return f'<!DOCTYPE x SYSTEM "{url}/dtd">', ""


def _parameter(url: str) -> tuple[str, str]:
    return f'<!DOCTYPE x [<!ENTITY % all SYSTEM "{url}/parameter"> %all;]>', ""


_UNUSED = (READY, "no_text")  # a DTD that nobody fetches changes nothing
ENTITIES = {
    "laughs": _laughs,
    "quadratic": _quadratic,
    "local-file": _local_file,
    "far-entity": _far_entity,
    "far-dtd": _far_dtd,
    "parameter": _parameter,
}


def _with_entity(part: str, root: str, kind: str, url: str) -> bytes:
    """The document in which `part` is nothing but a root element whose text is an entity."""
    doctype, used = ENTITIES[kind](url)
    content = f"{XML_HEAD}{doctype}{root.format(used)}"
    make = {"w": docx, "x": xlsx, "p": pptx}[part[0]]
    return make(parts={part: content})


def entity_cases(url: str) -> Iterator[Case]:
    """Every kind of entity in every part that is read; a sound part without an entity used may also be read."""
    related = f'<Relationships xmlns="{PACKAGE}/relationships"><!--{{0}}-->{{0}}</Relationships>'
    roots = {
        "word/document.xml": f"<w:document {WORD}><w:body>{paragraph('{0}')}</w:body></w:document>",
        "word/_rels/document.xml.rels": related,
        "word/styles.xml": f"<w:styles {WORD}>{{0}}</w:styles>",
        "word/numbering.xml": f"<w:numbering {WORD}>{{0}}</w:numbering>",
        "word/footnotes.xml": f'<w:footnotes {WORD}><w:footnote w:id="2">{paragraph("{0}")}</w:footnote></w:footnotes>',
        "xl/workbook.xml": f"<workbook {SHEET}>{{0}}</workbook>",
        "xl/sheet1.xml": f'<worksheet {SHEET}><sheetData><row r="1"><c r="A1" t="inlineStr">'
        "<is><t>{0}</t></is></c></row>"
        "</sheetData></worksheet>",
        "xl/sharedStrings.xml": f"<sst {SHEET}><si><t>{{0}}</t></si></sst>",
        "xl/styles.xml": f"<styleSheet {SHEET}>{{0}}</styleSheet>",
        "ppt/presentation.xml": f"<p:presentation {SLIDE}>{{0}}</p:presentation>",
        "ppt/slides/slide1.xml": f"<p:sld {SLIDE}><a:p><a:t>{{0}}</a:t></a:p></p:sld>",
        "ppt/notesSlides/n1.xml": f"<p:notes {SLIDE}><a:p><a:t>{{0}}</a:t></a:p></p:notes>",
    }
    for part, root in roots.items():
        for kind in ENTITIES:
            suffix = {"w": "docx", "x": "xlsx", "p": "pptx"}[part[0]]
            make = partial(_with_entity, part, root, kind, url)
            ends = ("forbidden_xml", *_UNUSED) if kind == "far-dtd" else ("forbidden_xml",)
            yield case(f"{kind} in {part.replace('/', '-')}.{suffix}", make, *ends)
