"""The text layer of a PDF as pypdf reads it. The only module that knows pypdf."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pypdf import PageObject, PdfReader
from pypdf.generic import DictionaryObject

_log = logging.getLogger(__name__)
_PAGE_CPU_S = 10.0
_AGAIN_S = 0.5
_FIELDS_OF_TEXT = ("/Tx", "/Ch")


class PypdfText:
    """Pages of one file, asked for one at a time.

    A page that pypdf cannot read, or not within its share of processor time, is None: the caller has a second parser,
    so no fault of this one is worth more than a line in the log.
    """

    def __init__(self, path: Path, *, cpu_s: float) -> None:
        logging.getLogger("pypdf").setLevel(logging.CRITICAL)
        self._left_s = cpu_s
        self._reader: PdfReader | None = None
        self.page_count: int | None = None
        """None when pypdf cannot open the file."""
        with self._survived("opening"):
            reader = PdfReader(path)
            self.page_count = len(reader.pages)
            self._reader = reader

    def text(self, index: int) -> str | None:
        """Text of page `index`, counted from 0."""
        reader = self._reader
        if reader is None or self._left_s <= 0:
            return None
        with self._survived(f"page {index}"):
            return reader.pages[index].extract_text()
        return None

    def form_values(self, index: int) -> tuple[str, ...]:
        """What is filled into the fields of a page, after the field's title if it has one: no text layer holds it."""
        if self._reader is None or self._left_s <= 0:
            return ()
        with self._survived(f"form of page {index}"):
            return tuple(_form_values(self._reader.pages[index]))
        return ()

    @contextmanager
    def _survived(self, what: str) -> Iterator[None]:
        started = time.process_time()
        try:
            with _cpu_limit(min(_PAGE_CPU_S, self._left_s)):
                yield
        except _OutOfTime:
            _log.info("pypdf gives up: %s takes too long", what)
        except Exception:  # noqa: BLE001 - a broken file raises anything here, and the second parser takes over
            _log.debug("pypdf gives up: %s", what, exc_info=True)
        finally:
            self._left_s -= time.process_time() - started


def _form_values(page: PageObject) -> Iterator[str]:
    for annotation in page.annotations or ():
        field = annotation.get_object()
        if not isinstance(field, DictionaryObject) or field.get("/Subtype") != "/Widget":
            continue
        value = field.get_inherited("/V")
        if field.get_inherited("/FT") in _FIELDS_OF_TEXT and isinstance(value, str) and value.strip():
            title = field.get_inherited("/TU")
            yield f"{title}: {value.strip()}" if isinstance(title, str) else value.strip()


class _OutOfTime(BaseException):
    """Not an Exception, because pypdf swallows those."""


@contextmanager
def _cpu_limit(seconds: float) -> Iterator[None]:
    """Raise `_OutOfTime` after so many seconds of processor time; signals reach the main thread only.

    It is raised again and again, because what is raised while memory is being collected gets lost.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _OutOfTime

    previous = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
