"""Quotes are marked where their words are printed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter

from core.errors import NotFound
from ingest.limits import Limits
from ingest.ocr import Tesseract
from ingest.page_image import find_boxes, render
from ingest.pdfium import PdfiumDocument
from ingest.raster import Box
from ingest.readers import pdf

WIDTH = 1000
needs_ocr = pytest.mark.skipif(Tesseract.find() is None, reason="needs tesseract with rus")


def marked_area(png: bytes) -> Box | None:
    """Bounding box of the yellow pixels."""
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        rgb = picture.convert("RGB")
    red, green, blue = rgb.split()
    yellow = Image.eval(blue, lambda b: 255 if 90 <= b <= 130 else 0)
    for band in (red, green):
        yellow = Image.composite(yellow, Image.new("L", rgb.size), Image.eval(band, lambda v: 255 if v > 220 else 0))
    area = yellow.getbbox()
    return Box(*area) if area else None


def place_of(path: Path, page: int, words: str) -> Box:
    """Box of `words` on a picture `WIDTH` wide, by pdfium's own search for them."""
    with PdfiumDocument(path) as document:
        _, glyphs = document.render_with_glyphs(page - 1, width_px=WIDTH, max_pixels=10_000_000)
    text = "".join(glyph.char for glyph in glyphs)
    start = text.index(words)
    box = glyphs[start].box
    for glyph in glyphs[start : start + len(words)]:
        box = box.joined(glyph.box) if glyph.char.isalnum() else box
    return box


def assert_same_place(marked: Box | None, expected: Box, slack: int = 6) -> None:
    assert marked is not None
    sides = zip(
        (marked.left, marked.top, marked.right, marked.bottom),
        (expected.left, expected.top, expected.right, expected.bottom),
        strict=True,
    )
    assert all(abs(found - wanted) <= slack for found, wanted in sides), (marked, expected)


@pytest.mark.parametrize(
    ("name", "page", "words"),
    [
        ("laws/fstec_1_cut.pdf", 2, "В документе устанавливаются требования"),
        ("pdf_with_text_layer/VVP_6_tables.pdf", 1, "Германия 5 4456"),
        ("pdf_with_text_layer/2-column-state.pdf", 1, "Thus a big effort has been invested"),
        ("pdf_with_text_layer/multipage.pdf", 7, "Седьмая страница"),
    ],
)
def test_a_quote_is_marked_where_it_stands(data: Path, name: str, page: int, words: str) -> None:
    path = data / "documents/dedoc" / name
    assert_same_place(marked_area(render(path, page, words, width_px=WIDTH)), place_of(path, page, words))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_quote_on_a_turned_page_is_marked(data: Path, tmp_path: Path, degrees: int) -> None:
    writer = PdfWriter(clone_from=PdfReader(data / "documents/dedoc/pdf_with_text_layer/example.pdf"))
    writer.pages[0].rotate(degrees)
    writer.write(tmp_path / "turned.pdf")
    png = render(tmp_path / "turned.pdf", 1, "Определим опрделения", width_px=WIDTH)
    assert_same_place(marked_area(png), place_of(tmp_path / "turned.pdf", 1, "Определим опрделения"))


@pytest.mark.parametrize("name", ["laws/14_dev_direct.pdf", "laws/fstec_1_cut.pdf", "pdf_with_text_layer/cp1251.pdf"])
def test_every_sentence_of_the_text_we_keep_is_found_on_its_page(data: Path, name: str) -> None:
    path = data / "documents/dedoc" / name
    for page in pdf.read(path, Limits()).pages:
        with PdfiumDocument(path) as document:
            _, glyphs = document.render_with_glyphs((page.number or 0) - 1, width_px=WIDTH, max_pixels=10_000_000)
        placed = [(glyph.char, glyph.box) for glyph in glyphs]
        assert [
            line for line in page.text.splitlines() if any(map(str.isalnum, line)) and not find_boxes(line, placed)
        ] == []


@needs_ocr
@pytest.mark.parametrize(
    ("name", "page", "quote", "area"),
    [
        ("law/mintrud_order_112_scan.pdf", 2, "А. Котяков", Box(820, 300, 960, 350)),
        (
            "dedoc/laws/ukodeksrf.pdf",
            1,
            "Применение уголовного закона по аналогии не допускается.",
            Box(60, 760, 1000, 960),
        ),
    ],
)
def test_a_quote_on_a_scan_is_marked_by_ocr(data: Path, name: str, page: int, quote: str, area: Box) -> None:
    marked = marked_area(render(data / "documents" / name, page, quote, width_px=WIDTH))
    assert marked is not None
    assert area.left <= marked.left < marked.right <= area.right
    assert area.top <= marked.top < marked.bottom <= area.bottom


@needs_ocr
def test_a_quote_on_a_picture_is_marked(data: Path) -> None:
    path = data / "documents/dedoc/scanned/example_2_columns.png"
    marked = marked_area(render(path, 1, "However, as the number of training documents augments", width_px=WIDTH))
    assert marked is not None
    assert marked.right < WIDTH / 2  # in the left column
    assert 250 < marked.top < marked.bottom < 350


def test_without_tesseract_a_scan_is_drawn_unmarked(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    png = render(data / "documents/law/mintrud_order_112_scan.pdf", 2, "А. Котяков", width_px=WIDTH)
    assert marked_area(png) is None


def test_a_quote_that_is_not_there_marks_nothing(data: Path) -> None:
    path = data / "documents/dedoc/laws/fstec_1_cut.pdf"
    assert marked_area(render(path, 2, "о порядке предоставления отпусков работникам", width_px=WIDTH)) is None
    assert marked_area(render(path, 2, " —!", width_px=WIDTH)) is None


@pytest.mark.parametrize("page", [0, 10, -1])
def test_a_page_that_is_not_there_is_not_found(data: Path, page: int) -> None:
    with pytest.raises(NotFound):
        render(data / "documents/dedoc/pdf_with_text_layer/multipage.pdf", page, "")


def row(text: str, top: int = 0) -> list[tuple[str, Box]]:
    return [(char, Box(10 * n, top, 10 * n + 9, top + 12)) for n, char in enumerate(text)]


def test_case_spaces_hyphens_and_yo_do_not_matter() -> None:
    assert find_boxes("ЁЛКА, договора", row("елка дого-") + row("вора", 20)) == [Box(0, 0, 89, 12), Box(0, 20, 39, 32)]


def test_the_parts_that_are_found_are_marked() -> None:
    placed = row("один два три четыре пять шесть") + row("чужое", 20) + row("семь восемь девять", 40)
    assert len(find_boxes("один два три четыре пять шесть семь восемь девять", placed)) == 2
