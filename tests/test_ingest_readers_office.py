import shutil
import zipfile
from datetime import date, datetime, time
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from pptx.util import Cm

from core.errors import UnreadableDocument
from core.types import Page
from ingest.limits import Limits
from ingest.readers import read
from ingest.readers.docx_numbering import Numbering
from ingest.readers.docx_styles import ListPlace
from ingest.readers.ooxml import Package
from ingest.readers.sheet_values import shown

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
NUMBERING = """<w:abstractNum w:abstractNumId="1">
<w:lvl w:ilvl="0"><w:start w:val="4"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2."/></w:lvl>
<w:lvl w:ilvl="2"><w:start w:val="1"/><w:numFmt w:val="russianLower"/><w:lvlText w:val="%3)"/></w:lvl>
<w:lvl w:ilvl="3"><w:numFmt w:val="bullet"/><w:lvlText w:val="·"/></w:lvl>
<w:lvl w:ilvl="4"><w:start w:val="9"/><w:numFmt w:val="upperRoman"/><w:lvlText w:val="%5"/></w:lvl>
</w:abstractNum><w:num w:numId="7"><w:abstractNumId w:val="1"/></w:num>
<w:num w:numId="8"><w:abstractNumId w:val="1"/>
<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num>"""


def parse(path: Path) -> tuple[Page, ...]:
    return read(path, path.name, Limits(), lambda _done, _total: None).pages


def word(folder: Path, body: str, **parts: str) -> Path:
    """A document with this body; a part is related under its name, as `footnotes` or `numbering`."""
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    path = folder / "a.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("_rels/.rels", relations(f'Type="{kinds}/officeDocument" Target="word/document.xml"'))
        archive.writestr("word/document.xml", f"<w:document {W}><w:body>{body}</w:body></w:document>")
        related = [f'Type="{kinds}/{name}" Target="{name}.xml"' for name in parts]
        archive.writestr("word/_rels/document.xml.rels", relations(*related))
        for name, content in parts.items():
            archive.writestr(f"word/{name}.xml", f"<w:{name} {W}>{content}</w:{name}>")
    return path


def relations(*items: str) -> str:
    return "<Relationships>" + "".join(f"<Relationship {item}/>" for item in items) + "</Relationships>"


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def numbered(text: str, level: int, list_id: int = 7) -> str:
    return paragraph(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>')


def test_word_gives_headings_paragraphs_and_tables_in_order(tmp_path):
    document = docx.Document()
    document.add_heading("Положение об отпусках", 0)
    document.add_heading("Общие положения", 1)
    document.add_paragraph("Отпуск — 28 дней.")
    table = document.add_table(2, 3)
    for cell, text in zip(table._cells, ["Стаж", "Дни", "", "5 лет", "2", ""], strict=True):
        cell.text = text
    document.add_paragraph("Конец.")
    document.save(str(tmp_path / "a.docx"))
    (page,) = parse(tmp_path / "a.docx")
    assert page.text == (
        "Положение об отпусках\n\nОбщие положения\nОтпуск — 28 дней.\n\nСтаж | Дни\n5 лет | 2\n\nКонец."
    )
    assert [(heading.level, heading.title) for heading in page.headings] == [
        (1, "Положение об отпусках"),
        (1, "Общие положения"),
    ]
    assert page.text[page.tables[0].start : page.tables[0].end] == "Стаж | Дни\n5 лет | 2"


def test_numbers_of_list_items_are_counted_as_word_counts_them(tmp_path):
    body = "".join(
        [
            numbered("Оплата", 0),
            numbered("Аванс", 1),
            numbered("наличными", 2),
            numbered("картой", 2),
            numbered("Остаток", 1),
            numbered("Сроки", 0),
            numbered("Начало", 1),
            numbered("мелочь", 3),
            numbered("Сначала", 0, 8),
        ]
    )
    (page,) = parse(word(tmp_path, body, numbering=NUMBERING))
    assert page.text.split("\n") == [
        "4. Оплата",
        "4.1. Аванс",
        "а) наличными",
        "б) картой",
        "4.2. Остаток",
        "5. Сроки",
        "5.1. Начало",
        "- мелочь",
        "1. Сначала",
    ]


def test_a_level_in_roman_numerals(tmp_path):
    with Package(word(tmp_path, "", numbering=NUMBERING), Limits(), "документ Word") as package:
        numbering = Numbering(package.xml("word/numbering.xml"))
    assert [numbering.next_label(ListPlace("7", 4)) for _ in range(2)] == ["IX", "X"]
    assert numbering.next_label(ListPlace("0", 0)) == ""


def test_what_was_deleted_hidden_or_commented_is_not_in_the_text(tmp_path):
    body = (
        "<w:p><w:r><w:t>Цена </w:t></w:r><w:del><w:r><w:delText>100</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>200</w:t></w:r></w:ins><w:moveFrom><w:r><w:t>было</w:t></w:r></w:moveFrom>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>тайна</w:t></w:r><w:r><w:t> рублей</w:t></w:r></w:p>"
    )
    (page,) = parse(word(tmp_path, body, comments='<w:comment w:id="1"><w:p/></w:comment>'))
    assert page.text == "Цена 200 рублей"


def test_merged_cells_are_written_once_and_keep_the_columns(tmp_path):
    def cell(text: str, properties: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(text)}</w:tc>"

    body = (
        f"<w:tbl><w:tr>{cell('Имя', '<w:gridSpan w:val=' + chr(34) + '2' + chr(34) + '/>')}{cell('Год')}</w:tr>"
        f"<w:tr>{cell('Иванов', '<w:vMerge w:val=' + chr(34) + 'restart' + chr(34) + '/>')}{cell('Иван')}{cell('1990')}"
        f"</w:tr><w:tr>{cell('Иванов', '<w:vMerge/>')}{cell('Пётр')}{cell('1991')}</w:tr></w:tbl>"
    )
    (page,) = parse(word(tmp_path, body))
    assert page.text == "Имя |  | Год\nИванов | Иван | 1990\n | Пётр | 1991"


def test_footnotes_stand_at_the_end_and_separators_do_not(tmp_path):
    notes = (
        f'<w:footnote w:type="separator"><w:p/></w:footnote><w:footnote w:id="1">{paragraph("См. ТК РФ")}</w:footnote>'
    )
    (page,) = parse(word(tmp_path, paragraph("Отпуск"), footnotes=notes))
    assert page.text == "Отпуск\n\nСноски\n1. См. ТК РФ"


def test_a_text_box_is_read_once(tmp_path):
    box = f"<w:txbxContent>{paragraph('В рамке')}</w:txbxContent>"
    body = (
        '<w:p xmlns:mc="m"><w:r><w:t>До</w:t></w:r><w:r><mc:AlternateContent><mc:Choice>'
        f"{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    assert parse(word(tmp_path, body))[0].text == "До\nВ рамке"


def test_the_table_of_contents_is_left_out(tmp_path):
    styles = '<w:style w:type="paragraph" w:styleId="t1"><w:name w:val="toc 1"/></w:style>'
    body = paragraph("Оплата 3", '<w:pStyle w:val="t1"/>') + paragraph("Оплата")
    assert parse(word(tmp_path, body, styles=styles))[0].text == "Оплата"


def test_an_entity_bomb_is_refused(tmp_path):
    path = word(tmp_path, "")
    bomb = '<!DOCTYPE a [<!ENTITY b "бум">]><document><body><p><r><t>&b;</t></r></p></body></document>'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("_rels/.rels", relations())
        archive.writestr("word/document.xml", bomb)
    with pytest.raises(UnreadableDocument) as raised:
        parse(path)
    assert raised.value.code == "forbidden_xml"


def test_a_document_that_unpacks_to_too_much_is_refused(tmp_path):
    path = word(tmp_path, paragraph("а" * 100_000))
    with pytest.raises(UnreadableDocument) as raised:
        read(path, "a.docx", Limits(archive_max_bytes=50_000), lambda _done, _total: None)
    assert raised.value.code == "too_large_unpacked"


def test_a_locked_document_says_password(tmp_path, data):
    path = tmp_path / "a.docx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))
    with pytest.raises(UnreadableDocument) as raised:
        Package(path, Limits(), "документ Word")
    assert raised.value.code == "encrypted"


def test_a_locked_old_document_says_password(tmp_path, data):
    source = (data / "documents/dedoc/tz/alpaca_tz.doc").read_bytes()
    header = source.index(b"\xec\xa5\xc1\x00")
    flags = int.from_bytes(source[header + 10 : header + 12], "little") | 0x0100
    path = tmp_path / "a.doc"
    path.write_bytes(source[: header + 10] + flags.to_bytes(2, "little") + source[header + 12 :])
    if not shutil.which("soffice"):
        pytest.skip("LibreOffice is not installed")
    with pytest.raises(UnreadableDocument) as raised:
        parse(path)
    assert raised.value.code == "encrypted"


def test_a_cut_document_is_a_reason(tmp_path, data):
    path = tmp_path / "a.docx"
    path.write_bytes((data / "documents/dedoc/docx/tz.docx").read_bytes()[:20_000])
    with pytest.raises(UnreadableDocument) as raised:
        parse(path)
    assert raised.value.code == "damaged"


def test_slides_are_pages_with_titles_tables_and_notes(tmp_path):
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[5])
    cells = slide.shapes.add_table(2, 2, Cm(1), Cm(5), Cm(9), Cm(3)).table
    for at, text in enumerate(["Год", "План", "2024", "7"]):
        cells.cell(at // 2, at % 2).text = text
    slide.shapes.title.text = "Итоги года"
    slide.notes_slide.notes_text_frame.text = "Сказать о плане"
    show.slides.add_slide(show.slide_layouts[0]).shapes.title.text = "Спасибо"
    show.save(str(tmp_path / "a.pptx"))
    first, second = parse(tmp_path / "a.pptx")
    assert first.text == "Итоги года\n\nГод | План\n2024 | 7\n\nЗаметки: Сказать о плане"
    assert first.headings[0].title == "Итоги года"
    assert (first.number, second.number, second.text) == (1, 2, "Спасибо")


def test_sheets_are_pages_with_what_stands_above_the_table(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Цены"
    for row in [
        ["Прайс-лист"],
        [],
        ["Товар", "Дата", "Цена"],
        ["Сыр", date(2024, 3, 25), 1234.5],
        [None, None, 0.1 + 0.2],
    ]:
        sheet.append(row)
    sheet["C4"].number_format = "#,##0.00"
    book.create_sheet("Пусто")
    book.save(tmp_path / "a.xlsx")
    first, second = parse(tmp_path / "a.xlsx")
    assert first.text == "Цены\nПрайс-лист\n\nТовар | Дата | Цена\nСыр | 25.03.2024 | 1 234,50\n |  | 0,3"
    assert first.tables[0].header == "Товар | Дата | Цена"
    assert (second.number, second.text) == (2, "")


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (7707083893, "General", "7707083893"),
        (1234567, "#,##0", "1 234 567"),
        (1234567, "0", "1234567"),
        (12.0, "General", "12"),
        (0.125, "0.0%", "12,5 %"),
        (0.5, "0%", "50 %"),
        (-3.14159, '0.00" руб."', "-3,14"),
        (1e21, "General", "1e+21"),
        (datetime(2024, 3, 25), "General", "25.03.2024"),
        (datetime(2024, 3, 25, 9, 5), "General", "25.03.2024 09:05"),
        (time(9, 5), "General", "09:05"),
        (True, "General", "ИСТИНА"),
        (None, "General", ""),
    ],
)
def test_values_are_written_the_russian_way(value, code, text):
    assert shown(value, code) == text
