"""What pdfium gives: lines, pictures, places of characters."""

from __future__ import annotations

from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from core.errors import UnreadableDocument
from ingest.pdfium import PdfiumDocument

PIXELS = 5_000_000


@pytest.fixture(scope="module")
def layered(data: Path) -> Path:
    return data / "documents/dedoc/pdf_with_text_layer"


def test_hyphens_at_line_ends_stay_visible(layered: Path) -> None:
    with PdfiumDocument(layered / "2-column-state.pdf") as pdf:
        text = pdf.text(0)
        assert text is not None
        assert "adop-\ntion" in text
        assert "\ufffe" not in text


def test_short_rows_get_lines_of_their_own(layered: Path) -> None:
    with PdfiumDocument(layered / "VVP_6_tables.pdf") as pdf:
        run_together, by_lines = pdf.text(0), pdf.text_by_lines(0)
    assert run_together is not None
    assert by_lines is not None
    assert "Китай 1 25362\nСША" in by_lines
    assert "\nГосударство Место" not in run_together
    assert "\nГосударство Место" in by_lines
    assert by_lines.split() == run_together.split()


def test_a_page_is_drawn_at_the_resolution_asked(layered: Path) -> None:
    with PdfiumDocument(layered / "example.pdf") as pdf:
        raster = pdf.render(0, dpi=72, max_pixels=PIXELS)
    assert raster is not None
    assert 594 <= raster.width <= 613
    assert not raster.is_blank


def test_a_huge_page_is_drawn_small(tmp_path: Path) -> None:
    writer = PdfWriter()
    writer.add_blank_page(14_400, 14_400)
    writer.write(tmp_path / "huge.pdf")
    with PdfiumDocument(tmp_path / "huge.pdf") as pdf:
        raster = pdf.render(0, dpi=300, max_pixels=1_000_000)
    assert raster is not None
    assert raster.width * raster.height <= 1_010_000
    assert raster.is_blank


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_characters_of_a_turned_page_are_where_the_ink_is(layered: Path, tmp_path: Path, degrees: int) -> None:
    writer = PdfWriter(clone_from=PdfReader(layered / "multipage.pdf"))
    writer.pages[0].rotate(degrees)
    writer.write(tmp_path / "turned.pdf")
    with PdfiumDocument(tmp_path / "turned.pdf") as pdf:
        raster, glyphs = pdf.render_with_glyphs(0, width_px=1000, max_pixels=PIXELS)
    letters = [glyph for glyph in glyphs if glyph.char.isalpha()]
    assert "".join(glyph.char for glyph in letters) == "Перваястраница"
    assert all(raster.has_ink(glyph.box) for glyph in letters)


def test_a_scan_is_known_by_its_picture(data: Path, layered: Path) -> None:
    with PdfiumDocument(data / "documents/law/mintrud_order_112_scan.pdf") as scan:
        assert scan.image_share(0) > 0.9
    with PdfiumDocument(layered / "example.pdf") as typed:
        assert typed.image_share(0) == 0


def test_a_damaged_page_is_no_text_and_no_picture(data: Path) -> None:
    with PdfiumDocument(data / "hostile/pikepdf/tests__resources__fuzz__378014596.pdf") as pdf:
        assert pdf.page_count == 1
        assert pdf.text(0) is None
        assert pdf.text_by_lines(0) is None
        assert pdf.render(0, dpi=72, max_pixels=PIXELS) is None
        assert pdf.image_share(0) == 0
        with pytest.raises(UnreadableDocument):
            pdf.render_with_glyphs(0, width_px=100, max_pixels=PIXELS)


def test_what_is_no_pdf_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 and nothing else")
    with pytest.raises(UnreadableDocument) as caught:
        PdfiumDocument(tmp_path / "a.pdf")
    assert caught.value.code == "damaged"


def test_a_missing_file_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PdfiumDocument(tmp_path / "none.pdf")
