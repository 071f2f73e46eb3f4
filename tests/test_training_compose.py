"""Lessons show a passage among its neighbours, with questions that it answers and questions that nothing shown does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import InvalidRequest
from generation.span_prompt import Shown, Span
from training.compose import Composer, Mixture
from training.lessons import Lesson, Task, read_lessons, write_lessons
from training.material import Material, Question, read_materials


def _material(number: int) -> Material:
    asked = Question(f"Что {number}?", (f"Ответ\nномер {number}",))
    title, text = f"Документ {number}", f"Ответ\nномер {number}."
    return Material(f"m{number}", f"d{number}", title, text, (asked,), (f"Где {number}?",))


MATERIALS = tuple(_material(number) for number in range(12))
NEAR = {m.id: [other.id for other in MATERIALS if other is not m] for m in MATERIALS}


NAMED = Mixture(passages=(0.35, 0.4, 0.25), nameless=0.0)  # so that a title tells which passages are shown


def _lessons(passes: int = 1, seed: int = 7, mixture: Mixture = NAMED) -> list[Lesson]:
    return list(Composer(MATERIALS, NEAR, mixture, seed).lessons(passes))


def test_every_answer_stands_in_the_passage_of_its_number():
    for lesson in _lessons(3):
        for task in lesson.tasks:
            assert all(span.text in lesson.passages[span.n - 1].text for span in task.answer)


def test_a_question_of_a_passage_that_is_not_shown_has_no_answer():
    for lesson in _lessons(3):
        titles = {passage.title.rpartition(" ")[2] for passage in lesson.passages}
        for task in lesson.tasks:
            number = task.question.rstrip("?").rpartition(" ")[2]
            assert bool(task.answer) == (task.question.startswith("Что") and number in titles)


def test_each_pass_shows_every_passage_in_other_company():
    first, both = _lessons(1), _lessons(2)
    second = both[len(first) :]
    for part in (first, second):
        assert {p.title for lesson in part for p in lesson.passages} == {m.title for m in MATERIALS}
    assert [lesson.passages for lesson in first] != [lesson.passages for lesson in second]


def test_a_passage_that_is_shown_alone_is_asked_what_the_search_might_bring_it_for():
    for lesson in _lessons(2, mixture=Mixture(passages=(1.0,), nameless=0.0)):
        (passage,) = lesson.passages
        foreign = [task for task in lesson.tasks if task.question.startswith("Что") and not task.answer]
        assert len(foreign) == 2  # a quarter of the eight: none of these documents has another passage
        assert all(task.question.rstrip("?").split()[1] not in passage.text for task in foreign)


def test_questions_on_other_passages_of_the_same_document_come_first():
    kin = tuple(replace(material, document="один") for material in MATERIALS)
    composer = Composer(kin, NEAR, Mixture(passages=(1.0,), foreign_per_lesson=4), 7)
    for lesson in composer.lessons(1):
        assert sum(task.question.startswith("Что") and not task.answer for task in lesson.tasks) == 3


def test_some_passages_stand_under_a_name_that_says_nothing():
    titles = [p.title for lesson in _lessons(20, mixture=Mixture(nameless=0.5)) for p in lesson.passages]
    known = {material.title for material in MATERIALS}
    assert 0.4 < sum(title not in known for title in titles) / len(titles) < 0.6


def test_the_same_seed_composes_the_same_lessons():
    assert _lessons(2, seed=3) == _lessons(2, seed=3) != _lessons(2, seed=4)


def test_lessons_are_read_as_they_were_written(tmp_path):
    lessons = [Lesson((Shown("Т", "а б"),), (Task("?", (Span(1, "а"), Span(1, "б"))), Task("!", ())))]
    assert write_lessons(lessons, tmp_path / "lessons.jsonl") == 1
    assert list(read_lessons(tmp_path / "lessons.jsonl")) == lessons


def test_a_material_whose_answer_does_not_stand_in_it_is_named_by_its_line(tmp_path):
    file = tmp_path / "set.jsonl"
    file.write_text('{"id": "a#1", "title": "t", "text": "да", "qas": [{"q": "?", "a": ["нет"]}]}\n', encoding="utf-8")
    with pytest.raises(InvalidRequest, match="строка 1"):
        list(read_materials(file))
