"""Damaged files of each format: a reader gives text or a reason, what it gives crosses to the parent, and it ends."""

from __future__ import annotations

import io
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import docx
import openpyxl
import pptx
import pytest
from PIL import Image

from core.errors import ServiceError
from ingest import media_type as mt
from ingest import parsed_json, readers
from ingest.limits import Limits
from tests.damage import fuzz
from tests.hostile_pdf import document, stream

_LIMITS = Limits(output_chars=200_000, max_pages=50, archive_max_bytes=5 * 2**20, archive_max_files=50)
_BOUND_S = 20.0
_TEXT = "Отпуск составляет 28 календарных дней.\n\nЗаявление подают за две недели.\n"
_ELSEWHERE = {  # tests/test_ingest_fuzzing_pictures.py, tests/test_ingest_fuzzing_office.py
    *(mt.XLS, mt.PNG, mt.JPEG, mt.TIFF, mt.BMP, mt.GIF, mt.WEBP),
    *(mt.DOC, mt.PPT, mt.RTF, mt.ODT, mt.ODS, mt.ODP),
}


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def _word() -> bytes:
    document = docx.Document()
    document.add_heading("Отпуск", 1)
    document.add_paragraph(_TEXT)
    document.add_table(2, 2).cell(0, 0).text = "Дни"
    return _saved(document.save)


def _sheet() -> bytes:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["Дни", 28])
    return _saved(book.save)


def _slides() -> bytes:
    show = pptx.Presentation()
    show.slides.add_slide(show.slide_layouts[0]).shapes[0].text_frame.text = _TEXT
    return _saved(show.save)


def _archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("отпуск.txt", _TEXT)
        archive.writestr("дни.csv", "Дни;28\n")
    return out.getvalue()


def _pdf_of_a_picture() -> bytes:
    return _saved(lambda out: Image.new("RGB", (20, 20), "white").save(out, "PDF"))


def _pdf_of_text() -> bytes:
    """A small page: where the text is lost it is drawn, letter by letter."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 30]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
    return document({3: page, 4: stream(b"BT /F1 9 Tf 5 9 Td (Order 417 sets the vacation) Tj ET")})


_LETTER = f"From: a@example.ru\nSubject: Vacation\nContent-Type: text/plain; charset=utf-8\n\n{_TEXT}"
_SEEDS = MappingProxyType(
    {
        mt.TEXT: ("a.txt", _TEXT.encode()),
        mt.MARKDOWN: ("a.md", f"# Отпуск\n\n{_TEXT}\n- дни\n".encode()),
        mt.HTML: ("a.html", f"<!doctype html><html><body><h1>Отпуск</h1><p>{_TEXT}</p></body></html>".encode()),
        mt.CSV: ("a.csv", "Имя;Дни\nИван;28\nПётр;30\n".encode()),
        mt.EML: ("a.eml", _LETTER.encode()),
        mt.DOCX: ("a.docx", _word()),
        mt.XLSX: ("a.xlsx", _sheet()),
        mt.PPTX: ("a.pptx", _slides()),
        mt.ZIP: ("a.zip", _archive()),
        mt.PDF: ("a.pdf", _pdf_of_text()),
    }
)
_FILES = (*_SEEDS.values(), ("picture.pdf", _pdf_of_a_picture()))


def test_each_type_has_a_seed():
    assert set(_SEEDS) | _ELSEWHERE == set(readers._MODULES)


@pytest.mark.parametrize(("name", "seed"), _FILES, ids=[name for name, _seed in _FILES])
def test_a_damaged_file_gives_text_or_a_reason(name, seed, monkeypatch):
    monkeypatch.setenv("PATH", "")  # what Tesseract reads is a page that was drawn, never the file

    def check(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            started = time.monotonic()
            try:
                parsed = readers.read(path, name, _LIMITS, lambda _done, _total: None)
                assert parsed_json.loads(parsed_json.dumps(parsed)) == parsed
            except ServiceError:
                pass
            assert time.monotonic() - started < _BOUND_S
            assert path.read_bytes() == content
            assert [item.name for item in Path(folder).iterdir()] == [name]

    fuzz(check, seed)
