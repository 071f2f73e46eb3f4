"""Words that stand together answer better than the same words apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.evidence import Evidence, Wanted, weigh

words = st.lists(st.sampled_from("абвгд"), max_size=6)


def wanted(query: str, **weights: float) -> Wanted:
    terms = tuple(query.split())
    return Wanted(terms, {term: weights.get(term, 1.0) for term in terms})


def shares(evidence: Evidence) -> list[tuple[float, float, float]]:
    return [
        (round(float(one), 3), round(float(two), 3), round(float(three), 3))
        for one, two, three in zip(evidence.sentence, evidence.neighbours, evidence.phrase, strict=True)
    ]


@pytest.mark.parametrize(
    ("passage", "expected"),
    [
        ("а б в", (1, 1, 1)),
        ("в б а", (1, 1, 0)),
        ("а б\nв", (0.667, 1, 0.5)),
        ("а\nг\nб\nг\nв", (0.333, 0.333, 0)),
        ("г", (0, 0, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_what_stands_together_counts(passage: str, expected: tuple[float, float, float]) -> None:
    assert shares(weigh(wanted("а б в"), [passage])) == [expected]


def test_a_rare_word_counts_for_more() -> None:
    evidence = weigh(wanted("а б", а=3.0), ["а", "б"])
    assert evidence.sentence.tolist() == [0.75, 0.25]


def test_a_word_said_twice_counts_once() -> None:
    assert shares(weigh(wanted("а а б"), ["а\nб"])) == [(0.5, 1, 0)]


def test_a_question_without_words_finds_nothing_together() -> None:
    assert shares(weigh(Wanted((), {}), ["а б", "в"])) == [(0, 0, 0)] * 2


@settings(deadline=None)
@given(words, st.lists(words.map(" ".join), max_size=4).map("\n".join))
def test_shares_are_shares(query: list[str], passage: str) -> None:
    evidence = weigh(wanted(" ".join(query)), [passage])
    for share in (evidence.sentence, evidence.neighbours, evidence.phrase):
        assert np.all((share >= 0) & (share <= 1 + 1e-6))
    assert evidence.neighbours[0] >= evidence.sentence[0]
