"""What a reader is: the module of one format exports a `read` of this shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from core.errors import UnreadableDocument
from core.types import ParsedDocument
from ingest.limits import Limits

OnProgress = Callable[[int, int], None]
"""Told (pages done, pages in all) while a document is read."""


class Reader(Protocol):
    """Turns a file into text."""

    def __call__(self, path: Path, limits: Limits, on_progress: OnProgress) -> ParsedDocument:
        """Read the file at `path`, whose type is already known from its content.

        Raises `UnreadableDocument` with a reason that is true and says what to do.
        """


def broken(kind: str) -> UnreadableDocument:
    """The reason for a file whose inside is damaged; `kind` names it in the nominative: «документ Word»."""
    return UnreadableDocument(
        "broken_document",
        f"Файл повреждён: это {kind}, но его содержимое не читается. Откройте и сохраните его заново "
        "в исходной программе, затем загрузите ещё раз.",
    )


def password_protected() -> UnreadableDocument:
    """The reason for a file that only its password opens."""
    return UnreadableDocument(
        "password_protected", "Файл защищён паролем. Снимите пароль в исходной программе и загрузите файл ещё раз."
    )


def no_text() -> UnreadableDocument:
    """The reason for a sound file without a letter in it."""
    return UnreadableDocument(
        "no_text", "В файле нет текста: в нём нечего искать. Проверьте, тот ли это файл, и загрузите файл с текстом."
    )
