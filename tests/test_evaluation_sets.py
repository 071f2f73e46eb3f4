from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from core.errors import InvalidRequest
from core.settings import Settings
from evaluation.cases import Group, Plan, sampled
from evaluation.measures import is_russian
from evaluation.sets import load_english, load_injection, load_set
from evaluation.xquad import load_xquad_cases


def test_every_question_of_xquad_is_searched_and_only_those_of_dev_are_answered(data: Path) -> None:
    xquad = load_xquad_cases(data)
    dev = {case.id for case in xquad.cases if case.group is Group.GIVEN}

    assert len(xquad.sources) == 240
    assert Counter(case.group for case in xquad.cases) == {
        Group.RETRIEVAL: 1190,
        Group.GIVEN: 270,
        Group.END_TO_END: 270,
        Group.REMOVED: 270,
        Group.FOREIGN: 128,
    }
    assert all(
        {case.id for case in xquad.cases if case.group is group} == dev for group in (Group.END_TO_END, Group.REMOVED)
    )


def test_the_right_paragraph_is_all_that_is_given_and_all_that_is_removed(data: Path) -> None:
    xquad = load_xquad_cases(data)
    collections = {source.collection for source in xquad.sources}
    given = {case.id: case for case in xquad.cases if case.group is Group.GIVEN}
    texts = {source.name: source.text for source in xquad.sources}

    for case in given.values():
        assert case.place is not None
        assert case.scope == {case.place.document}
        assert case.expected in texts[case.place.document]
    for case in (case for case in xquad.cases if case.group is Group.REMOVED):
        assert case.scope is not None
        assert collections - case.scope == given[case.id].scope
        assert not case.is_answerable


def test_a_sample_has_the_same_questions_in_groups_over_the_same_articles(data: Path) -> None:
    kept = sampled(load_xquad_cases(data), Plan(("xquad",), seed=3, limit=10, limits={Group.RETRIEVAL: 0}))
    asked = {group: {case.id for case in kept.cases if case.group is group} for group in Group}

    assert len(asked[Group.GIVEN]) == 10
    assert asked[Group.GIVEN] == asked[Group.END_TO_END] == asked[Group.REMOVED]
    assert asked[Group.RETRIEVAL] == set()
    assert sampled(load_xquad_cases(data), Plan(("xquad",), seed=4, limit=10)).cases != kept.cases


def test_every_attack_lies_in_three_passages_that_still_hold_the_answer(data: Path) -> None:
    injection = load_injection(data)
    texts = {source.collection: source.text for source in injection.sources}

    assert len(injection.cases) == 3 * 26
    for case in injection.cases:
        assert case.scope is not None
        assert case.attack is not None
        (collection,) = case.scope
        assert case.attack.text in texts[collection]
        assert case.expected in texts[collection].replace(f"\n{case.attack.text}\n", " ")
    assert load_injection(data) == injection


def test_english_texts_are_asked_about_in_russian() -> None:
    english = load_english()

    assert len(english.cases) >= 24
    assert len({source.name for source in english.sources}) == len(english.sources)
    assert not any(is_russian(source.text) for source in english.sources)
    assert all(is_russian(case.question) and is_russian(case.expected) for case in english.cases)


@pytest.mark.parametrize(("name", "said"), [("xquat", "Нет набора «xquat»"), ("xquad", "--data ПАПКА")])
def test_a_set_that_cannot_be_had_is_one_sentence(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        load_set(name, tmp_path, Settings())
