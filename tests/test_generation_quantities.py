"""Numbers with what they count, as Russian documents write them."""

from __future__ import annotations

import pytest

from generation.quantities import CLOCK, DATE, YEAR, quantities


def found(text: str) -> list[tuple[str, str]]:
    return [(one.value, one.unit) for one in quantities(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("28 календарных дней", [("28", "день")]),
        ("в течение пяти рабочих дней", [("5", "день")]),
        ("28 (двадцать восемь) календарных дней", [("28", "день")]),
        ("1 500,50 руб. и 15 тыс. рублей", [("1500.5", "рубль"), ("15000", "рубль")]),
        ("35 % оклада или 20 процентов", [("35", "%"), ("20", "%")]),
        ("от 3 до 7 рабочих дней", [("3", "день"), ("7", "день")]),
        ("5-го и 20-го числа", [("5", "число"), ("20", "число")]),
        ("приказы хранятся 50 лет", [("50", "год")]),
        ("не позднее 17 декабря", [("17.12.", DATE)]),
        ("с 01.03.2025 по 5 мая 2026 г.", [("1.3.2025", DATE), ("5.5.2026", DATE)]),
        ("с 8:00 до 17.30", [("08:00", CLOCK), ("17:30", CLOCK)]),
        ("в 2023 году", [("2023", YEAR)]),
        ("не выше 8 °C", [("8", "°")]),
        ("предоставляется один день отдыха, один из них", [("1", "день")]),
        ("4.2. Отпуск длится 28 дней, см. п. 3.1", [("28", "день")]),
        ("кабинет 214", [("214", "")]),
        ("приказ № 112", []),
    ],
)
def test_a_number_comes_with_what_it_counts(text, expected):
    assert found(text) == expected


def test_the_words_are_those_of_the_document():
    (one,) = quantities("Отпуск — 28 (двадцать восемь)  календарных дней в году.")
    assert one.text == "28 (двадцать восемь)  календарных дней"


@pytest.mark.parametrize(
    ("one", "other", "agrees"),
    [
        ("две недели", "14 дней", True),
        ("1,5 тыс. руб.", "1 500 рублей", True),
        ("5 рабочих дней", "5 календарных дней", False),
        ("5 рабочих дней", "5 дней", True),
        ("17 декабря", "17 декабря 2026 года", True),
        ("17 декабря 2025 года", "17 декабря 2026 года", False),
        ("28 дней", "24 дня", False),
        ("28 дней", "28 рублей", False),
    ],
)
def test_the_same_written_otherwise_agrees(one, other, agrees):
    first, second = quantities(one)[0], quantities(other)[0]
    assert first.agrees(second) == second.agrees(first) == agrees
