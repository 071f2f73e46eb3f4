"""Personal data in Russian text: what is found and what is not, on sentences with invented numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.types import PersonalKind
from retrieval import check_digits
from retrieval.personal_data import MARGIN_CHARS, MARKS, find, masked, masked_piece

MARKED = re.compile(r"⟦(\w+)\|([^⟧]*)⟧")
# What the rules reached on the sentences of tests/data/personal_data.txt, kept in docs/personal-data.md.
PRECISION_MIN, RECALL_MIN = 0.97, 0.9


@dataclass(frozen=True)
class Sentence:
    """A text and where in it which kinds stand."""

    text: str
    spans: tuple[tuple[PersonalKind, int, int], ...]


def sentences() -> Iterator[Sentence]:
    """Each line is a sentence with «⟦kind|value⟧» around what is to be found."""
    for line in (Path(__file__).parent / "data/personal_data.txt").read_text(encoding="utf-8").splitlines():
        text, spans, at = "", [], 0
        line = line.replace("\\n", "\n")
        for match in MARKED.finditer(line):
            text += line[at : match.start()]
            spans.append((PersonalKind(match[1]), len(text), len(text) + len(match[2])))
            text, at = text + match[2], match.end()
        yield Sentence(text + line[at:], tuple(spans))


def measured() -> dict[PersonalKind, Counter[str]]:
    """By kind: what was `right`, `missed` and found `wrong`ly; right is the whole value and little else."""
    tally: dict[PersonalKind, Counter[str]] = {kind: Counter() for kind in PersonalKind}
    for sentence in sentences():
        left = {(one.kind, one.start, one.end) for one in find(sentence.text)}
        for kind, start, end in sentence.spans:
            hit = next((f for f in left if f[0] is kind and abs(f[1] - start) <= 1 and abs(f[2] - end) <= 1), None)
            tally[kind]["right" if hit else "missed"] += 1
            left.discard(hit)  # type: ignore[arg-type]
        for kind, _, _ in left:
            tally[kind]["wrong"] += 1
    return tally


@pytest.mark.parametrize("kind", PersonalKind)
def test_each_kind_is_found_as_often_as_the_docs_say(kind: PersonalKind) -> None:
    tally = measured()[kind]
    assert tally["right"] >= RECALL_MIN * (tally["right"] + tally["missed"]), tally
    assert tally["right"] >= PRECISION_MIN * (tally["right"] + tally["wrong"]), tally
    assert tally["right"] >= 4, "a measure over nothing says nothing"


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (check_digits.is_snils, "11223344595", "11223344596"),
        (check_digits.is_person_inn, "500100732259", "500100732258"),
        (check_digits.is_company_inn, "7707083893", "7707083894"),
        (check_digits.is_card, "4111111111111111", "4111111111111112"),
        (check_digits.is_card, "5555555555554444", "1234567812345670"),
    ],
)
def test_a_number_counts_with_its_check_digit_alone(check, right: str, wrong: str) -> None:
    assert check(right)
    assert not check(wrong)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9), st.text(alphabet="0123456789", min_size=9, max_size=9))
def test_one_wrong_digit_is_noticed_in_a_card_and_in_an_inn(place: int, tail: str) -> None:
    number = next(f"427612{tail}{last}" for last in range(10) if check_digits.is_luhn(f"427612{tail}{last}"))
    other = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
    assert not check_digits.is_luhn(other)


def test_what_is_masked_leaves_the_rest_of_the_text_as_it_stands() -> None:
    text = "Иванов, тел. +7 (912) 345-67-89, ИНН 7707083893, СНИЛС 112-233-445 95; почта ivanov@example.ru."
    assert masked(text) == "Иванов, тел. [телефон], ИНН 7707083893, СНИЛС [СНИЛС]; почта [e-mail]."


def test_a_mark_is_not_taken_for_personal_data() -> None:
    text = "Телефон: " + ", ".join(MARKS.values())
    assert masked(text) == text


VALUES = ("+7 (912) 345-67-89", "ivanov@example.ru", "112-233-445 95", "4111 1111 1111 1111", "паспорт 45 10 123456")


@pytest.mark.parametrize("value", VALUES)
def test_a_piece_cut_anywhere_shows_no_part_of_a_number(value: str) -> None:
    text = f"{'слово ' * 60}связь {value} на месте {'слово ' * 60}"
    digits = [letter for letter in value if letter.isalnum()]
    at = text.index(value)
    for cut in range(at, at + len(value) + 1):
        before, after = text[:cut], text[cut:]
        for shown in (
            masked_piece(before, "", after[:MARGIN_CHARS]),
            masked_piece(after, before[-MARGIN_CHARS:], ""),
        ):
            assert not re.search(r"\d|@|ivanov", shown), (cut, shown)
    assert digits


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="0123456789 -+()@.,;абв\n\u00a0\u200bOЗ", max_size=200))
def test_any_text_is_read_and_what_is_found_lies_within_it_in_order(text: str) -> None:
    ends = 0
    for found in find(text):
        assert ends <= found.start < found.end <= len(text)
        ends = found.end


def test_a_long_text_full_of_numbers_takes_a_second_at_most_for_a_hundred_thousand_characters() -> None:
    import time

    text = "Иванов, +7 (912) 345-67-89, a@b, 1 2 3 4 5 6 7 8 9 0 - - ( ( 11 22 33 44; " * 1400
    began = time.process_time()
    assert len(find(text)) >= 1400
    assert time.process_time() - began < 5
