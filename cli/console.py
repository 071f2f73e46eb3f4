"""What the person at the console sees: plain lines, errors on the other stream."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from core.errors import ServiceError
from core.logs import visible


def say(text: str = "", *, end: str = "\n") -> None:
    """Write to standard output at once, so that progress shows through a pipe too."""
    sys.stdout.write(f"{text}{end}")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Write one line to standard error."""
    sys.stdout.flush()
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn an error of ours into its Russian sentence and exit code 1; anything else keeps its traceback."""
    try:
        yield
    except ServiceError as exc:
        complain(exc.detail)
        sys.exit(1)
    except BrokenPipeError:
        # The reader left (`znayka documents | head`): not an error, but the interpreter would still try to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows in columns as wide as their longest cell; the last column is not padded."""
    rows = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        say("  ".join(cells).rstrip())


def size(size_bytes: float) -> str:
    """A size in the unit a person would choose."""
    for unit in ("Б", "КБ", "МБ"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} ГБ"
