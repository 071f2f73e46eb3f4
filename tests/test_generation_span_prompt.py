from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.span_prompt import (
    Shown,
    Span,
    answer_pieces,
    context_text,
    places_in,
    question_text,
    read_answer,
)

PASSAGES = (Shown.of("Отпуска,\nп. 4.2", "Отпуск длится\n28 дней."), Shown.of("Оплата", "Отпускные платят за 3 дня."))


def test_the_prompt_numbers_passages_and_ends_where_the_model_goes_on():
    assert context_text(PASSAGES) + question_text("Сколько\nдней?") == (
        "Отрывки:\n\n[1] Отпуска, п. 4.2\nОтпуск длится 28 дней.\n\n"
        "[2] Оплата\nОтпускные платят за 3 дня.\n\nВопрос: Сколько дней?\nОтвет:"
    )


def test_a_passage_takes_one_line_because_a_lines_end_ends_the_answer():
    assert "\n" not in Shown.of("Имя\nфайла", "первая\n\nвторая\tтретья").text


@pytest.mark.parametrize(
    "spans", [(), (Span(1, "28 дней"),), (Span(2, "за 3 дня; за день"), Span(1, "28 дней")), (Span(3, "a [1] b"),)]
)
def test_what_is_taught_is_what_is_read(spans):
    assert read_answer("".join(answer_pieces(spans))) == spans


def test_words_are_found_wherever_they_stand_whatever_white_space_is_between():
    text = "Отпуск — 28\nкалендарных дней. За 128 календарных дней до срока. Ещё 28  календарных дней"
    places = places_in(text, "28 календарных дней")
    assert [text[start:end].split() for start, end in places] == [["28", "календарных", "дней"]] * 2
    assert places_in(text, "29 календарных дней") == ()
    assert places_in(text, " ") == ()


@pytest.mark.parametrize("words", ["(по приказу № 7)", "приказу", "«Рассвет»", "5 %", "п. 4.2."])
def test_words_that_begin_or_end_with_a_mark_are_found(words):
    text = f"Сказано {words} и дальше."
    assert [text[start:end] for start, end in places_in(text, words)] == [words]


@given(st.text(alphabet="абв 12,.«»\n", min_size=1), st.data())
def test_any_run_of_words_of_a_text_is_found_in_it(text, data):
    words = text.split()
    if not words:
        return
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, len(words)))
    said = " ".join(words[start:end])
    assert any(text[a:b].split() == words[start:end] for a, b in places_in(text, said))
