"""A run's folder says over which base, on which data and in which shape its adapter was trained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import InvalidRequest
from training.record import Base, Record, read_record

BASE = Base("gemma3_270m", "gemma-3-270m.Q4_K_M.gguf", "0" * 64)
RECORD = Record(BASE, 32, 64, "Отпуска и командировки", "f" * 64, passes=2, licences=("CC0 1.0", "CC BY-SA 4.0"))


def _rewritten(folder: Path, change: dict[str, object], *without: str) -> None:
    path = folder / "run.json"
    row = {**json.loads(path.read_text(encoding="utf-8")), **change}
    path.write_text(json.dumps({name: value for name, value in row.items() if name not in without}), encoding="utf-8")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    RECORD.write(tmp_path)
    assert read_record(tmp_path) == RECORD


def test_a_person_can_read_the_file(tmp_path: Path) -> None:
    RECORD.write(tmp_path)
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert '"data": "Отпуска и командировки"' in text
    assert text.endswith("}\n")


def test_a_second_writing_replaces_the_first_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    RECORD.write(tmp_path)
    longer = replace(RECORD, passes=3)
    longer.write(tmp_path)
    assert read_record(tmp_path) == longer
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_records_differ_by_base_and_by_data(tmp_path: Path) -> None:
    RECORD.write(tmp_path)
    assert read_record(tmp_path) != replace(RECORD, base=replace(BASE, sha256="1" * 64))
    assert read_record(tmp_path) != replace(RECORD, data_sha256="e" * 64)


def test_a_run_recorded_before_passes_were_has_one(tmp_path: Path) -> None:
    RECORD.write(tmp_path)
    _rewritten(tmp_path, {}, "passes")
    assert read_record(tmp_path).passes == 1


@pytest.mark.parametrize(
    ("change", "without"),
    [
        ({}, ("rank",)),
        ({}, ("base",)),
        ({}, ("licences",)),
        ({"base": {"name": "gemma3_270m"}}, ()),
        ({"base": "gemma3_270m"}, ()),
        ({"unknown": 1}, ()),
    ],
)
def test_a_record_of_another_shape_is_refused_with_the_way_out(
    tmp_path: Path, change: dict[str, object], without: tuple[str, ...]
) -> None:
    RECORD.write(tmp_path)
    _rewritten(tmp_path, change, *without)
    with pytest.raises(InvalidRequest, match="Укажите папку, которую создала znayka train run") as refused:
        read_record(tmp_path)
    assert refused.value.code == "no_run"


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"null", b"\xff\xfe"])
def test_a_folder_without_a_readable_record_holds_no_run(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(InvalidRequest, match="нет обучения"):
        read_record(tmp_path)
