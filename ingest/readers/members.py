"""Reads the files inside a file, an archive's or a letter's, so that one bad member does not lose the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import ServiceError, UnreadableDocument
from core.types import Page, ParsedDocument, Problem
from ingest import media_type as mt
from ingest import readers
from ingest.cleaning import clean_line
from ingest.limits import Limits
from ingest.readers.page_text import under_title
from ingest.readers.zip_directory import entries, open_zip
from ingest.reasons import too_large_inside, too_many_inside, too_much_text

_CONTAINERS = frozenset({mt.ZIP, mt.EML})
_NAMED_MAX = 10
_NAME_CHARS = 120


class Members:
    """Collects what the members gave, within the limits of the whole."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bytes_left = limits.archive_max_bytes
        self._files_left = limits.archive_max_files
        self._chars_left = limits.output_chars
        self._pages: list[Page] = []
        self._failures: list[tuple[str, str]] = []

    def spend(self, files: int, size_bytes: int) -> None:
        """Take files to be unpacked off the allowance; raises `UnreadableDocument` when it is used up."""
        self._files_left -= files
        self._bytes_left -= size_bytes
        if self._files_left < 0:
            raise too_many_inside(self._limits)
        if self._bytes_left < 0:
            raise too_large_inside(self._limits)

    def add(self, name: str, path: Path) -> None:
        """Read one member, or note why it cannot be."""
        try:
            parsed = readers.read(path, name, self._limits_of(path, name), lambda _done, _total: None)
        except ServiceError as exc:
            self.fail(name, exc.detail)
            return
        if parsed.problem:
            self.fail(name, parsed.problem.detail)
        self._chars_left -= sum(len(page.text) for page in parsed.pages)
        if self._chars_left < 0:
            raise too_much_text(self._limits)
        self._pages += [under_title(page, name) for page in parsed.pages]

    def fail(self, name: str, detail: str) -> None:
        """Note why a member gave no text, or not all."""
        self._failures.append((_shown(name), detail))

    def document(self, media_type: str, first: Sequence[Page] = ()) -> ParsedDocument:
        """Put `first` and the members' pages together; raises `UnreadableDocument` when there are none.

        Pages are numbered from 1 as soon as there are two, or one that has a number, so that each can be told.
        """
        pages = [*first, *self._pages]
        if not pages:
            raise UnreadableDocument("archive_without_text", self._summary() or "В архиве нет файлов с текстом.")
        if len(pages) > 1 or pages[0].number is not None:
            pages = [replace(page, number=number) for number, page in enumerate(pages, 1)]
        problem = Problem("archive_members_unread", self._summary()) if self._failures else None
        return ParsedDocument(media_type, tuple(pages), problem)

    def _limits_of(self, path: Path, name: str) -> Limits:
        """What a member may cost. A container is weighed before it is opened, and may hold fewer levels."""
        media_type = mt.detect(path, name)
        if media_type in _CONTAINERS and self._limits.archive_depth <= 1:
            raise UnreadableDocument("nested_too_deep", "Вложенность слишком глубокая: распакуйте его отдельно.")
        if media_type == mt.ZIP:
            with open_zip(path) as archive:
                inside = entries(archive)
            self.spend(len(inside), sum(entry.size_bytes for entry in inside))
        return replace(
            self._limits, archive_depth=self._limits.archive_depth - 1, output_chars=max(self._chars_left, 1)
        )

    def _summary(self) -> str:
        if not self._failures:
            return ""
        named = [f"«{name}» — {detail.rstrip('.')}" for name, detail in self._failures[:_NAMED_MAX]]
        more = len(self._failures) - len(named)
        return "Прочитано не всё. " + "; ".join(named) + (f"; и ещё файлов: {more}." if more else ".")


def _shown(name: str) -> str:
    """A name within a sentence: a file may give it 65,535 bytes, and signs that turn the sentence round."""
    line = clean_line(name)
    return line if len(line) <= _NAME_CHARS else f"{line[: _NAME_CHARS // 2]}…{line[-_NAME_CHARS // 2 :]}"
