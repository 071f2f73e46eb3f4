"""PDF: the text layer by two parsers, and OCR for the pages whose layer is missing or broken.

pypdf reads each page, and so does pdfium, which costs a tenth of it; pdfium's text is taken where pypdf fails, loses
letters, or tears words apart and runs them together. The text of a page is paragraphs (`ingest.paragraphs`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import UnreadableDocument
from core.types import ParsedDocument
from ingest.limits import Limits
from ingest.media_type import PDF
from ingest.ocr import Tesseract
from ingest.page_faults import Fault, check_page_count, conclude
from ingest.paragraphs import pages_of
from ingest.pdfium import PdfiumDocument
from ingest.pypdf_text import PypdfText
from ingest.recognition import MAX_PIXELS, Recognition
from ingest.text_quality import is_broken, is_second_better, repair_mojibake

_OCR_DPI = 300
_PYPDF_SHARE_OF_CPU = 1 / 3
_STAMP_CHARS = 100
_SCAN_IMAGE_SHARE = 0.5


def read(path: Path, limits: Limits, on_progress: Callable[[int, int], None] | None = None) -> ParsedDocument:
    """Read a PDF page by page, an empty text for a blank page; `on_progress` hears pages done and their number.

    Raises `UnreadableDocument`: `encrypted`, `damaged`, `no_pages`, `too_many_pages`, `no_text`.
    """
    pypdf = PypdfText(path, cpu_s=limits.cpu_s * _PYPDF_SHARE_OF_CPU)
    try:
        pdf = PdfiumDocument(path)
    except UnreadableDocument:
        # pdfium calls a file without pages locked by a password
        if pypdf.page_count is None:
            raise
        readings = _read_all(check_page_count(pypdf.page_count, limits), _one_parser(pypdf), on_progress)
    else:
        with pdf:
            reader = _PageReader(pdf, pypdf, Recognition(Tesseract.find(), limits))
            readings = _read_all(check_page_count(pdf.page_count, limits), reader.read, on_progress)
    faults = {number: reading.fault for number, reading in enumerate(readings, 1) if reading.fault}
    return conclude(PDF, pages_of([reading.text for reading in readings]), faults)


@dataclass(frozen=True, slots=True)
class _Reading:
    text: str
    fault: Fault | None = None


_ReadPage = Callable[[int], _Reading]


def _read_all(count: int, read_page: _ReadPage, on_progress: Callable[[int, int], None] | None) -> list[_Reading]:
    readings = []
    for index in range(count):
        readings.append(read_page(index))
        if on_progress:
            on_progress(index + 1, count)
    return readings


def _one_parser(pypdf: PypdfText) -> _ReadPage:
    """Read with pypdf alone what pdfium does not open: no picture of a page, so no OCR."""

    def read_page(index: int) -> _Reading:
        text = pypdf.text(index) or ""
        if is_broken(text):
            return _Reading("", Fault.BROKEN)
        return _Reading(text, None if text.strip() else Fault.DAMAGED)

    return read_page


class _PageReader:
    def __init__(self, pdf: PdfiumDocument, pypdf: PypdfText, recognition: Recognition) -> None:
        self._pdf = pdf
        self._pypdf = pypdf
        self._recognition = recognition

    def read(self, index: int) -> _Reading:
        layer = self._layer(index)
        if layer is not None and is_broken(layer):
            return self._recognised(index, layer="", without=Fault.BROKEN)
        size = sum(map(str.isalnum, layer or ""))
        if layer and (size >= _STAMP_CHARS or (size and self._pdf.image_share(index) < _SCAN_IMAGE_SHARE)):
            return _Reading(layer)
        return self._recognised(index, layer=layer or "", without=Fault.PICTURE)

    def _layer(self, index: int) -> str | None:
        """The better of the two parsers' texts; None where both fail."""
        first, second = self._pypdf.text(index), self._pdf.text(index)
        if second is not None and (first is None or is_second_better(first, second)):
            first = self._pdf.text_by_lines(index)
        layer = first and (repair_mojibake(first) or first)
        values = self._pypdf.form_values(index)
        return "\n".join([layer or "", "", *values]) if values else layer

    def _recognised(self, index: int, *, layer: str, without: Fault) -> _Reading:
        """Text off the picture of a page; `layer`, a mere stamp on a scan, is kept where OCR gives no more."""
        raster = self._pdf.render(index, dpi=_OCR_DPI, max_pixels=MAX_PIXELS)
        if raster is None:
            return _Reading(layer, Fault.DAMAGED)
        if raster.is_blank:
            return _Reading(layer)
        text, fault = self._recognition.read(raster, without=without)
        if layer and fault is Fault.NOT_RECOGNISED:
            return _Reading(layer)
        return _Reading(text if len(text) > len(layer) else layer, fault)
