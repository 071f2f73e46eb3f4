"""Marks and quotes: numbers from one, words as they stand in the document."""

from __future__ import annotations

import pytest

from core.types import Passage
from generation.citations import QUOTE_MAX_CHARS, Numbering, Quote, marked_numbers, shorten, with_marks, without_marks

TEXT = "Отпуск длится 28 дней. Заявление подают за 14 дней."
PASSAGE = Passage(1, "a", "Положение.pdf", 3, "п. 4", TEXT, 100, 100 + len(TEXT))


def test_the_same_words_keep_their_number_and_are_cited_once():
    numbering = Numbering()
    first, second = Quote(PASSAGE, 0, 22), Quote(PASSAGE, 23, len(TEXT))
    assert numbering.cite([second])[0] == (1,)
    numbers, new = numbering.cite([first, second, first])
    assert numbers == (2, 1)
    assert [(citation.n, citation.quote, citation.page) for citation in new] == [(2, "Отпуск длится 28 дней.", 3)]


@pytest.mark.parametrize(
    ("text", "numbers", "without"),
    [
        ("Пять дней [1].", (1,), "Пять дней."),
        ("Пять дней. [2][1]", (2, 1), "Пять дней."),
        ("Пять дней [1, 3].", (1, 3), "Пять дней."),
        ("До 2014 г. [2].", (2,), "До 2014 г."),
        ("Статья [12а] и [текст].", (), "Статья [12а] и [текст]."),
        ("И так далее... [1]", (1,), "И так далее..."),
    ],
)
def test_marks_are_read_and_taken_out(text, numbers, without):
    assert marked_numbers(text) == numbers
    assert without_marks(text) == without


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Пять дней.", "Пять дней [1][2]."),
        ("Пять дней", "Пять дней [1][2]"),
        ("Стаж 14 лет.", "Стаж 14 лет [1][2]."),
        ("До 2014 г.", "До 2014 г. [1][2]"),
        ("Подписал Иванов И. И.", "Подписал Иванов И. И. [1][2]"),
    ],
)
def test_marks_stand_before_the_full_stop_that_is_not_part_of_a_word(text, expected):
    assert with_marks(text, (1, 2)) == expected


@pytest.mark.parametrize("around", [0, 400, 999, 1500, 2400])
def test_a_long_quote_is_cut_at_words_around_the_place_that_matters(around):
    text = " ".join(f"слово{n}" for n in range(300))
    passage = Passage(1, "a", "Акт.txt", None, None, text, 0, len(text))
    cut = shorten(Quote(passage, 0, len(text)), around)
    assert len(cut.text) <= QUOTE_MAX_CHARS
    assert cut.text in text
    assert set(cut.text.split()) <= set(text.split())
    assert cut.start <= around + 10
    assert around <= cut.end + 10
