"""What is the same in several documents takes one place; what differs in a number or a name does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.types import Passage, Principal
from retrieval.folding import fold
from retrieval.searcher import Searcher
from retrieval.vector_index import VectorIndex
from tests.small_base import EVERYONE, SmallBase, WordEncoder

RULE = (
    "Работник подаёт заявление на отпуск не позднее чем за две недели до его начала. Руководитель отдела согласует "
    "заявление и передаёт его в отдел кадров. Отдел кадров готовит приказ и знакомит с ним работника под подпись."
)


def passage(id_: int, document: str, text: str) -> Passage:
    return Passage(id_, document, document, 1, None, text, 0, len(text), 1.0 / id_)


def documents(found: tuple[Passage, ...]) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.document, one.also_in) for one in found]


def test_a_repetition_takes_no_place_and_is_named() -> None:
    found = [passage(1, "a", RULE), passage(2, "b", RULE.upper()), passage(3, "c", "Насос хранят сухим.")]
    assert documents(fold(found, 2)) == [("a", ("b",)), ("c", ())]


def test_a_word_more_is_still_the_same() -> None:
    assert documents(fold([passage(1, "a", RULE), passage(2, "b", f"{RULE} Конец.")], 5)) == [("a", ("b",))]


@pytest.mark.parametrize("other", [RULE.replace("две", "14"), RULE + " См. MySQL.", RULE[: len(RULE) // 2]])
def test_another_number_name_or_half_of_the_text_is_another_content(other: str) -> None:
    assert len(fold([passage(1, "a", RULE), passage(2, "b", other)], 5)) == 2


def test_a_document_may_repeat_itself() -> None:
    assert len(fold([passage(1, "a", RULE), passage(2, "a", RULE)], 5)) == 2


def test_texts_without_words_do_not_fold_into_others() -> None:
    assert len(fold([passage(1, "a", "— — —"), passage(2, "b", RULE)], 5)) == 2


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SmallBase]:
    base = SmallBase(tmp_path)
    yield base
    base.close()


def test_a_repetition_gives_way_to_other_content_and_never_to_a_closed_document(base: SmallBase) -> None:
    for number in range(8):
        base.add(RULE, collection="общая", name=f"копия {number}")
    base.add(RULE, collection="дирекция", name="тайная копия")
    base.add("Отпуск директора согласует совет.", collection="общая", name="совет")
    searcher = Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5)

    def names(principal: Principal) -> tuple[set[str], set[str]]:
        found = searcher.search("заявление на отпуск", principal=principal, collection=None, top_k=2).passages
        return {one.document for one in found}, {name for one in found for name in one.also_in}

    shown, also = names(Principal("кадровик", frozenset({"общая"})))
    assert "совет" in shown
    assert len(also) == 7
    assert "тайная копия" not in shown | also
    assert "тайная копия" in set().union(*names(EVERYONE))


@pytest.mark.parametrize("copies", [100, 230])  # more than are shown first, more than are looked for first
def test_a_text_of_many_documents_leaves_room_for_all_others(base: SmallBase, copies: int) -> None:
    for number in range(copies):
        base.add(RULE, name=f"копия {number}")
    others = [base.add(f"Отпуск в отделе {number} согласует начальник смены {number}.") for number in range(10)]
    searcher = Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5)
    found = searcher.search("заявление на отпуск", principal=EVERYONE, collection=None, top_k=11).passages
    assert len(found) == 11
    assert {one.document_id for one in found} >= set(others)
    assert found[0].text == RULE
