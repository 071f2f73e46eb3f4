"""Damaged OpenDocument and RTF files: up to LibreOffice in the suite, through it in `make fuzz`."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from types import MappingProxyType

import psutil
import pytest

from core.errors import ServiceError
from ingest import media_type as mt
from ingest.limits import Limits
from ingest.readers import office
from ingest.sandbox import Sandbox
from tests.damage import SEED, fuzz
from tests.hostile_ole import opendocument

_LIMITS = Limits(timeout_s=120, cpu_s=20, output_chars=200_000, archive_max_bytes=5 * 2**20)
_BOUND_S = 20.0
_EXAMPLES = 30  # some seconds each
_LINE = "Отпуск составляет 28 календарных дней."
_CELL = f"<table:table-row><table:table-cell><text:p>{_LINE}</text:p></table:table-cell></table:table-row>"
_KIND = "application/vnd.oasis.opendocument."
_BODIES = MappingProxyType(
    {
        "text": f"<office:text><text:p>{_LINE}</text:p></office:text>",
        "spreadsheet": f'<office:spreadsheet><table:table table:name="A">{_CELL}</table:table></office:spreadsheet>',
        "presentation": f"<office:presentation><draw:page><draw:frame><draw:text-box><text:p>{_LINE}</text:p>"
        "</draw:text-box></draw:frame></draw:page></office:presentation>",
    }
)
_SEEDS = MappingProxyType(
    {
        "a.odt": opendocument(_KIND + "text", _BODIES["text"]),
        "a.ods": opendocument(_KIND + "spreadsheet", _BODIES["spreadsheet"]),
        "a.odp": opendocument(_KIND + "presentation", _BODIES["presentation"]),
        "a.rtf": b"{\\rtf1\\ansi\\ansicpg1251 " + b"\\par Order 417 sets the vacation.\\cell" * 9 + b"}",
    }
)
_OFFICE = frozenset({mt.ODT, mt.ODS, mt.ODP, mt.RTF})


@pytest.mark.parametrize("name", _SEEDS)
def test_a_damaged_open_document_is_told_and_weighed_or_there_is_a_reason(name: str) -> None:
    told: set[str] = set()

    def check(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            began = time.monotonic()
            try:
                media_type = mt.detect(path, name)
                told.add(media_type)
                if media_type in _OFFICE:
                    office._check(path, _LIMITS)
            except ServiceError:
                pass
            assert time.monotonic() - began < _BOUND_S

    fuzz(check, _SEEDS[name])
    assert told & _OFFICE, "none of the damaged files came as far as LibreOffice"


@pytest.mark.skipif(SEED is None, reason="some seconds an example: `make fuzz` runs it")
@pytest.mark.skipif(not shutil.which("soffice"), reason="needs LibreOffice")
@pytest.mark.parametrize("name", ["a.odt", "a.rtf"])
def test_a_damaged_document_through_libreoffice_gives_text_or_a_reason_and_leaves_no_program(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder, Sandbox(_LIMITS) as sandbox:
        path = Path(folder) / name

        def check(content: bytes) -> None:
            path.write_bytes(content)
            reason = ""
            try:
                assert sandbox.parse(path, name).pages
            except ServiceError as exc:
                reason = exc.code
            assert reason not in ("parser_died", "unexpected_content")
            programs = [child.name() for child in psutil.Process().children(recursive=True)]
            assert not [program for program in programs if "office" in program]

        fuzz(check, _SEEDS[name], examples=_EXAMPLES)
