"""The comparison of weights of meaning: each on the same base, and what the best choice by question could give."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation import retrieval as module
from evaluation.retrieval import BEST, compare
from evaluation.retrieval_sets import Piece, Question, QuestionSet, Source
from tests.small_base import WordEncoder

TEXTS = {
    "отпуск": "Отпуск длится двадцать восемь календарных дней.",
    "пропуск": "Пропуск посетителя выдаёт секретарь приёмной.",
    "склад": "Склад принимает насосы и трубы каждый вечер.",
}


@pytest.fixture
def asked() -> QuestionSet:
    sources = tuple(Source(name, "default", text, (Piece(None, 0, len(text), text),)) for name, text in TEXTS.items())
    questions = tuple(Question(text, name, frozenset()) for name, text in TEXTS.items())
    return QuestionSet("small", sources, questions)


def test_each_weight_is_measured_and_the_best_choice_beside_them(tmp_path: Path, asked: QuestionSet) -> None:
    measured = compare(tmp_path / "base", asked, WordEncoder(), {"words": 0.0, "meaning": 1.0})
    assert list(measured) == ["words", "meaning", BEST]
    assert {quality.hit_1 for quality in measured.values()} == {100.0}


def test_the_best_choice_takes_each_question_s_best_rank(
    tmp_path: Path, asked: QuestionSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks = iter([1, 3, None, 2, 1, None])  # three questions by one weight, then by the other
    monkeypatch.setattr(module, "rank_of", lambda *_: next(ranks))
    measured = compare(tmp_path / "base", asked, WordEncoder(), {"one": 0.3, "other": 0.6})
    assert [measured[name].hit_1 for name in ("one", "other", BEST)] == [33.3, 33.3, 66.7]
