import io
import time
import zipfile

import pytest

from core.errors import UnreadableDocument, UnsupportedType
from ingest import media_type as mt
from tests.hostile_ole import header


@pytest.fixture
def detect(tmp_path):
    def of(data: bytes, name: str = "файл") -> str:
        path = tmp_path / "upload"
        path.write_bytes(data)
        return mt.detect(path, name)

    return of


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("dedoc/docx/tz.docx", mt.DOCX),
        ("dedoc/docx/size1.docx", mt.DOCX),
        ("dedoc/docx/broken.docx", mt.TEXT),
        ("dedoc/docx/example.rtf", mt.RTF),
        ("dedoc/docx/ТЗ_ГИС_3  .odt", mt.ODT),
        ("dedoc/laws/ukrf.doc", mt.ODT),
        ("dedoc/tz/alpaca_tz.doc", mt.DOC),
        ("dedoc/xlsx/example.xls", mt.XLS),
        ("dedoc/xlsx/example.xlsx", mt.XLSX),
        ("dedoc/pptx/example.ppt", mt.PPT),
        ("dedoc/pptx/test-presentation.pptx", mt.PPTX),
        ("dedoc/csvs/cp1251.csv", mt.CSV),
        ("dedoc/htmls/example_koi.html", mt.HTML),
        ("dedoc/eml/message.eml", mt.EML),
        ("dedoc/archives/zipka.zip", mt.ZIP),
        ("dedoc/scanned/example_2_columns.png", mt.PNG),
        ("dedoc/scanned/scan_orient_1.jpg", mt.JPEG),
        ("law/gpk_rf.cp1251.txt", mt.TEXT),
    ],
)
def test_real_files_are_what_they_hold_under_any_name(data, path, expected):
    file = data / "documents" / path
    assert mt.detect(file, file.name) == expected
    if expected not in (mt.CSV, mt.TEXT):
        assert mt.detect(file, "что-то.bin") == expected


def test_a_pdf_called_txt_is_a_pdf(detect):
    assert detect(b"junk before\n%PDF-1.4 ...", "договор.txt") == mt.PDF


def test_a_name_settles_which_text_a_text_is(detect):
    text = "# Раздел\n\nобычный текст\n".encode()
    assert detect(text, "a.md") == mt.MARKDOWN
    assert detect(text, "a.txt") == mt.TEXT


def test_texts_without_a_telling_name_are_told_by_their_marks(detect):
    assert detect("# А\n\n**важно** и [ссылка](x)\n".encode()) == mt.MARKDOWN
    assert detect("код;имя;цена\n1;а;2\n2;б;3\n".encode()) == mt.CSV
    assert detect("Просто текст; с точкой с запятой.\n".encode()) == mt.TEXT
    assert detect("<!DOCTYPE html><p>Привет".encode(), "a.txt") == mt.HTML
    assert detect(b"From: a@b.ru\nSubject: x\nDate: y\n\ntext", "a.txt") == mt.EML


def test_an_archive_of_office_files_is_an_archive(detect):
    assert detect(zipped("word/отчёт.docx", "xl/цены.xlsx")) == mt.ZIP
    assert detect(zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml")) == mt.DOCX


def test_a_cut_document_is_still_known_by_its_first_members(detect):
    assert detect(zipped("[Content_Types].xml", "word/document.xml")[:120]) == mt.DOCX


@pytest.mark.parametrize("data", [b"", b"  \n\t", bytes(100)])
def test_an_empty_file_is_told_so(detect, data):
    with pytest.raises(UnreadableDocument) as raised:
        detect(data)
    assert raised.value.code == "empty_file"


@pytest.mark.parametrize(
    "data", [b"7z\xbc\xaf\x27\x1c\x00\x04", b"Rar!\x1a\x07\x01", b"MZ\x90\x00\x03\x00", bytes(range(256)) * 9]
)
def test_what_no_reader_takes_is_refused_with_what_can_be_uploaded(detect, data):
    with pytest.raises(UnsupportedType) as raised:
        detect(data)
    assert "PDF" in raised.value.detail


def test_a_damaged_ole_container_is_a_reason(detect):
    with pytest.raises(UnreadableDocument) as raised:
        detect(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xff" * 2000)
    assert raised.value.code == "damaged"


def test_an_archive_of_many_members_costs_little(tmp_path):
    path = tmp_path / "many.zip"
    path.write_bytes(zipped(*(f"{number:040}.txt" for number in range(30_000))))
    began = time.perf_counter()
    assert mt.detect(path, "many.zip") == mt.ZIP
    assert time.perf_counter() - began < 0.5


@pytest.mark.timeout(60)
def test_a_page_that_begins_with_forty_comments_is_known_at_once(detect):
    assert detect(b"<!-- a -->" * 40 + "<p>текст".encode(), "a.txt") == mt.TEXT


@pytest.mark.timeout(60)
def test_brackets_without_end_are_text_at_once(detect):
    assert detect(b"[" * 65_000, "a.json") == mt.TEXT


@pytest.mark.timeout(60)
def test_an_old_document_with_more_tables_than_sectors_is_damaged(detect):
    with pytest.raises(UnreadableDocument):
        detect(header(difat=2**31, first_difat=0) + bytes(2048), "a.doc")


@pytest.mark.timeout(60)
def test_a_latin_word_of_60_kilobytes_before_broken_bytes_is_text_at_once(detect):
    began = time.process_time()
    assert detect(b"a" * 60_000 + b" \xff\xfe\xfa\xc0", "a.txt") == mt.TEXT
    assert time.process_time() - began < 2
