"""Pictures of documents."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from core.errors import UnreadableDocument
from ingest.limits import Limits
from ingest.ocr import Tesseract
from ingest.readers import image

LIMITS = Limits()
needs_ocr = pytest.mark.skipif(Tesseract.find() is None, reason="needs tesseract with rus")


@pytest.fixture(scope="module")
def scanned(data: Path) -> Path:
    return data / "documents/dedoc/scanned"


@needs_ocr
def test_a_coarse_scan_lying_on_its_side_is_read(scanned: Path) -> None:
    document = image.read(scanned / "scan_orient_1.jpg", LIMITS)
    assert document.media_type == "image/jpeg"
    text = document.pages[0].text
    assert "5. ФОРС-МАЖОР\n5.1. Стороны освобождаются от ответственности за неисполнение" in text
    assert "6.1. Договор действует в течение 1 (одного) года с даты его заключения." in text


@needs_ocr
def test_two_columns_are_read_one_after_the_other(scanned: Path) -> None:
    text = image.read(scanned / "example_2_columns.png", LIMITS).pages[0].text
    assert "In Fig. 3, we show the learning curves obtained with three different models" in text
    assert text.index("replace this step with a trainable model") < text.index("Nakagawa")


@needs_ocr
@pytest.mark.parametrize("degrees", [90, 180])
def test_a_turned_page_is_read(scanned: Path, tmp_path: Path, degrees: int) -> None:
    with Image.open(scanned / "scan_orient_1.jpg") as scan:
        upright = Image.new("RGB", scan.size)
        upright.paste(scan)
    upright.rotate(degrees, expand=True).save(tmp_path / "turned.bmp")
    assert "Договор может быть изменен" in image.read(tmp_path / "turned.bmp", LIMITS).pages[0].text


@needs_ocr
def test_every_frame_of_a_tiff_is_a_page(scanned: Path, tmp_path: Path) -> None:
    with Image.open(scanned / "scan_orient_1.jpg") as scan:
        first, blank = scan.convert("L"), Image.new("L", (800, 1000), 250)
        first.save(tmp_path / "fax.tiff", save_all=True, append_images=[blank, first])
    seen: list[tuple[int, int]] = []
    document = image.read(tmp_path / "fax.tiff", LIMITS, lambda *p: seen.append(p))
    assert [bool(page.text) for page in document.pages] == [True, False, True]
    assert document.problem is None
    assert seen == [(1, 3), (2, 3), (3, 3)]


@needs_ocr
@pytest.mark.parametrize(("name", "mode"), [("a.webp", "RGBA"), ("a.png", "P"), ("a.gif", "P"), ("a.tiff", "1")])
def test_other_kinds_and_colours_are_read(scanned: Path, tmp_path: Path, name: str, mode: str) -> None:
    with Image.open(scanned / "example_2_columns.png") as scan:
        scan.crop((0, 0, 700, 700)).resize((1400, 1400)).convert(mode).save(tmp_path / name)
    assert "learning curves" in image.read(tmp_path / name, LIMITS).pages[0].text


def test_without_tesseract_the_reason_says_what_to_install(scanned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnreadableDocument, match="tesseract-ocr-rus") as caught:
        image.read(scanned / "scan_orient_1.jpg", LIMITS)
    assert caught.value.code == "no_text"


@pytest.mark.parametrize("side", [8_000, 20_000])
def test_a_decompression_bomb_is_refused(tmp_path: Path, side: int) -> None:
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    with pytest.raises(UnreadableDocument) as caught:
        image.read(tmp_path / "bomb.png", LIMITS)
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0 no image", b"%PDF-1.7"])
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnreadableDocument) as caught:
        image.read(tmp_path / "a.png", LIMITS)
    assert caught.value.code == "damaged"


def test_half_an_image_is_refused(scanned: Path, tmp_path: Path) -> None:
    whole = (scanned / "example_2_columns.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableDocument) as caught:
        image.read(tmp_path / "half.png", LIMITS)
    assert caught.value.code == "damaged"


def test_too_many_frames_are_refused(tmp_path: Path) -> None:
    frame = Image.new("L", (8, 8))
    frame.save(tmp_path / "a.tiff", save_all=True, append_images=[frame] * 5)
    with pytest.raises(UnreadableDocument) as caught:
        image.read(tmp_path / "a.tiff", Limits(max_pages=5))
    assert caught.value.code == "too_many_pages"
