"""Follow-ups are measured by what their whole question finds, and what stands alone by being left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.dialogues import Dialogue, ask, load_dialogues, shown
from retrieval.searcher import Searcher
from retrieval.vector_index import VectorIndex
from tests.small_base import SmallBase, WordEncoder

FOLLOWED = Dialogue(
    "pronoun", ("Как часто меняется пароль?", "Сколько знаков он держит?"), "Сколько знаков держит пароль?", "12 знаков"
)


@pytest.fixture
def searcher(tmp_path: Path) -> Iterator[Searcher]:
    base = SmallBase(tmp_path)
    base.add("Пароль меняется часто и держит 12 знаков.", "Номер держит семь знаков.", "Отпуск длится 28 дней.")
    yield Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5)
    base.close()


def test_a_follow_up_made_whole_finds_what_the_whole_question_finds(searcher: Searcher) -> None:
    outcome = ask(FOLLOWED, searcher)
    assert (outcome.made, outcome.rewritten, outcome.meant) == ("Сколько знаков пароль держит?", 1, 1)
    assert outcome.is_alike
    assert not outcome.is_left_alone


def test_what_stands_alone_is_not_searched_for_and_counts_when_unchanged(searcher: Searcher) -> None:
    kept = ask(Dialogue("social", ("Как часто меняется пароль?", "Спасибо!"), None), searcher)
    assert (kept.is_left_alone, kept.typed, kept.rewritten) == (True, None, None)
    table = shown([ask(FOLLOWED, searcher), kept])
    assert "leaning      1" in table
    assert table.splitlines()[-1].split() == ["standing", "1", "100.0"]


def test_the_dialogues_are_sixty_in_halves_that_share_none(examples: Path) -> None:
    every, seen, unseen = load_dialogues(), load_dialogues("seen"), load_dialogues("unseen")
    assert len(every) == 60
    assert not set(seen) & set(unseen)
    assert set(seen) | set(unseen) == set(every)
    assert Counter(one.kind for one in every).keys() == {"ellipsis", "pronoun", "chain", "topic", "social"}
    assert sum(one.whole is None for one in every) == 20
    assert all(bool(one.holds) == bool(one.whole) and len(one.turns) in (2, 3, 4) for one in every)
