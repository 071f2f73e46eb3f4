"""The picture of a page with the quoted words gone over with a marker: where an answer's citation opens."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from core.errors import NotFound
from ingest.ocr import OcrFailed, Tesseract
from ingest.pdfium import PdfiumDocument
from ingest.raster import Box, Raster, open_image
from ingest.recognition import MAX_PIXELS
from ingest.text_quality import is_broken, repair_mojibake

_OCR_WIDTH_PX = 2480
_OCR_TIMEOUT_S = 30.0
_PIECE_WORDS = 6
_PDF_HEAD_BYTES = 1024

Placed = tuple[str, Box]
"""A character or a word and its place."""


def render(path: Path, page_number: int, quote: str, *, width_px: int = 1200) -> bytes:
    """Draw page `page_number`, counted from 1, of a PDF or an image as a PNG, `quote` marked where it is found.

    Words are found in the text layer, else by OCR where Tesseract is installed; white space, hyphens and punctuation do
    not matter. A quote that is nowhere on the page leaves it unmarked.
    Raises `NotFound` for a page that is not there and `UnreadableDocument` for one that cannot be drawn.
    """
    raster, placed = _drawn(path, page_number - 1, width_px)
    boxes = find_boxes(quote, placed)
    if not boxes and quote.strip() and _is_unreadable(placed):
        boxes = find_boxes(quote, _recognised(path, page_number - 1, raster.width))
    return (raster.marked(boxes) if boxes else raster).png()


def find_boxes(quote: str, placed: Iterable[Placed]) -> list[Box]:
    """Boxes around the words of `quote`, one or more a line; around the parts that are found if the whole is not."""
    places = [(char, box) for text, box in placed for char in _key(text)]
    keys = "".join(char for char, _ in places)
    return [box for start, end in _spans(quote, keys) for box in _by_line([box for _, box in places[start:end]])]


def _spans(quote: str, keys: str) -> Iterator[tuple[int, int]]:
    whole = _key(quote)
    start = keys.find(whole)
    if not whole:
        return
    if start >= 0:
        yield start, start + len(whole)
        return
    words = quote.split()
    for first in range(0, len(words), _PIECE_WORDS):
        piece = _key(" ".join(words[first : first + _PIECE_WORDS]))
        start = keys.find(piece)
        if start >= 0 and len(piece) > _PIECE_WORDS:
            yield start, start + len(piece)


def _key(text: str) -> str:
    """What of a text is compared: letters and digits, without case, ё as е."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    return "".join(filter(str.isalnum, folded))


def _by_line(boxes: Sequence[Box]) -> list[Box]:
    """Join neighbouring boxes that stand on one line."""
    lines: list[Box] = []
    for box in boxes:
        if lines and _follows(lines[-1], box):
            lines[-1] = lines[-1].joined(box)
        else:
            lines.append(box)
    return lines


def _follows(line: Box, box: Box) -> bool:
    height = max(1, line.bottom - line.top)
    overlap = min(line.bottom, box.bottom) - max(line.top, box.top)
    return overlap > 0.3 * min(height, max(1, box.bottom - box.top)) and -height < box.left - line.right < 3 * height


def _drawn(path: Path, index: int, width_px: int) -> tuple[Raster, list[Placed]]:
    """A page's picture and its text layer: as it is, or mended as its reader mends it."""
    if not _is_pdf(path):
        return _frame(path, index, width_px), []
    with PdfiumDocument(path) as pdf:
        _check(index, pdf.page_count)
        raster, glyphs = pdf.render_with_glyphs(index, width_px=width_px, max_pixels=MAX_PIXELS)
    mended = repair_mojibake("".join(glyph.char for glyph in glyphs))
    chars = mended or (glyph.char for glyph in glyphs)
    return raster, [(char, glyph.box) for char, glyph in zip(chars, glyphs, strict=True)]


def _frame(path: Path, index: int, width_px: int) -> Raster:
    with open_image(path, max_pixels=MAX_PIXELS) as image:
        _check(index, image.frame_count)
        frame = image.frame(index)
        return frame.scaled(width_px / frame.width)


def _recognised(path: Path, index: int, width_px: int) -> list[Placed]:
    """Words that Tesseract sees on the page, placed on a picture `width_px` wide; none without it."""
    tesseract = Tesseract.find()
    if tesseract is None:
        return []
    large, _ = _drawn(path, index, _OCR_WIDTH_PX)
    try:
        words = tesseract.read(large, timeout_s=_OCR_TIMEOUT_S)
    except OcrFailed:
        return []
    return [(word.text, word.box.scaled(width_px / large.width)) for word in words]


def _is_unreadable(placed: Sequence[Placed]) -> bool:
    text = re.sub(r"\s+", " ", "".join(char for char, _ in placed))
    return len(text) < 100 or is_broken(text)


def _check(index: int, count: int) -> None:
    if not 0 <= index < count:
        raise NotFound("page_not_found", f"В документе нет страницы {index + 1}: всего страниц {count}.")


def _is_pdf(path: Path) -> bool:
    with path.open("rb") as file:
        return b"%PDF" in file.read(_PDF_HEAD_BYTES)
