"""A sentence of an answer counts when a passage says it: the same facts, most of the same words."""

from __future__ import annotations

import pytest

from core.types import Passage
from generation.gate import SentenceGate
from generation.nearness import EncoderNearness
from generation.refusal import is_refusal
from generation.statements import Reason
from generation.support import MIN_CONFIDENCE, Evidence
from retrieval.embedding.encoder import Encoder

TEXT = (
    "4.2. Ежегодный оплачиваемый отпуск составляет 28 календарных дней. Заявление подают не позднее чем за 14 дней до "
    "начала отпуска. Порядок утвердил директор Иванов И. И. 01.02.2014 г. Размер выплаты — 1 500 000,50 руб."
)
PASSAGES = [Passage(1, "a", "Положение об отпусках.pdf", 3, "Раздел 4", TEXT, 0, len(TEXT))]

pytestmark = pytest.mark.real_model


@pytest.fixture(scope="module")
def evidence(encoder: Encoder) -> Evidence:
    return Evidence(PASSAGES, EncoderNearness(encoder))


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
def test_what_the_passage_says_is_supported_by_words_of_it(evidence, sentence):
    finding = evidence.check(sentence, [1])
    assert finding.reason is None
    assert finding.confidence >= MIN_CONFIDENCE
    assert all(quote.text in TEXT for quote in finding.quotes)


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Отпуск составляет 30 календарных дней.", Reason.NUMBER),
        ("Отпуск составляет тридцать календарных дней.", Reason.NUMBER),
        ("Порядок утвердил директор Петров.", Reason.NAME),
        ("Порядок утвердил директор 1 марта 2014 г.", Reason.NUMBER),
        ("Порядок утвердил директор 14 февраля 2014 г.", Reason.NUMBER),
        ("Порядок утверждён приказом № 28.", Reason.NUMBER),
        ("Заявление подают по форме Т-28.", Reason.NUMBER),
        ("Размер выплаты — 28 %.", Reason.NUMBER),
        ("Отпуск составляет 28 календарных дней по закону ABC.", Reason.NAME),
        ("Отпуск не составляет 28 календарных дней.", Reason.NEGATION),
        ("Заявление подают не ранее чем за 14 дней до начала отпуска.", Reason.NEGATION),
        ("Подавать заявление за 14 дней до отпуска запрещается.", Reason.NEGATION),
        ("Сотрудники любят море и горы.", Reason.UNSUPPORTED),
        ("Да.", Reason.UNSUPPORTED),
    ],
)
def test_what_the_passage_does_not_say_is_dropped_with_its_reason(evidence, sentence, reason):
    assert evidence.check(sentence, [1]).reason is reason


@pytest.mark.parametrize("number", [0, 2, 999])
def test_a_passage_that_was_not_given_supports_nothing(evidence, number):
    assert evidence.check("Сотрудники любят море и горы.", [number]).reason is Reason.NO_SOURCE
    assert evidence.check("Отпуск составляет 28 календарных дней.", [number]).reason is None


CITIES = [
    Passage(n, f"d{n}", f"Филиал {n}.pdf", 1, None, text, 0, len(text))
    for n, text in enumerate(
        (
            "В московском филиале отпуск длится 28 дней. Обед начинается в 13:00.",
            "В казанском филиале отпуск длится 35 дней. Пропуска выдаёт охрана.",
            "Столовая закрыта по субботам.",
        ),
        start=1,
    )
]


def test_a_comparison_rests_on_all_passages_that_it_cites(encoder):
    evidence = Evidence(CITIES, EncoderNearness(encoder))
    finding = evidence.check("В московском филиале отпуск длится 28 дней, а в казанском — 35 дней.", [1, 2, 3])
    assert finding.reason is None
    assert [quote.passage.id for quote in finding.quotes] == [1, 2]


def test_a_comparison_with_an_invented_fact_is_dropped(encoder):
    evidence = Evidence(CITIES, EncoderNearness(encoder))
    claim = "В московском филиале отпуск длится 28 дней, а в казанском — 36 дней."
    assert evidence.check(claim, [1, 2]).reason is Reason.NUMBER


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
