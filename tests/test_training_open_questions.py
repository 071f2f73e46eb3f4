"""A question that another passage answers teaches a refusal only where nothing shown answers it too."""

from __future__ import annotations

import pytest

from training.material import Material, Question
from training.open_questions import Shown, names_in

LEAVE = Material("a#0", "a", "ООО «Лён». Отпуска", "Отпуск составляет 28 календарных дней.", ())
PAY = Material("a#1", "a", "ООО «Лён». Отпуска", "Отпускные переводят за три дня до отпуска.", ())
OTHER = Material("b#0", "b", "АО «Кедр». Отпуска", "Отпуск длится 35 календарных дней.", ())


def test_a_question_on_another_passage_of_the_same_document_is_open():
    assert Shown([PAY]).leaves_open(Question("Сколько дней длится отпуск?", ("28 календарных дней",)), LEAVE)


def test_a_question_whose_answer_stands_here_too_is_not_open():
    also = Material("a#2", "a", "ООО «Лён»", "Напомним: 28\nкалендарных дней.", ())
    assert not Shown([PAY, also]).leaves_open(Question("Сколько дней длится отпуск?", ("28 календарных дней",)), LEAVE)


def test_what_every_regulation_answers_is_not_open_in_another_one():
    assert not Shown([OTHER]).leaves_open(Question("Сколько дней длится отпуск?", ("28 календарных дней",)), LEAVE)


@pytest.mark.parametrize(
    "question", ["Сколько дней отдыхают в «Лёне»?", "Кто подписал приказ № 118-ОД?", "Как настроить VPN?"]
)
def test_a_question_that_names_what_is_not_shown_is_open(question):
    assert Shown([OTHER]).leaves_open(Question(question, ("28 календарных дней",)), LEAVE)


def test_the_first_words_capital_names_nothing():
    assert names_in("Когда выплачивают премию?") == frozenset()
    assert names_in("Когда Иванова назначили директором по приказу 7?") == {"иванов", "7"}
