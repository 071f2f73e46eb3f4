"""One fact has one form however it is written, and two facts never share one."""

from __future__ import annotations

import pytest

from generation.facts import facts, offered
from generation.polarity import contradicts
from generation.script import sounds_like


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("с 01.02.2014", "с 1 февраля 2014"),
        ("от 2014-02-01", "от 01.02.2014"),
        ("1 500 000,00 руб.", "1500000 руб."),
        ("1,5 млн руб.", "1 500 000 руб."),
        ("1,5 миллиона рублей", "1,5 млн руб."),
        ("28 дней", "двадцать восемь дней"),
        ("28 дней", "двадцати восьми дней"),
        ("5%", "5 процентов"),
        ("в 10:30", "в 10.30"),
        ("форма Т-13", "форма T13"),
        ("приказ № 112", "приказ №112"),
        ("February 1, 2014", "1 February 2014"),
    ],
)
def test_one_fact_is_the_same_however_it_is_written(one, other):
    plain = [frozenset(fact for fact in facts(text) if not fact.startswith("name:")) for text in (one, other)]
    assert plain[0] == plain[1] != frozenset()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Отпуск 1 февраля.", "Отпуск с 1 по 15 февраля."),
        ("Площадь 5,5 млн км.", "It covers 5.5 million square kilometres."),
        ("Всего 12 500 человек.", "There are 12,500 people."),
        ("Всего 7 рублей.", "Итого 7 (семь) рублей."),
        ("Срок 28 дней.", "28-дневный срок."),
        ("В 90-е годы.", "В 90-х годах."),
    ],
)
def test_a_passage_offers_a_fact_in_every_form(said, text):
    assert {fact for fact in facts(said) if not fact.startswith("name:")} <= offered(text)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Приказ № 112.", "Сумма 112 рублей."),
        ("Рост 5 %.", "Рост на 5 рублей."),
        ("Форма Т-13.", "Форма М-13."),
        ("Дата 1 марта.", "С 1 февраля по 15 марта."),
        ("По закону 152-ФЗ.", "По закону 153-ФЗ и пункту 152."),
        ("Ссылка на ГОСТ 12345-67.", "Ссылка на ГОСТ 12345-68."),
        ("Всего сорок человек.", "Всего 45 человек."),
    ],
)
def test_a_passage_does_not_offer_another_fact(said, text):
    assert not facts(said) <= offered(text)


def test_the_first_word_is_a_name_only_where_it_must_be_one():
    assert "name:отпуск" not in facts("Отпуск длится месяц.")
    assert "name:сидор" in facts("Сидоров И. И. подписал приказ.")
    assert "name:сидор" in facts("Сидоров подписал приказ.")
    assert "name:согласн" not in facts("Согласно Положению, отпуск длится месяц.")


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("Отпуск не переносится.", "Отпуск переносится на другой год."),
        ("Отпуск переносится.", "Отпуск не переносится на другой год."),
        ("Курить в здании нельзя.", "Курить в здании можно."),
        ("Курить в здании можно.", "В здании запрещается курить."),
        ("Вход без пропуска.", "Вход по пропуску."),
        ("Работают все, кроме бухгалтерии.", "Работают все, включая бухгалтерию."),
        ("Срок не более 5 дней.", "Срок не менее 5 дней."),
    ],
)
def test_denials_on_one_side_only_contradict(claim, source):
    assert contradicts(claim, source)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("Отпуск не переносится.", "Перенос невозможен: отпуск не переносится."),
        ("Заявление подают за 14 дней.", "Заявление подают не позднее чем за 14 дней."),
        ("Курить запрещено.", "Запрещается курить."),
        ("Срок не менее 5 дней.", "Минимум 5 дней — таков срок."),
        ("Премию платят всем.", "Премию платят не только мастерам, но всем."),
    ],
)
def test_the_same_polarity_does_not_contradict(claim, source):
    assert not contradicts(claim, source)


@pytest.mark.parametrize(
    ("russian", "latin"),
    [("Тьюринг", "Turing"), ("Шекспир", "Shakespeare"), ("Хьюстон", "Houston"), ("Кембридж", "Cambridge")],
)
def test_a_name_is_known_in_the_other_alphabet(russian, latin):
    assert sounds_like(russian, latin)
    assert sounds_like(latin, russian)


@pytest.mark.parametrize(("russian", "latin"), [("Смит", "Jones"), ("Лондон", "Lincoln"), ("Паркер", "Morris")])
def test_another_name_is_not(russian, latin):
    assert not sounds_like(russian, latin)
