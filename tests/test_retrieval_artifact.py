"""Folders that are built once: complete or absent, and what a killed builder left is cleared."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.embedding.artifact import STAMP, build_once, content_hash


def write(folder: Path) -> None:
    (folder / "model").write_text("weights")


def test_a_folder_is_built_once(tmp_path: Path) -> None:
    target = build_once(tmp_path / "model-1", write)
    (target / "mark").touch()
    assert (build_once(target, write) / "mark").exists()


def test_a_failed_build_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    def fail(_folder: Path) -> None:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError):
        build_once(tmp_path / "model-1", fail)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    assert (build_once(tmp_path / "model-1", write) / "model").read_text() == "weights"


def test_what_a_killed_builder_left_is_cleared_and_other_models_are_not(tmp_path: Path) -> None:
    for name in (".model-1.abandoned", ".model-2.in-progress"):
        (tmp_path / name).mkdir()
    build_once(tmp_path / "model-1", write)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [".model-2.in-progress", "model-1"]


def test_a_hash_is_of_the_contents_and_is_found_again_without_reading_them(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    first = content_hash(tmp_path)
    assert content_hash(tmp_path) == first
    (tmp_path / "a").write_text("three")
    assert content_hash(tmp_path) != first
    (tmp_path / "a").write_text("one")
    assert content_hash(tmp_path) == first


def test_a_spoiled_note_of_the_hash_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    first = content_hash(tmp_path)
    (tmp_path / STAMP).write_text("{nonsense")
    assert content_hash(tmp_path) == first
