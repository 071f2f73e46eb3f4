"""Tables in text: the delimiter is the one that cuts the lines most evenly."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from core.types import ParsedDocument
from ingest.encoding import decode
from ingest.limits import Limits
from ingest.media_type import CSV
from ingest.readers.contract import OnProgress
from ingest.readers.page_text import PageText
from ingest.reasons import too_much_text

# Russian Excel writes semicolons, so they win a tie with commas.
_DELIMITERS = (";", "\t", ",", "|")
_SAMPLE_ROWS = 50


def read(path: Path, limits: Limits, _on_progress: OnProgress) -> ParsedDocument:
    """Give the table as one page without a number; its first row is the header."""
    source = decode(path.read_bytes()).replace("\x00", "")
    csv.field_size_limit(limits.output_chars)
    text = PageText()
    try:
        text.table(table_rows(source))
    except csv.Error as exc:  # one cell is longer than all the text that a document may give
        raise too_much_text(limits) from exc
    return ParsedDocument(CSV, (text.page(None),))


def table_rows(source: str) -> Iterator[list[str]]:
    """The rows of a table in text, empty ones included, so that they count as a person counts them."""
    return _rows(source, _delimiter(source))


def _rows(source: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(source, newline=""), delimiter=delimiter, skipinitialspace=True)


def _delimiter(source: str) -> str:
    return max(_DELIMITERS, key=lambda delimiter: _evenness(source, delimiter))


def _evenness(source: str, delimiter: str) -> float:
    """Share of rows that have the usual number of cells, weighed up a little by that number; 0 if that is one."""
    widths = [len(row) for row in islice(_rows(source, delimiter), _SAMPLE_ROWS) if row]
    usual = max(set(widths), key=widths.count, default=1)
    return widths.count(usual) / len(widths) * (1 - 0.1 / usual) if usual > 1 else 0.0
