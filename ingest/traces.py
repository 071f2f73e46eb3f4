"""Excerpts of a document, and where in the bytes of a folder's files they stand: proof that something is gone."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.logs import escaped

EXCERPTS_MAX = 256
_LARGE_BYTES = 64 * 2**20  # of a larger file the excerpts are looked for by fours
_PLAIN = re.compile(r"[\w .,;:()/+@-]{20,40}")  # nothing that JSON or HTML would write otherwise
_SHORT = re.compile(r"[\w .,+@-]{10,40}")
_CHARACTERS_MIN = 8
_CODES = ("utf-8", "utf-16-le", "cp1251")


@dataclass(frozen=True, slots=True)
class Trace:
    """Bytes of an excerpt at path[start:end]."""

    path: Path
    start: int
    end: int


def excerpts(names: Iterable[str], texts: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """Return the names and excerpts spread over the texts, but none that stands in one of the `others`."""
    found = list(dict.fromkeys(piece for text in texts for piece in _pieces(text)))
    step = max(1, -(-len(found) // EXCERPTS_MAX))
    whole = (name for name in names if sum(map(str.isalnum, name)) >= _CHARACTERS_MIN)
    chosen = list(dict.fromkeys([*whole, *found[::step]]))
    for other in others:
        chosen = [piece for piece in chosen if piece not in other]
    return tuple(chosen)


def _pieces(text: str) -> Iterator[str]:
    for pattern in (_PLAIN, _SHORT):
        pieces = [match[0].strip() for match in pattern.finditer(text)]
        pieces = [piece for piece in pieces if sum(map(str.isalnum, piece)) >= _CHARACTERS_MIN]
        if pieces:
            yield from pieces
            return


def search(folder: Path, sought: Sequence[str], *, except_in: Sequence[Path] = ()) -> Iterator[Trace]:
    """Look for the excerpts, in several encodings, in the raw bytes of every file below a folder."""
    forms = list(dict.fromkeys(form for text in sought for form in _forms(text)))
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(path.is_relative_to(left_out) for left_out in except_in):
            yield from _search_file(path, forms)


def _search_file(path: Path, forms: Sequence[bytes]) -> Iterator[Trace]:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for form in forms if len(data) < _LARGE_BYTES else forms[::4]:
                at = data.find(form)
                while at >= 0:
                    yield Trace(path, at, at + len(form))
                    at = data.find(form, at + len(form))
    except (ValueError, FileNotFoundError):  # empty, or gone meanwhile
        return


def _forms(text: str) -> Iterator[bytes]:
    yield from _written(text)
    yield escaped(text).encode()  # as a log has it
    yield escaped(repr(text)[1:-1]).encode()  # and as one has it within an exception


def _written(text: str) -> Iterator[bytes]:
    for code in _CODES:
        try:
            yield text.encode(code)
        except UnicodeEncodeError:
            continue
    yield json.dumps(text)[1:-1].encode()  # with \\u escapes


def blank(traces: Iterable[Trace]) -> None:
    """Write spaces over the lines with traces, in place: the files may be open for appending elsewhere."""
    for trace in traces:
        data = trace.path.read_bytes()
        start = data.rfind(b"\n", 0, trace.start) + 1
        end = data.find(b"\n", trace.end)
        end = len(data) if end < 0 else end
        with trace.path.open("r+b") as file:
            file.seek(start)
            file.write(b" " * (end - start))
