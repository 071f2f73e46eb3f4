"""Near-duplicates are dropped from lessons, and nothing that only looks alike."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.duplicates import LIMIT, Seen, rouge_l, without_duplicates, without_foreign_words
from training.material import Material, Question, read_xquad

LEAVE = "Продолжительность ежегодного основного оплачиваемого отпуска — 28 календарных дней."
WORDS = st.lists(
    st.sampled_from(["отпуск", "длится", "сколько", "дней", "работник", "приказ", "график", "срок"]), max_size=9
)


def _material(id_: str, text: str, *questions: str, document: str = "", none: tuple[str, ...] = ()) -> Material:
    return Material(id_, document or id_, "t", text, tuple(Question(one, (text[:5],)) for one in questions), none)


@given(WORDS, WORDS)
def test_likeness_is_the_same_both_ways_and_between_nothing_and_all(one: list[str], other: list[str]) -> None:
    assert rouge_l(one, other) == rouge_l(other, one)
    assert 0 <= rouge_l(one, other) <= 1
    assert rouge_l(one, one) == (1.0 if one else 0.0)


@given(st.lists(WORDS.map(" ".join), max_size=8))
def test_of_the_texts_kept_no_two_are_near_duplicates(texts: list[str]) -> None:
    seen = Seen()
    kept = [text.split() for text in texts if seen.is_new(text)]
    assert all(rouge_l(one, other) <= LIMIT for one, other in combinations(kept, 2))


@pytest.mark.parametrize(
    ("text", "is_new"),
    [
        ("продолжительность ежегодного основного оплачиваемого отпуска: 28 календарных дней", False),
        ("Продолжительность основного оплачиваемого отпуска — 28 календарных дней.", False),
        ("Дней календарных 28 — отпуска оплачиваемого основного ежегодного продолжительность.", True),
        ("Продолжительность дополнительного отпуска руководителей — 5 календарных дней.", True),
        ("", True),
    ],
)
def test_capitals_and_marks_make_no_difference_but_order_and_words_do(text: str, is_new: bool) -> None:
    seen = Seen()
    seen.is_new(LEAVE)
    assert seen.is_new(text) is is_new


def test_yo_makes_no_difference() -> None:
    seen = Seen()
    seen.is_new("Отчёт сдаётся в течение трёх дней")
    assert not seen.is_new("Отчет сдается в течение трех дней")


def test_a_question_may_be_asked_of_two_documents_but_of_one_only_once() -> None:
    ask = "Сколько дней длится отпуск?"
    first = _material("a#0", LEAVE, ask, "сколько дней длится отпуск", document="a")
    again = _material("a#1", "Отпускные выплачиваются за три рабочих дня.", ask, document="a")
    other = _material("b#0", "Работникам склада положено семь дней за вредные условия.", ask, document="b")
    kept, dropped = without_duplicates([first, again, other])
    assert [[question.text for question in material.questions] for material in kept] == [[ask], [], [ask]]
    assert dropped["вопрос почти повторяет другой о том же документе"] == 2


def test_an_open_question_that_repeats_an_answered_one_is_dropped() -> None:
    material = _material(
        "a", LEAVE, "Сколько дней длится отпуск?", none=("Сколько же дней длится отпуск?", "Кто платит?")
    )
    [kept], dropped = without_duplicates([material])
    assert kept.unanswered == ("Кто платит?",)
    assert sum(dropped.values()) == 1


def test_a_copied_passage_goes_with_its_questions() -> None:
    copy = _material("b", LEAVE.lower(), "Что это?")
    kept, dropped = without_duplicates([_material("a", LEAVE), copy])
    assert [material.id for material in kept] == ["a"]
    assert dropped == {"отрывок почти повторяет другой": 1, "вопрос почти повторяет другой о том же документе": 0}


def test_questions_whose_answers_are_not_the_passage_s_words_are_dropped_and_counted() -> None:
    good = Question("Сколько?", ("28 календарных дней",))
    bad = (
        Question("Кто?", ("директор",)),
        Question("Где?", ()),
        Question("Что?", (" ",)),
        Question("А?", ("28", "30")),
    )
    kept, lost = without_foreign_words(Material("a", "a", "t", LEAVE, (good, *bad)))
    assert kept.questions == (good,)
    assert lost == 4


def test_in_real_articles_few_questions_repeat_and_all_passages_stay(data: Path) -> None:
    path = data / "xquad" / "xquad.ru.json"
    titles = json.loads((data / "xquad" / "split.json").read_text(encoding="utf-8"))["train"]
    materials = list(read_xquad(path, titles))
    kept, dropped = without_duplicates(materials)
    assert len(kept) == len(materials)
    assert 0 < dropped["вопрос почти повторяет другой о том же документе"] < 0.05 * 920
