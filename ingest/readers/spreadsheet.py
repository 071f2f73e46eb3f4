"""Excel workbooks (XLSX): a page a sheet, with the values that Excel saved for formulas."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from core.types import ParsedDocument
from ingest.limits import Limits
from ingest.media_type import XLSX
from ingest.readers.contract import OnProgress
from ingest.readers.ooxml import Package
from ingest.readers.sheet_page import sheet_page
from ingest.readers.sheet_values import shown
from ingest.reasons import damaged, too_much_text

_KIND = "книга Excel"
# What openpyxl lets through of a file that breaks its own rules: a shared string that is none is an `IndexError`.
_DAMAGE = (InvalidFileException, zipfile.BadZipFile, LookupError, ValueError, TypeError, SyntaxError)


def read(path: Path, limits: Limits, on_progress: OnProgress) -> ParsedDocument:
    """Give one page a sheet; its number is the sheet's place in the workbook."""
    with Package(path, limits, _KIND) as package:  # checks for a password, a broken archive and the size inside
        package.refuse_entities()
    try:
        # Given a path, openpyxl insists on the ending of the name, which stored files do not have.
        with path.open("rb") as file:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            sheets = book.worksheets
            pages = []
            for number, sheet in enumerate(sheets, 1):
                pages.append(sheet_page(number, sheet.title, list(_rows(sheet, limits))))
                on_progress(number, len(sheets))
    except _DAMAGE as exc:
        raise damaged(_KIND) from exc
    return ParsedDocument(XLSX, tuple(pages))


def first_sheet(path: Path, limits: Limits) -> list[list[str]]:
    """The rows of the first sheet, empty ones included up to the last that is not, so that they keep their numbers."""
    with Package(path, limits, _KIND) as package:
        package.refuse_entities()
    try:
        with path.open("rb") as file:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            return list(_every_row(book.worksheets[0], limits)) if book.worksheets else []
    except _DAMAGE as exc:
        raise damaged(_KIND) from exc


def _rows(sheet: Any, limits: Limits) -> Iterator[list[str]]:
    return (row for row in _every_row(sheet, limits) if any(row))


def _every_row(sheet: Any, limits: Limits) -> Iterator[list[str]]:
    """Rows as they are written: the size that the file declares is often wrong, and may be a million blanks."""
    sheet.reset_dimensions()
    chars = 0
    for cells in sheet.iter_rows():
        row = [shown(cell.value, getattr(cell, "number_format", "General")) for cell in cells]
        chars += sum(map(len, row))
        if chars > limits.output_chars:
            raise too_much_text(limits)
        yield row
