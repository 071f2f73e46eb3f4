"""The readers, one module a format. Each is imported when its first file comes: the parser child stays small."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import cast

from core.errors import ServiceError
from core.types import ParsedDocument
from ingest import media_type as mt
from ingest.limits import Limits
from ingest.readers.contract import OnProgress, Reader
from ingest.reasons import no_text, too_many_pages, too_much_text, unexpected_content

_LOG = logging.getLogger(__name__)
_MODULES = MappingProxyType(
    {
        mt.TEXT: "text",
        mt.MARKDOWN: "markdown",
        mt.HTML: "html",
        mt.CSV: "csv",
        mt.DOCX: "docx",
        mt.PPTX: "pptx",
        mt.XLSX: "spreadsheet",
        mt.XLS: "old_spreadsheet",
        **dict.fromkeys((mt.DOC, mt.RTF, mt.ODT, mt.PPT, mt.ODP, mt.ODS), "office"),
        mt.EML: "email",
        mt.ZIP: "archive",
        mt.PDF: "pdf",
        **dict.fromkeys((mt.PNG, mt.JPEG, mt.TIFF, mt.BMP, mt.GIF, mt.WEBP), "image"),
    }
)


def read(path: Path, name: str, limits: Limits, on_progress: OnProgress) -> ParsedDocument:
    """Find out what the file is, and read it. `name` is what it was uploaded as.

    Raises `UnreadableDocument` or `UnsupportedType` and nothing else, but `MemoryError`.
    """
    media_type = mt.detect(path, name)
    reader = cast(Reader, import_module(f"{__name__}.{_MODULES[media_type]}").read)
    try:
        parsed = reader(path, limits, on_progress)
    except (ServiceError, MemoryError):
        raise
    except Exception as exc:  # whatever a parser throws at an odd file is a reason, and the next file must be read
        _LOG.warning("reader of %s failed", media_type, exc_info=True)
        raise unexpected_content() from exc
    return _checked(replace(parsed, media_type=media_type), limits)


def _checked(parsed: ParsedDocument, limits: Limits) -> ParsedDocument:
    chars = sum(len(page.text) for page in parsed.pages)
    if len(parsed.pages) > limits.max_pages:
        raise too_many_pages(len(parsed.pages), limits)
    if chars > limits.output_chars:
        raise too_much_text(limits)
    if not any(page.text.strip() for page in parsed.pages):
        raise no_text()
    return parsed
