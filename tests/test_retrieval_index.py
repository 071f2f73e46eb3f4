"""The index file is exact, complete or absent, and never trusted without its hash."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.index import Edition, is_intact, read_index, remove_older, top, write_index

RNG = np.random.default_rng(7)
IDS = np.arange(1, 401, dtype=np.int64) * 3
VECTORS = RNG.standard_normal((400, 16)).astype(np.float32)


def written(folder: Path, generation: int = 1) -> Path:
    write_index(folder, Edition(generation, 5, "model"), IDS, VECTORS)
    return folder / f"{generation}.faiss"


def test_search_equals_computing_every_product(tmp_path: Path) -> None:
    written(tmp_path)
    index = read_index(tmp_path, 1)
    assert index is not None
    allowed = RNG.random(400) < 0.5
    for query in RNG.standard_normal((20, 16)).astype(np.float32):
        hits = index.search(query, 10, allowed)
        products = np.where(allowed, VECTORS @ query, -np.inf)
        expected = np.argsort(-products)[:10]
        assert hits.ids.tolist() == IDS[expected].tolist()
        assert hits.scores == pytest.approx(products[expected], rel=1e-4)


def test_a_filter_that_leaves_fewer_than_asked_gives_just_those(tmp_path: Path) -> None:
    written(tmp_path)
    index = read_index(tmp_path, 1)
    assert index is not None
    assert index.search(VECTORS[0], 10, IDS <= 6).ids.size == 2
    assert index.search(VECTORS[0], 10, IDS < 0).ids.size == 0


def test_vectors_come_back_as_they_were(tmp_path: Path) -> None:
    written(tmp_path)
    index = read_index(tmp_path, 1)
    assert index is not None
    assert np.array_equal(index.vectors(np.array([0, 399, 17])), VECTORS[[0, 399, 17]])
    assert np.array_equal(index.ids, IDS)


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_noticed(tmp_path_factory: pytest.TempPathFactory, place: float, bit: int) -> None:
    folder = tmp_path_factory.mktemp("index")
    path = written(folder)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    assert read_index(folder, 1) is None
    assert not is_intact(folder, Edition(1, 5, "model"))


@pytest.mark.parametrize("damage", ["truncated", "deleted", "no manifest", "half a manifest", "another generation's"])
def test_damage_is_noticed_and_said(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    path, manifest = written(tmp_path), tmp_path / "1.json"
    match damage:
        case "truncated":
            path.write_bytes(path.read_bytes()[:-100])
        case "deleted":
            path.unlink()
        case "no manifest":
            manifest.unlink()
        case "half a manifest":
            manifest.write_text(manifest.read_text()[:20])
        case _:
            written(tmp_path, 2)
            path.write_bytes((tmp_path / "2.faiss").read_bytes())
            manifest.write_text((tmp_path / "2.json").read_text())
    with caplog.at_level(logging.WARNING):
        assert read_index(tmp_path, 1) is None
    assert "index 1" in caplog.text


def test_nothing_half_written_stays_under_a_final_name(tmp_path: Path) -> None:
    written(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.faiss", "1.json"]


def test_an_empty_base_has_an_index_too(tmp_path: Path) -> None:
    write_index(tmp_path, Edition(1, 0, "model"), np.zeros(0, np.int64), np.zeros((0, 0), np.float32))
    index = read_index(tmp_path, 1)
    assert index is not None
    assert index.ids.size == 0


def test_older_generations_are_removed_with_their_leftovers(tmp_path: Path) -> None:
    written(tmp_path, 1)
    written(tmp_path, 2)
    (tmp_path / "1.tmp").write_bytes(b"half")
    remove_older(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.faiss", "2.json"]


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(0, 40))
def test_the_greatest_scores_are_those_that_sorting_gives(values: list[int], limit: int) -> None:
    scores = np.array(values, np.float32)
    assert top(scores, limit).tolist() == np.argsort(-scores, kind="stable")[:limit].tolist()
