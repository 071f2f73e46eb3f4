"""Plain text, in any encoding that Russian files have."""

from __future__ import annotations

from pathlib import Path

from core.types import ParsedDocument
from ingest.encoding import decode
from ingest.limits import Limits
from ingest.media_type import TEXT
from ingest.readers.contract import OnProgress
from ingest.readers.page_text import PageText


def read(path: Path, _limits: Limits, _on_progress: OnProgress) -> ParsedDocument:
    """Give the whole text as one page without a number, its lines and blank lines kept."""
    text = PageText()
    text.paragraph(decode(path.read_bytes()))
    return ParsedDocument(TEXT, (text.page(None),))
