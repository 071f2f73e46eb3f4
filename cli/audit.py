"""`znayka audit`: the log of who did what, as a file."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from cli.base import moment_of, opened_base

if TYPE_CHECKING:
    from retrieval.store.audit import Entry, Span
    from retrieval.store.database import Database

app = typer.Typer(help="Журнал доступа: кто что делал.", no_args_is_help=True)

PART = 1000  # entries in memory at once
COLUMNS = ("id", "at", "principal", "action", "object", "detail", "address")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Format(StrEnum):
    """A line of JSON an entry, or a table."""

    JSONL = "jsonl"
    CSV = "csv"


@app.callback()
def _audit() -> None:
    """Журнал доступа: кто что делал."""


@app.command()
def export(
    form: Annotated[Format, typer.Option("--format", help="Вид: строки JSON или таблица.")] = Format.JSONL,
    since: Annotated[str, typer.Option(help="Начиная с дня: 01.11.2026.")] = "",
    until: Annotated[str, typer.Option(help="До дня, не включая его.")] = "",
    output: Annotated[Path | None, typer.Option(help="Файл; без него — на экран.", show_default=False)] = None,
) -> None:
    """Выгрузить журнал, от старых записей к новым."""
    from retrieval.store.audit import Span

    span = Span(since=moment_of(since), until=moment_of(until))
    with opened_base() as database:
        if output is None:
            _write(sys.stdout, form, _entries(database, span))
            return
        with output.open("w", encoding="utf-8", newline="") as file:
            _write(file, form, _entries(database, span))


def _entries(database: Database, span: Span) -> Iterator[dict[str, object]]:
    from dataclasses import replace

    from retrieval.store import audit

    while True:
        with database.read() as conn:
            part = audit.listing(conn, span, limit=PART)
        yield from map(_row, part)
        if len(part) < PART:
            return
        span = replace(span, after=part[-1].id)


def _row(entry: Entry) -> dict[str, object]:
    event = entry.event
    at = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds")
    return dict(
        zip(
            COLUMNS,
            (entry.id, at, event.principal, event.action, event.object, dict(event.detail), event.address),
            strict=True,
        )
    )


def _write(file: TextIO, form: Format, rows: Iterator[dict[str, object]]) -> None:
    if form is Format.JSONL:
        file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        return
    table = csv.writer(file, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for row in rows:
        detail = json.dumps(row["detail"], ensure_ascii=False) if row["detail"] else ""
        table.writerow([_inert(str(cell)) for cell in (row | {"detail": detail}).values()])


def _inert(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula: names come from outside."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
