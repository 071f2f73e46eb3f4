"""Sentences as bytes lose nothing that matters, and the nearest one is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.sentence_vectors import nearness, pack, telling


def directions(seed: int, count: int, dimension: int = 48) -> np.ndarray:
    raw = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


@settings(deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_cosines_of_bytes_are_those_of_the_vectors(seed: int, counts: list[int]) -> None:
    query = directions(seed, 1)[0]
    passages = [directions(seed + 1 + row, count) for row, count in enumerate(counts)]
    near = nearness(query, [pack(vectors) for vectors in passages])
    for row, vectors in enumerate(passages):
        if not len(vectors):
            assert np.isnan(near.nearest[row])
            assert np.isnan(near.middle[row])
            continue
        assert near.nearest[row] == pytest.approx((vectors @ query).max(), abs=0.02)
        middle = vectors.sum(axis=0)
        assert near.middle[row] == pytest.approx(middle @ query / np.linalg.norm(middle), abs=0.03)


def test_a_passage_without_vectors_is_not_taken_for_a_far_one() -> None:
    query = directions(1, 1)[0]
    near = nearness(query, [None, b"", pack(query[np.newaxis])])
    assert np.isnan(near.nearest[:2]).all()
    assert near.nearest[2] == pytest.approx(1, abs=1e-3)


def test_a_sentence_takes_a_byte_for_each_dimension() -> None:
    assert len(pack(directions(1, 3, 384))) == 3 * 384


def test_headings_and_labels_are_not_compared() -> None:
    text = "# Отпуск\n\nОтпуск длится 28 календарных дней. Да. Отпуск длится 28 календарных дней.\n\n| 12 | 13 |"
    assert telling(text) == ["Отпуск длится 28 календарных дней."]
