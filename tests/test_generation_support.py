"""A sentence of an answer counts when a passage says it: the same facts, most of the same words."""

from __future__ import annotations

import pytest

from core.types import Passage
from generation.gate import SentenceGate
from generation.refusal import is_refusal
from generation.support import Evidence, facts

TEXT = (
    "4.2. Ежегодный оплачиваемый отпуск составляет 28 календарных дней. Заявление подают не позднее чем за 14 дней до "
    "начала отпуска. Порядок утвердил директор Иванов И. И. 01.02.2014 г. Размер выплаты — 1 500 000,50 руб."
)
EVIDENCE = Evidence([Passage(1, "a", "Положение об отпусках.pdf", 3, "Раздел 4", TEXT, 0, len(TEXT))])


@pytest.mark.parametrize(
    "sentence",
    [
        "Отпуск составляет 28 календарных дней.",
        "Заявление на отпуск подаётся за 14 дней до его начала.",
        "Порядок утвердил Иванов.",
        "Порядок утвердил директор 1 февраля 2014 г.",
        "Выплата имеет размер 1500000,50 руб.",
        "Согласно Положению об отпусках, отпуск составляет 28 календарных дней.",
    ],
)
def test_what_the_passage_says_is_supported_by_words_of_it(sentence):
    match = EVIDENCE.support(sentence, 1)
    assert match
    assert match.quote.text in TEXT


@pytest.mark.parametrize(
    "sentence",
    [
        "Отпуск составляет 30 календарных дней.",
        "Порядок утвердил директор Петров.",
        "Порядок утвердил директор 1 марта 2014 г.",
        "Размер выплаты — 1 500 000 долларов в месяц наличными через кассу.",
        "Отпуск составляет 28 календарных дней по закону ABC.",
        "Сотрудники любят море и горы.",
        "Да.",
    ],
)
def test_what_the_passage_does_not_say_is_not_supported(sentence):
    assert EVIDENCE.support(sentence, 1) is None
    assert EVIDENCE.find(sentence) is None


@pytest.mark.parametrize("number", [0, 2, 999])
def test_a_passage_that_was_not_given_supports_nothing(number):
    assert EVIDENCE.support("Отпуск составляет 28 календарных дней.", number) is None


def test_one_date_is_the_same_fact_however_it_is_written():
    assert facts("с 01.02.2014") == facts("с 1 февраля 2014 года")


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_sentences_come_out_whole_however_the_stream_is_cut(size):
    said = "Срок — пять дней [1]. Плата равна 5 руб. в месяц. [2][3] Далее:\n- паспорт [1];\n- справка. [1]"
    gate = SentenceGate()
    out = [s for start in range(0, len(said), size) for s in gate.feed(said[start : start + size])]
    out += gate.finish()
    assert [s.text for s in out] == [
        "Срок — пять дней [1].",
        "Плата равна 5 руб. в месяц. [2][3]",
        "Далее:",
        "- паспорт [1];",
        "- справка. [1]",
    ]
    assert [s.starts_line for s in out] == [False, False, False, True, True]


@pytest.mark.parametrize(
    "sentence",
    [
        "В найденных документах нет ответа на этот вопрос.",
        "К сожалению, в предоставленных отрывках не указано, кто это.",
        "Информация об этом отсутствует в документах.",
        "Я не могу ответить на этот вопрос.",
        "Ответа в отрывках нет.",
    ],
)
def test_a_models_refusal_is_recognised(sentence):
    assert is_refusal(sentence)


@pytest.mark.parametrize(
    "sentence",
    ["В документе указано, что ограничений нет [1].", "Нет, отпуск не переносится [1].", "Документ подписан."],
)
def test_a_statement_is_no_refusal(sentence):
    assert not is_refusal(sentence)
