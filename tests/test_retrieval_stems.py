"""Keyword search knows Russian words in all their forms, and leaves codes alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.stems import stem_text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("оплачиваемый отпуск", "оплачиваемых отпусков"),
        ("ёлка", "елки"),
        ("ПРИКАЗ", "приказами"),
        ("при\u0301каз", "приказ"),
        ("до\u00adговор", "договор"),
        ("договоры\u200b", "договор"),
        ("invoices", "invoice"),
        ("Cкладской", "складской"),  # a Latin C
        ("п. 4.2", "П 4.2"),
        ("и\u0306од", "йод"),
    ],
)
def test_forms_of_a_word_give_the_same_stems(one: str, other: str) -> None:
    assert stem_text(one) == stem_text(other)


@pytest.mark.parametrize("query", ["ФЗ-152", "фз 152", "№ 152-ФЗ", "152-фз"])
def test_a_law_is_found_by_its_number_however_written(query: str) -> None:
    assert {"152", "фз"} <= set(stem_text(query))


@pytest.mark.parametrize("number", ["4.2", "01.02.2023", "24/7", "1.10.3"])
def test_numbers_stay_whole(number: str) -> None:
    assert stem_text(f"п {number}") == ["п", number]


def test_an_identifier_is_found_whole_and_by_its_parts() -> None:
    assert stem_text("access_key_id") == ["access_key_id", "access", "key", "id"]


def test_parts_of_a_hyphenated_word_are_stems_of_their_own() -> None:
    assert stem_text("интернет-магазинах") == stem_text("интернет магазин")


def test_words_that_every_question_has_are_left_out() -> None:
    assert stem_text("Что это такое и где оно?") == []


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_gives_stems_without_spaces_or_quotes(text: str) -> None:
    assert all(stem and '"' not in stem and not stem.isspace() and " " not in stem for stem in stem_text(text))


@settings(deadline=None)
@given(st.text(alphabet="абвгдеёжзиклмнопрстуфхц -", max_size=60))
def test_case_never_matters(text: str) -> None:
    assert stem_text(text.upper()) == stem_text(text)
