"""A file whose pages cannot be opened is called damaged, not empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import UnreadableDocument
from core.types import Page
from ingest.limits import Limits
from ingest.page_faults import Fault, conclude
from ingest.readers import pdf
from tests.hostile_pdf import document

BLANK = Page(number=1, text=" \n")


def refusal(faults: dict[int, Fault]) -> UnreadableDocument:
    with pytest.raises(UnreadableDocument) as caught:
        conclude("application/pdf", [BLANK, BLANK], faults)
    return caught.value


def test_a_pdf_whose_only_page_cannot_be_opened_is_damaged_and_not_without_text(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(document({2: b"<</Type/Pages/Count 1/Kids[2 0 R]>>"}))
    with pytest.raises(UnreadableDocument) as caught:
        pdf.read(path, Limits())
    assert caught.value.code == "damaged"
    assert "В файле нет текста" not in caught.value.detail
    assert "Повреждённые страницы: 1." in caught.value.detail
    assert "загрузите ещё раз" in caught.value.detail


def test_blank_pages_beside_damaged_ones_do_not_make_a_file_empty() -> None:
    assert refusal({2: Fault.DAMAGED}).code == "damaged"


def test_pages_that_are_pictures_keep_their_reason_and_its_remedy() -> None:
    error = refusal({1: Fault.PICTURE, 2: Fault.DAMAGED})
    assert error.code == "no_text"
    assert "Tesseract" in error.detail
    assert "Повреждённые страницы: 2." in error.detail


def test_blank_pages_alone_are_no_text() -> None:
    assert refusal({}).code == "no_text"
