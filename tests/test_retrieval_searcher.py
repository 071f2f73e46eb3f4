"""A search gives what the caller may read, of the state it began with, and nothing that was deleted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import NotFound
from core.types import Principal
from retrieval.retriever import PassageRetriever
from retrieval.searcher import Searcher
from retrieval.store import vectors
from retrieval.vector_index import VectorIndex
from tests.small_base import EVERYONE, SmallBase, WordEncoder

STAFF = Principal("кадровик", frozenset({"кадры"}))


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SmallBase]:
    base = SmallBase(tmp_path)
    yield base
    base.close()


@pytest.fixture
def searcher(base: SmallBase) -> Searcher:
    return Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5)


def texts(searcher: Searcher, query: str, principal: Principal = EVERYONE, collection: str | None = None) -> list[str]:
    found = searcher.search(query, principal=principal, collection=collection, top_k=5)
    return [passage.text for passage in found.passages]


def test_a_question_finds_another_form_of_its_words(base: SmallBase, searcher: Searcher) -> None:
    base.add("Отпуск предоставляется по графику", "Насос хранят сухим", "Счёт оплачивают сразу")
    assert texts(searcher, "график отпусков")[0] == "Отпуск предоставляется по графику"


def test_what_was_just_added_is_found(base: SmallBase, searcher: Searcher) -> None:
    base.add("Старый приказ")
    base.compact()
    texts(searcher, "приказ")
    base.add("Новый приказ о премии")
    assert texts(searcher, "приказ о премии")[0] == "Новый приказ о премии"


@pytest.mark.parametrize("is_compacted", [False, True])
def test_what_was_deleted_is_not_found(base: SmallBase, searcher: Searcher, is_compacted: bool) -> None:
    base.add("Приказ о переводе")
    secret = base.add("Приказ о премии")
    if is_compacted:
        base.compact()
    assert "Приказ о премии" in texts(searcher, "приказ о премии")
    base.remove(secret)
    assert texts(searcher, "приказ о премии") == ["Приказ о переводе"]


def test_only_collections_of_the_caller_are_searched(base: SmallBase, searcher: Searcher) -> None:
    base.add("Оклад директора", collection="дирекция")
    base.add("Оклад слесаря", collection="кадры")
    assert texts(searcher, "оклад директора", STAFF) == ["Оклад слесаря"]
    assert texts(searcher, "оклад слесаря", EVERYONE, "дирекция") == ["Оклад директора"]


def test_others_do_not_crowd_out_what_the_caller_may_read(base: SmallBase, searcher: Searcher) -> None:
    base.add(*(f"Оклад директора {number}" for number in range(300)), collection="дирекция")
    base.add("Оклад слесаря", collection="кадры")
    base.compact()
    assert texts(searcher, "оклад директора", STAFF) == ["Оклад слесаря"]


def test_a_closed_collection_is_as_if_it_did_not_exist(searcher: Searcher) -> None:
    with pytest.raises(NotFound):
        texts(searcher, "оклад", STAFF, "дирекция")


@pytest.mark.parametrize("query", ["", "и", "???", '"', "NEAR(", "а" * 100_000, "слово " * 5000, "\x00"])
def test_odd_queries_do_no_harm(base: SmallBase, searcher: Searcher, query: str) -> None:
    base.add("Приказ")
    assert len(texts(searcher, query)) <= 1


def test_an_empty_base_gives_nothing(searcher: Searcher) -> None:
    assert texts(searcher, "что угодно") == []


def test_vectors_of_another_model_are_never_compared(base: SmallBase, searcher: Searcher) -> None:
    base.add("Приказ о премии", "Насос хранят сухим")
    with base.database.write() as conn:
        vectors.set_fingerprint(conn, "another model")
    assert texts(searcher, "премия") == ["Приказ о премии"]


def test_searches_from_many_threads_see_whole_documents(base: SmallBase, searcher: Searcher) -> None:
    """A document of two passages is replaced again and again: a search sees both of one version or none."""
    failures: list[list[str]] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            found = texts(searcher, "приказ версия")
            if len({text.split()[-1] for text in found}) > 1 or len(found) not in (0, 2):
                failures.append(found)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(15):
        document_id = base.add(f"Приказ первый версия {number}", f"Приказ второй версия {number}")
        if number % 4 == 0:
            base.compact()
        base.remove(document_id)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_langchain_gets_documents_with_their_place(base: SmallBase, searcher: Searcher) -> None:
    base.add("Приказ о премии", name="приказ.txt")
    [document] = PassageRetriever(searcher=searcher, principal=EVERYONE).invoke("премия")
    assert document.page_content == "Приказ о премии"
    assert document.metadata["source"] == "приказ.txt"
    assert document.metadata["page"] == 1
