"""OCR within what a document may cost: each page has its time, and all of them leave some for the rest of the work."""

from __future__ import annotations

import time
from collections.abc import Callable

from ingest.limits import Limits
from ingest.ocr import OcrFailed, Tesseract, text_of
from ingest.page_faults import Fault
from ingest.raster import Raster

MAX_PIXELS = 60_000_000
"""Of a page or an image: a photograph of 50 megapixels is read, a bomb is not."""

_SHARE_OF_TIME = 0.85


class Recognition:
    """Tesseract, if this machine has it, and the time that is left for it.

    Stops before the document's time is up, so that the pages read so far are kept.
    """

    def __init__(
        self, tesseract: Tesseract | None, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tesseract = tesseract
        self._page_timeout_s = limits.ocr_page_timeout_s
        self._clock = clock
        self._ends_at = clock() + _SHARE_OF_TIME * limits.timeout_s

    def read(self, raster: Raster, *, without: Fault) -> tuple[str, Fault | None]:
        """Text of a picture, and what went wrong; `without` is what is wrong with the page if there is no Tesseract."""
        if self._tesseract is None:
            return "", without
        left_s = min(self._page_timeout_s, self._ends_at - self._clock())
        if left_s <= 0:
            return "", Fault.TOO_SLOW
        try:
            text = text_of(self._tesseract.read(raster, timeout_s=left_s))
        except OcrFailed as exc:
            return "", Fault.TOO_SLOW if exc.code == "ocr_timeout" else Fault.NOT_RECOGNISED
        return text, None if text else Fault.NOT_RECOGNISED
