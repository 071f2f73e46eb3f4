"""Pictures of documents (PNG, JPEG, TIFF of many pages, BMP, WebP): their text by OCR."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.types import ParsedDocument
from ingest.limits import Limits
from ingest.media_type import detect
from ingest.ocr import Tesseract
from ingest.page_faults import Fault, check_page_count, conclude
from ingest.paragraphs import pages_of
from ingest.raster import open_image
from ingest.recognition import MAX_PIXELS, Recognition


def read(path: Path, limits: Limits, on_progress: Callable[[int, int], None] | None = None) -> ParsedDocument:
    """Recognise the frames of an image file, one page each; an empty text for a blank one.

    Raises `UnreadableDocument`: `damaged`, `image_too_large`, `too_many_pages`, `no_text`.
    """
    recognition = Recognition(Tesseract.find(), limits)
    texts: list[str] = []
    faults: dict[int, Fault] = {}
    with open_image(path, max_pixels=MAX_PIXELS) as image:
        total = check_page_count(image.frame_count, limits)
        for number, frame in enumerate(image, 1):
            text, fault = ("", None) if frame.is_blank else recognition.read(frame, without=Fault.PICTURE)
            texts.append(text)
            if fault:
                faults[number] = fault
            if on_progress:
                on_progress(number, total)
    return conclude(detect(path, path.name), pages_of(texts), faults)
