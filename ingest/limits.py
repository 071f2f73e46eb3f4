"""What one document may cost: the parser child enforces some of these limits, its parent the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of parsing one document; units stand in the names.

    `archive_depth` counts archives and letters in each other: at 2, an archive in an archive is read, a third is not.
    """

    timeout_s: float = 600.0
    cpu_s: int = 300
    memory_bytes: int = 1500 * 2**20
    output_chars: int = 30_000_000
    max_pages: int = 5000
    archive_max_bytes: int = 500 * 2**20
    archive_max_files: int = 2000
    archive_depth: int = 2
    ocr_page_timeout_s: float = 120.0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Take the limits that the operator set."""
        return cls(
            timeout_s=settings.parse_timeout_s,
            cpu_s=settings.parse_cpu_s,
            memory_bytes=settings.parse_memory_bytes,
            output_chars=settings.parse_output_chars,
            max_pages=settings.parse_max_pages,
            archive_max_bytes=settings.archive_max_bytes,
            archive_max_files=settings.archive_max_files,
            ocr_page_timeout_s=settings.ocr_page_timeout_s,
        )
