"""A PDF as pdfium sees it: page count, text with the place of every character, pictures.

The only module that knows pypdfium2. Not safe to use from two threads, as pdfium is not.
"""

from __future__ import annotations

import ctypes
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pypdfium2
from pypdfium2 import raw

from core.errors import UnreadableDocument
from ingest import reasons
from ingest.raster import Box, Raster

_log = logging.getLogger(__name__)
_POINTS_PER_INCH = 72
_LINE_END_HYPHEN = "\ufffe"


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character and where it stands on the rendered page."""

    char: str
    box: Box


class PdfiumDocument:
    """An open PDF; close it, or use it as a context. Pages are counted from 0.

    Raises `UnreadableDocument`: `encrypted` when the empty password does not open it, `damaged` when nothing does.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._pdf = pypdfium2.PdfDocument(path)
            if self._pdf.get_formtype() == raw.FORMTYPE_ACRO_FORM:
                self._pdf.init_forms()  # so that filled-in fields are drawn
        except pypdfium2.PdfiumError as exc:
            if exc.err_code == raw.FPDF_ERR_PASSWORD:
                raise reasons.password_protected() from exc
            raise reasons.damaged("документ PDF") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back pdfium's memory."""
        self._pdf.close()

    @property
    def page_count(self) -> int:
        """As the file's page tree says."""
        return len(self._pdf)

    def text(self, index: int) -> str | None:
        """Text of a page, lines ended by `\\n`; None where pdfium cannot read the page."""
        try:
            with self._text_page(index) as (_page, text_page):
                return str(text_page.get_text_range()).replace("\r\n", "\n").replace(_LINE_END_HYPHEN, "-\n")
        except pypdfium2.PdfiumError:
            _log.debug("pdfium gives up: page %d", index, exc_info=True)
            return None

    def text_by_lines(self, index: int) -> str | None:
        """As `text`, and a new line wherever the pen goes back and down: pdfium alone runs short table rows together.

        Three calls a character, so about ten times slower than `text`.
        """
        try:
            with self._text_page(index) as (_page, text_page):
                return "".join(_broken_into_lines(text_page))
        except pypdfium2.PdfiumError:
            return None

    def image_share(self, index: int) -> float:
        """Share of the page that pictures cover, from 0 to 1."""
        try:
            with self._page(index) as page:
                images = page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)
                covered = sum(_area(*image.get_bounds()) for image in images)
                return min(1.0, covered / max(1.0, _area(0, 0, *page.get_size())))
        except pypdfium2.PdfiumError:
            return 0.0

    def render(self, index: int, *, dpi: float, max_pixels: int) -> Raster | None:
        """Draw a page in grey as a reader sees it, at less than `dpi` where it would pass `max_pixels`.

        None where the page cannot be drawn.
        """
        try:
            with self._page(index) as page:
                scale = _bounded(page, dpi / _POINTS_PER_INCH, max_pixels)
                return Raster(page.render(scale=scale, grayscale=True).to_pil())
        except (pypdfium2.PdfiumError, ValueError):
            _log.debug("pdfium cannot draw page %d", index, exc_info=True)
            return None

    def render_with_glyphs(self, index: int, *, width_px: int, max_pixels: int) -> tuple[Raster, list[Glyph]]:
        """Draw a page in colour, and say where each character of its text layer stands on the picture.

        Raises `UnreadableDocument` where the page cannot be drawn.
        """
        try:
            with self._text_page(index) as (page, text_page):
                scale = _bounded(page, width_px / max(1.0, page.get_width()), max_pixels)
                bitmap = page.render(scale=scale, rev_byteorder=True)
                glyphs = list(_glyphs(text_page, bitmap.get_posconv(page)))
                return Raster(bitmap.to_pil().convert("RGB")), glyphs
        except (pypdfium2.PdfiumError, ValueError) as exc:
            raise UnreadableDocument("damaged", f"Страницу {index + 1} не удалось нарисовать: она повреждена.") from exc

    @contextmanager
    def _page(self, index: int) -> Iterator[Any]:
        page = self._pdf[index]
        try:
            yield page
        finally:
            page.close()

    @contextmanager
    def _text_page(self, index: int) -> Iterator[tuple[Any, Any]]:
        with self._page(index) as page:
            text_page = page.get_textpage()
            try:
                yield page, text_page
            finally:
                text_page.close()


def _bounded(page: Any, scale: float, max_pixels: int) -> float:
    return min(scale, math.sqrt(max_pixels / max(1.0, _area(0, 0, *page.get_size()))))


def _area(left: float, bottom: float, right: float, top: float) -> float:
    return (right - left) * (top - bottom)


def _broken_into_lines(text_page: Any) -> Iterator[str]:
    previous: tuple[float, float, float, float] | None = None
    gap = ""
    for index in range(text_page.count_chars()):
        char = chr(raw.FPDFText_GetUnicode(text_page, index))
        if char.isspace():
            gap = "\n" if char in "\r\n" or gap == "\n" else char
            continue
        box = text_page.get_charbox(index)
        if previous and box[3] < previous[1] and box[0] < previous[0]:
            gap = "\n"
        yield f"{gap}-\n" if char == _LINE_END_HYPHEN else gap + char
        previous, gap = box, ""


def _glyphs(text_page: Any, position: Any) -> Iterator[Glyph]:
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    for index in range(text_page.count_chars()):
        if raw.FPDFText_GetCharBox(text_page, index, left, right, bottom, top):
            x1, y1 = position.to_bitmap(left.value, bottom.value)
            x2, y2 = position.to_bitmap(right.value, top.value)
            box = Box(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
            yield Glyph(chr(raw.FPDFText_GetUnicode(text_page, index)), box)
