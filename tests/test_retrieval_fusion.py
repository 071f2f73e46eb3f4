"""Fusing several rankings: what no weight and no scale may change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from retrieval.evidence import Evidence
from retrieval.fusion import Meaning, fuse, z_scores
from retrieval.sentence_vectors import Nearness

scores = arrays(np.float32, st.integers(1, 30), elements=st.integers(0, 50))


def whole(cosines: np.ndarray) -> Meaning:
    """Cosines of passages whose sentences were not embedded."""
    return Meaning(cosines, Nearness.unknown(len(cosines)))


def nowhere(count: int) -> Evidence:
    return Evidence(*np.zeros((3, count), np.float32))


@settings(deadline=None)
@given(scores, st.floats(0, 1))
def test_a_candidate_best_in_both_is_best(keyword: np.ndarray, weight: float) -> None:
    keyword = keyword.copy()
    keyword[0] = keyword.max() + 1
    dense = keyword / 100
    assert fuse(whole(dense), keyword, nowhere(len(keyword)), dense_weight=weight).argmax() == 0


@settings(deadline=None)
@given(scores)
def test_the_scale_of_a_score_does_not_matter(values: np.ndarray) -> None:
    assert z_scores(values * 4 + 8) == pytest.approx(z_scores(values), abs=1e-2)


def test_no_candidates_give_no_scores() -> None:
    nothing = np.zeros(0, np.float32)
    assert len(fuse(whole(nothing), nothing, nowhere(0), dense_weight=0.5)) == 0


def test_equal_scores_say_nothing() -> None:
    dense = np.array([0.8, 0.7], np.float32)
    assert fuse(whole(dense), np.zeros(2, np.float32), nowhere(2), dense_weight=0.5).argmax() == 0


@pytest.mark.parametrize("kind", ["sentence", "neighbours", "phrase"])
def test_words_that_stand_together_decide_between_equals(kind: str) -> None:
    equal = np.ones(2, np.float32)
    evidence = nowhere(2)
    getattr(evidence, kind)[1] = 0.5
    assert fuse(whole(equal), equal, evidence, dense_weight=0.6).argmax() == 1


def test_meaning_alone_does_not_look_at_words() -> None:
    evidence = Evidence(*np.ones((3, 2), np.float32) * np.array([0, 1], np.float32))
    assert (
        fuse(whole(np.array([0.9, 0.8], np.float32)), np.array([0, 9], np.float32), evidence, dense_weight=1).argmax()
        == 0
    )


def test_a_passage_whose_sentence_answers_goes_before_one_that_is_near_as_a_whole() -> None:
    passage, sentence = (np.array(values, np.float32) for values in ([0.80, 0.79, 0.70], [0.81, 0.95, 0.70]))
    meaning = Meaning(passage, Nearness(sentence, sentence))
    nothing = np.zeros(3, np.float32)
    assert fuse(meaning, nothing, nowhere(3), dense_weight=1).argmax() == 1


def test_a_passage_whose_sentences_are_not_embedded_yet_is_ranked_by_its_own_cosine() -> None:
    passage = np.array([0.8, 0.7, 0.6], np.float32)
    sentence = np.array([np.nan, 0.9, 0.5], np.float32)
    nothing = np.zeros(3, np.float32)
    fused = fuse(Meaning(passage, Nearness(sentence, sentence)), nothing, nowhere(3), dense_weight=1)
    assert np.isfinite(fused).all()
    assert fused[0] == pytest.approx(z_scores(passage)[0])
