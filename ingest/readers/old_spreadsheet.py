"""Excel workbooks of the old format (XLS): a page a sheet."""

from __future__ import annotations

import os
import struct
from datetime import datetime, time
from pathlib import Path
from typing import Any

import xlrd

from core.types import ParsedDocument
from ingest.limits import Limits
from ingest.media_type import XLS
from ingest.readers.contract import OnProgress
from ingest.readers.sheet_page import sheet_page
from ingest.readers.sheet_values import shown
from ingest.reasons import damaged, password_protected

_KIND = "книга Excel старого формата"
# xlrd checks what it reads by assertions, and trusts lengths that a damaged file has wrong.
_OF_DAMAGE = (AssertionError, LookupError, ValueError, struct.error)


def read(path: Path, _limits: Limits, on_progress: OnProgress) -> ParsedDocument:
    """Give one page a sheet; its number is the sheet's place in the workbook."""
    book = _opened(path)
    pages = []
    for number, sheet in enumerate(book.sheets(), 1):
        rows = [[_value(book, cell) for cell in sheet.row(index)] for index in range(sheet.nrows)]
        pages.append(sheet_page(number, sheet.name, rows))
        on_progress(number, book.nsheets)
    return ParsedDocument(XLS, tuple(pages))


def _opened(path: Path) -> Any:
    try:
        with Path(os.devnull).open("w") as log:
            return xlrd.open_workbook(str(path), formatting_info=True, ragged_rows=True, logfile=log)
    except (xlrd.XLRDError, xlrd.compdoc.CompDocError, *_OF_DAMAGE) as exc:
        raise password_protected() if "encrypted" in str(exc).lower() else damaged(_KIND) from exc


def _value(book: Any, cell: Any) -> str:
    if cell.ctype == xlrd.XL_CELL_DATE:
        return shown(_moment(cell.value, book.datemode))
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return shown(bool(cell.value))
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, ""))
    if cell.ctype == xlrd.XL_CELL_NUMBER:
        return shown(cell.value, book.format_map[book.xf_list[cell.xf_index].format_key].format_str)
    return str(cell.value)


def _moment(value: float, datemode: int) -> datetime | time | float:
    """A fraction of a day is a time; what is no date at all stays a number."""
    try:
        moment: datetime = xlrd.xldate_as_datetime(value, datemode)
    except (ValueError, OverflowError):
        return value
    return moment.time() if 0 <= value < 1 else moment
