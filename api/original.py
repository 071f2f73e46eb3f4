"""The bytes of a document as they were uploaded: where they lie, if they still do."""

from __future__ import annotations

from pathlib import Path

from core.errors import NotFound
from core.types import Document
from ingest.files import FileStore


def require_bytes(files: FileStore, document: Document) -> Path:
    """Return where the bytes lie; raise `NotFound` when somebody took them from the disk."""
    path = files.path(document.sha256)
    if not path.is_file():
        raise NotFound(
            "bytes_missing",
            f"Исходного файла «{document.name}» нет на диске сервера. Загрузите его снова или попросите "
            "администратора восстановить резервную копию.",
        )
    return path
