"""Fusing two rankings: what no weight and no scale may change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from retrieval.fusion import fuse, z_scores

scores = arrays(np.float32, st.integers(1, 30), elements=st.integers(0, 50))


@settings(deadline=None)
@given(scores, st.floats(0, 1))
def test_a_candidate_best_in_both_is_best(keyword: np.ndarray, weight: float) -> None:
    keyword = keyword.copy()
    keyword[0] = keyword.max() + 1
    dense = keyword / 100
    assert fuse(dense, keyword, dense_weight=weight).argmax() == 0


@settings(deadline=None)
@given(scores)
def test_the_scale_of_a_score_does_not_matter(values: np.ndarray) -> None:
    assert z_scores(values * 4 + 8) == pytest.approx(z_scores(values), abs=1e-2)


def test_no_candidates_give_no_scores() -> None:
    nothing = np.zeros(0, np.float32)
    assert len(fuse(nothing, nothing, dense_weight=0.5)) == 0


def test_equal_scores_say_nothing() -> None:
    dense = np.array([0.8, 0.7], np.float32)
    assert fuse(dense, np.zeros(2, np.float32), dense_weight=0.5).argmax() == 0
