from __future__ import annotations

import math

import pytest

from evaluation.measures import exact_match, hit, holds, is_russian, ndcg, normalise, reciprocal_rank, token_f1


def test_a_rank_counts_as_a_hit_down_to_its_depth() -> None:
    assert [hit(rank, 1) for rank in (1, 2, None)] == [1.0, 0.0, 0.0]
    assert [hit(rank, 5) for rank in (1, 5, 6, None)] == [1.0, 1.0, 0.0, 0.0]


def test_reciprocal_rank_and_gain_end_at_ten() -> None:
    assert [reciprocal_rank(rank) for rank in (1, 4, 10, 11, None)] == [1.0, 0.25, 0.1, 0.0, 0.0]
    assert [ndcg(rank) for rank in (1, 3, 7, 11, None)] == pytest.approx([1.0, 0.5, 1 / 3, 0.0, 0.0])
    assert ndcg(10) == pytest.approx(1 / math.log2(11))


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Пётр Ёлкин, «Рассвет»!", "петр елкин рассвет"),
        ("  за 14\u00a0дней [1][2].", "за 14 дней"),
        ("северо-запад", "северо запад"),
        ("[12]", ""),
    ],
)
def test_spelling_that_does_not_matter_is_folded(text: str, folded: str) -> None:
    assert normalise(text) == folded


def test_exact_match_forgives_marks_but_not_inflection() -> None:
    assert exact_match("В Казани [1].", "в казани") == 1.0
    assert exact_match("Казань", "в Казани") == 0.0


@pytest.mark.parametrize(
    ("said", "expected", "f1"),
    [
        ("за 14 дней [1].", "14 дней", 0.8),  # precision 2/3, recall 2/2
        ("да да нет", "да нет нет", 2 / 3),  # a word counts as often as both have it
        ("пять", "шесть", 0.0),
        ("", "шесть", 0.0),
        ("", "", 1.0),
    ],
)
def test_token_f1_is_that_of_squad(said: str, expected: str, f1: float) -> None:
    assert token_f1(said, expected) == pytest.approx(f1)


def test_an_answer_holds_whole_words_in_a_row() -> None:
    assert holds("В документе сказано: «Подают за 14 дней» [1].", "за 14 дней") == 1.0
    assert holds("за 140 дней", "14 дней") == 0.0
    assert holds("что угодно", "") == 0.0


def test_an_answer_is_russian_by_its_letters_names_of_the_sources_aside() -> None:
    assert is_russian("Договор подписан в Казани")
    assert is_russian("1998")
    assert not is_russian("The contract was signed")
    assert not is_russian("Он сказал: the contract was signed in Kazan")
    source = "Компания American Broadcasting Company основана в 1943 году и называется так же."
    assert is_russian("American Broadcasting Company", [source])
    assert not is_russian("American Broadcasting Company", ["American Broadcasting Company was founded in 1943."])
