"""Damaged pictures and old office files: their readers give a reason, and the door that tells their type does too."""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from core.errors import ServiceError
from ingest import media_type as mt
from ingest import ole, readers
from ingest.limits import Limits
from tests.damage import fuzz

_LIMITS = Limits(output_chars=200_000, max_pages=50)
_BOUND_S = 20.0
_PICTURES = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")
_OLD = ("xlsx/example.xls", "tz/alpaca_tz.doc", "pptx/example.ppt")


def _picture(kind: str) -> bytes:
    """Two frames, where the kind has frames."""
    first = Image.new("L", (40, 30), 255)
    ImageDraw.Draw(first).line((0, 0, 39, 29), fill=0)
    out = io.BytesIO()
    more = {"save_all": True, "append_images": [first.rotate(90)]} if kind in ("TIFF", "GIF", "WEBP") else {}
    first.save(out, kind, **more)
    return out.getvalue()


def _check(name: str, content: bytes, *, reads: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        began = time.monotonic()
        try:
            media_type = mt.detect(path, name)
            if reads:
                readers.read(path, name, _LIMITS, lambda _done, _total: None)
            elif media_type in (mt.DOC, mt.PPT):
                ole.is_locked(path)
        except ServiceError:
            pass
        assert time.monotonic() - began < _BOUND_S


def _fuzz(name: str, seed: bytes, *, reads: bool) -> None:
    def check(content: bytes) -> None:
        _check(name, content, reads=reads)

    fuzz(check, seed)


@pytest.mark.parametrize("kind", _PICTURES)
def test_a_damaged_picture_gives_text_or_a_reason(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # what Tesseract reads is a picture that was opened, never the file
    _fuzz(f"a.{kind.lower()}", _picture(kind), reads=True)


@pytest.mark.parametrize("path", _OLD)
def test_a_damaged_old_document_is_told_and_a_workbook_read_or_there_is_a_reason(data: Path, path: str) -> None:
    """LibreOffice, which reads the others, is a program of its own: a run of it for every example is too slow."""
    source = data / "documents" / "dedoc" / path
    _fuzz(source.name, source.read_bytes(), reads=source.suffix == ".xls")
