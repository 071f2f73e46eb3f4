"""What other documents say differently: told where it is so, and not where they speak of something else."""

from __future__ import annotations

import pytest

from core.types import Citation, Passage
from evaluation.contradictions import NOTHING, editions
from generation.contradiction import Contradiction, Contrast, Told
from generation.nearness import EncoderNearness
from generation.replacement import replacement

pytestmark = pytest.mark.real_model

QUESTION = "Сколько дней длится основной отпуск?"
LEAVE = "Основной отпуск составляет 28 календарных дней."


def passage(id_: int, text: str, *, document: str = "", name: str = "Положение.pdf") -> Passage:
    return Passage(id_, document or str(id_), name, 1, None, text, 0, len(text))


def told(home: Passage, text: str, quote: str = "") -> Told:
    return Told(text, Citation(1, home.document_id, home.document, 1, None, quote or home.text))


def contradictions(encoder, question: str, pieces: list[Told], *passages: Passage) -> list[Contradiction]:
    return list(Contrast(question, passages, EncoderNearness(encoder)).contradictions(pieces))


def test_most_editions_that_differ_are_told_and_none_that_only_look_so(encoder):
    found = {True: [], False: []}
    for trial in editions():
        contrast = Contrast(trial.question, trial.passages, EncoderNearness(encoder))
        said = list(contrast.contradictions([trial.told(is_sentence=False)]))
        found[not trial.kind.endswith(NOTHING)].append(bool(said))
    assert sum(found[True]) >= 0.85 * len(found[True])
    assert sum(found[False]) <= 0.02 * len(found[False])
    assert min(map(len, found.values())) >= 50


def test_both_values_and_the_other_sentence_are_named(encoder):
    home, other = passage(1, LEAVE), passage(2, "Отгулы дают раз в год. Основной отпуск длится 24 календарных дня.")
    (found,) = contradictions(encoder, QUESTION, [told(home, "28 календарных дней.")], home, other)
    assert (found.kind, found.said, found.found) == ("value", "28 календарных дней", "24 календарных дня")
    assert found.quote.text == "Основной отпуск длится 24 календарных дня."


@pytest.mark.parametrize(
    "other",
    [
        "Основной отпуск составляет четыре недели.",
        "Дополнительный отпуск составляет 7 календарных дней.",
        "Основной отпуск составляет 28 календарных дней, а у инвалидов 30 календарных дней.",
        "Основной отпуск длится 28 дней. Основной отпуск учителя составляет 56 календарных дней.",
        "Основной отпуск выдают по графику.",
    ],
)
def test_what_agrees_or_speaks_of_something_else_is_no_contradiction(encoder, other):
    home = passage(1, LEAVE)
    assert not contradictions(encoder, QUESTION, [told(home, "28 календарных дней.")], home, passage(2, other))


def test_a_document_does_not_contradict_itself(encoder):
    home, further = passage(1, LEAVE), passage(2, "Основной отпуск составляет 24 календарных дня.", document="1")
    assert not contradictions(encoder, QUESTION, [told(home, "28 календарных дней.")], home, further)


def test_only_what_the_answer_says_is_held_against_others(encoder):
    home = passage(1, "Основной отпуск составляет 28 календарных дней, заявление подают за 14 дней.")
    other = passage(2, "Основной отпуск составляет 28 календарных дней, заявление подают за 10 дней.")
    question = "Сколько дней длится основной отпуск и за сколько дней подают заявление?"
    assert not contradictions(encoder, question, [told(home, "28 календарных дней.")], home, other)
    assert contradictions(encoder, question, [told(home, "14 дней.")], home, other)


def test_an_answer_that_tells_both_needs_no_alarm(encoder):
    old, new = passage(1, LEAVE), passage(2, "Основной отпуск составляет 24 календарных дня.")
    said = [told(old, "По одному положению отпуск 28 календарных дней."), told(new, "По другому — 24 календарных дня.")]
    assert not contradictions(encoder, QUESTION, said, old, new)


def test_figures_of_different_years_do_not_contradict_each_other(encoder):
    home, other = (passage(n, f"Оборот компании в {2020 + n} году составил {n}00 млн рублей.") for n in (1, 2))
    assert not contradictions(encoder, "Какой у компании оборот?", [told(home, "100 млн рублей")], home, other)


@pytest.mark.parametrize(
    ("name", "sentence", "is_void"),
    [
        ("Положение об отпусках от 03.03.2021.pdf", "Положение об отпусках от 3 марта 2021 года утратило силу.", True),
        ("Положение об отпусках от 03.03.2021.pdf", "Положение об отпусках от 3 марта 2019 года утратило силу.", False),
        ("Регламент закупок № 17.pdf", "Вводится взамен Регламента закупок № 17.", True),
        ("Регламент закупок № 17.pdf", "Вводится взамен Регламента закупок № 18.", False),
        ("Регламент закупок № 17.pdf", "Вводится взамен Регламента доставки № 17.", False),
        ("Регламент закупок № 17.pdf", "Регламент закупок № 17 действует с 1 мая.", False),
    ],
)
def test_a_document_that_another_declares_void_is_told(encoder, name, sentence, is_void):
    home, other = passage(1, LEAVE, name=name), passage(2, sentence, name="Приказ 40.docx")
    found = contradictions(encoder, QUESTION, [told(home, "28 календарных дней.")], home, other)
    assert [one.kind for one in found] == ["void"] * is_void


@pytest.mark.parametrize(
    ("sentence", "other", "replaced"),
    [
        ("Заявку согласует в системе директор.", "Заявку согласует в системе бухгалтер.", ("директор", "бухгалтер")),
        ("Жалобы шлют на адрес a@b.ru сразу.", "Жалобы шлют на адрес c@b.ru сразу.", ("a@b.ru", "c@b.ru")),
        ("Заявку согласует в системе директор.", "Заявку согласует в системе директор.", None),
        ("Заявку согласует директор.", "Отчёт подписывает бухгалтер.", None),
    ],
)
def test_one_place_in_which_two_sentences_differ(sentence, other, replaced):
    found = replacement(sentence, other)
    assert (found and (found.old, found.new)) == replaced
