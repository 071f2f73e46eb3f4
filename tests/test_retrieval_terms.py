"""The keyword index knows a word's relatives, keeps codes whole, and remembers where sentences end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.terms import index_text, root_text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("завоевания", "завоевали"),
        ("рассчитывается", "рассчитать"),
        ("тарификация", "тарифы"),
        ("оплачивать", "оплаченный"),
        ("дом", "дома"),
    ],
)
def test_relatives_that_stems_keep_apart_have_one_root(one: str, other: str) -> None:
    assert root_text(one) == root_text(other)


@pytest.mark.parametrize("code", ["access_key_id", "152-фз", "2023-11-07", "transactions.log"])
def test_codes_stay_whole(code: str) -> None:
    assert code in root_text(f"Ключ {code}")


def test_latin_words_keep_their_whole_stem() -> None:
    assert root_text("Transaction locks invalidated") == ["transact", "lock", "invalid"]


def test_a_line_is_a_sentence() -> None:
    assert index_text("Отпуск дают по графику. Насос хранят сухим.\n\nИ всё.").split("\n") == [
        "отпус дают графи",
        "насос хран сух",
    ]


def test_nothing_to_index_is_nothing() -> None:
    assert index_text("И что же?") == ""


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=120))
def test_any_text_gives_lines_without_empty_terms(text: str) -> None:
    assert all(line and all(line.split(" ")) for line in index_text(text).split("\n") if index_text(text))
