"""How lines of a page become paragraphs."""

from __future__ import annotations

import time

import pytest

from ingest.paragraphs import join_lines, pages_of, vocabulary_of

WIDE = "Настоящим Федеральным законом регулируются отношения, связанные с обработкой"


def test_lines_of_one_sentence_are_joined() -> None:
    assert join_lines(f"{WIDE}\nперсональных данных", ()) == f"{WIDE} персональных данных"


def test_a_full_line_goes_on_with_a_capital() -> None:
    text = f"{WIDE} в органах Российской\nФедерации. Точка."
    assert join_lines(text, ()) == f"{WIDE} в органах Российской Федерации. Точка."


@pytest.mark.parametrize(
    "line",
    ["Статья 12. Отпуск", "1. Общие положения", "4.2 Порядок", "а) первое;", "- пункт", "Приложение № 3", "ПРИКАЗ"],
)
def test_headings_and_items_start_a_paragraph(line: str) -> None:
    assert join_lines(f"{WIDE}\n{line}", ()) == f"{WIDE}\n{line}"


def test_rows_of_a_table_stay_apart() -> None:
    rows = "Государство Место ВВП\nКитай 1 25362\nСША 2 20494"
    assert join_lines(rows, ()) == rows


def test_a_heading_does_not_swallow_what_follows() -> None:
    heading = "Статья 3. Основные понятия, используемые в настоящем Федеральном законе"
    assert join_lines(f"{heading}\nВ целях настоящего закона", ()) == f"{heading}\nВ целях настоящего закона"


def test_an_empty_line_parts() -> None:
    assert join_lines("первая строка,\n\nвторая строка", ()) == "первая строка,\nвторая строка"


def test_punctuation_at_a_line_start_is_drawn_to_its_word() -> None:
    assert (
        join_lines("персональных данных\n, осуществляемой органами", ())
        == "персональных данных, осуществляемой органами"
    )


@pytest.mark.parametrize(
    ("text", "vocabulary", "joined"),
    [
        ("условия догово-\nра", "", "условия договора"),
        ("услуги свя\u00ad\nзи", "", "услуги связи"),
        ("уголовно-\nправового характера", "", "уголовно-правового характера"),
        ("научно-\nтехнический", "научно-технический совет", "научно-технический"),
        ("кое-\nкакой", "", "кое-какой"),
        ("какой-\nнибудь", "", "какой-нибудь"),
        ("государственно-\nго", "", "государственного"),
        ("едино-\nвременного", "", "единовременного"),
        ("уголовно-\nправового", "уголовноправового", "уголовноправового"),
        ("the adop-\ntion of", "", "the adoption of"),
        ("Санкт-\nПетербург", "", "Санкт-Петербург"),
    ],
)
def test_hyphenated_words_are_made_whole(text: str, vocabulary: str, joined: str) -> None:
    assert join_lines(text, vocabulary_of(vocabulary)) == joined


def test_words_of_one_page_mend_those_of_another() -> None:
    pages = pages_of(["Это научно-практическая работа", "и научно-\nпрактическая тоже"])
    assert pages[1].text == "и научно-практическая тоже"
    assert [page.number for page in pages] == [1, 2]


def test_spaced_letters_become_a_word() -> None:
    assert join_lines("П Р И К А З Ы В А Ю:", ()) == "ПРИКАЗЫВАЮ:"


def test_ligatures_become_letters() -> None:
    assert join_lines("we ﬁrst present traﬃc", ()) == "we first present traffic"


def test_joining_twice_changes_nothing() -> None:
    text = f"{WIDE}\nперсональных дан-\nных. Конец.\nСтатья 2. Цели\nКитай 1 2"
    once = join_lines(text, ())
    assert join_lines(once, ()) == once


def test_dots_of_a_table_of_contents_end_a_line() -> None:
    text = "1 Кормление ........ 1\nуход"
    assert join_lines(text, ()) == text


def test_a_page_of_very_many_lines_takes_no_time() -> None:
    text = "строка без конца и края,\n" * 100_000
    started = time.process_time()
    assert join_lines(text, ()).count("\n") == 0
    assert time.process_time() - started < 5
