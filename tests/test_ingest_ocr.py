"""Tesseract: found, asked, given up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ingest.limits import Limits
from ingest.ocr import OcrFailed, Tesseract, Word, text_of
from ingest.page_faults import Fault
from ingest.raster import Box, Raster, open_image
from ingest.recognition import Recognition

BOX = Box(0, 0, 1, 1)


@pytest.fixture(scope="module")
def scan(data: Path) -> Raster:
    with open_image(data / "documents/dedoc/scanned/scan_orient_1.jpg", max_pixels=10_000_000) as image:
        return image.frame(0)


def pretend_tesseract(folder: Path, languages: str, otherwise: str) -> None:
    script = folder / "tesseract"
    script.write_text(f'#!/bin/sh\nif [ "$1" = --list-langs ]; then echo "{languages}"; exit 0; fi\n{otherwise}\n')
    script.chmod(0o755)


def test_a_machine_without_tesseract_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Tesseract.find() is None


def test_tesseract_without_russian_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_tesseract(tmp_path, "eng osd", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Tesseract.find() is None


def test_a_page_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scan: Raster) -> None:
    pretend_tesseract(tmp_path, "rus", "exec /bin/sleep 60")
    monkeypatch.setenv("PATH", str(tmp_path))
    tesseract = Tesseract.find()
    assert tesseract is not None
    started = time.monotonic()
    with pytest.raises(OcrFailed) as caught:
        tesseract.read(scan, timeout_s=0.5)
    assert caught.value.code == "ocr_timeout"
    assert time.monotonic() - started < 5


def test_a_crash_loses_the_page_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scan: Raster) -> None:
    pretend_tesseract(tmp_path, "rus", "kill -SEGV $$")
    monkeypatch.setenv("PATH", str(tmp_path))
    recognition = Recognition(Tesseract.find(), Limits())
    assert recognition.read(scan, without=Fault.PICTURE) == ("", Fault.NOT_RECOGNISED)


def test_no_page_starts_when_the_time_is_up(scan: Raster) -> None:
    clock = iter([0.0, 600.0]).__next__
    recognition = Recognition(Tesseract("/bin/false", "rus", False), Limits(timeout_s=600), clock)
    assert recognition.read(scan, without=Fault.PICTURE) == ("", Fault.TOO_SLOW)


def test_without_tesseract_the_page_keeps_its_fault(scan: Raster) -> None:
    assert Recognition(None, Limits()).read(scan, without=Fault.BROKEN) == ("", Fault.BROKEN)


@pytest.mark.skipif(Tesseract.find() is None, reason="needs tesseract with rus")
def test_words_stand_where_they_are_printed(scan: Raster) -> None:
    tesseract = Tesseract.find()
    assert tesseract is not None
    words = tesseract.read(scan, timeout_s=60)
    heading = next(word for word in words if word.text == "ФОРС-МАЖОР")
    paper = next(word for word in words if word.text == "БИК")
    assert all(
        0 <= w.box.left < w.box.right <= scan.width and 0 <= w.box.top < w.box.bottom <= scan.height for w in words
    )
    # The camera's note turns this scan on its side, so that its last line stands left of its first.
    assert paper.box.right < heading.box.left


def word(text: str, line: int, confidence: float = 95.0, paragraph: int = 1) -> Word:
    return Word(text, BOX, (1, paragraph, line), confidence)


def test_paragraphs_are_parted_by_an_empty_line() -> None:
    words = [word("Первая", 1), word("строка", 1), word("вторая", 2), word("Абзац", 1, paragraph=2)]
    assert text_of(words) == "Первая строка\nвторая\n\nАбзац"


def test_what_tesseract_doubts_is_left_out() -> None:
    assert text_of([word("Приказ", 1), word("#%", 1, 12.0)]) == "Приказ"
    assert text_of([word("Le.", 1, 20.0), word("a", 1, 60.0), word("L|", 1, 30.0)]) == ""


def test_latin_twins_in_a_russian_line_are_russian() -> None:
    assert (
        text_of([word("B", 1), word("АКБ", 1), word("Ha", 1), word("сайте", 1), word("PDF", 1)]) == "В АКБ На сайте PDF"
    )
    assert text_of([word("A", 1), word("copy", 1), word("of", 1), word("it", 1)]) == "A copy of it"
    assert text_of([word("закон", 1), word("М", 1), word("63-ФЗ", 1)]) == "закон N 63-ФЗ"
