"""Passages that follow one another in a section are shown as one, verbatim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from core.types import Passage
from retrieval.neighbours import join_neighbours, search_joined
from retrieval.searcher import Searcher
from retrieval.store import documents, jobs, passages
from retrieval.store.documents import Upload
from retrieval.store.passages import Ingested, NewPage, NewPassage
from retrieval.vector_index import VectorIndex
from tests.small_base import EVERYONE, SmallBase, WordEncoder, vector_of

PAGE = "Отпуск длится 28 дней.\n\nОтпуск дают по графику. Отпуск можно разделить.  Отпуск переносят приказом."
Piece = tuple[int, int, str | None]


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SmallBase]:
    base = SmallBase(tmp_path)
    yield base
    base.close()


def add(base: SmallBase, pieces: Sequence[Piece], pages: Sequence[str] = (PAGE,)) -> str:
    """Store a document whose passages are stretches of its first page, or one of each page."""
    upload = Upload("приказ.txt", "default", "text/plain", 1, f"{len(pieces):064x}", False)
    with base.database.write() as conn:
        document = documents.add(conn, upload, EVERYONE, now=100.0)
        jobs.lease(conn, "test", limit=10, now=100.0)
        made = tuple(
            NewPassage(at if len(pages) > 1 else 0, section, text, start, end, text, vector_of(text), text.lower())
            for at, (start, end, section) in enumerate(pieces)
            for text in [pages[at if len(pages) > 1 else 0][start:end]]
        )
        ingested = Ingested(document.id, "text/plain", tuple(NewPage(None, text) for text in pages), made)
        assert passages.commit(conn, ingested, "test", now=100.0)
    return document.id


def found(base: SmallBase, *places: int) -> list[Passage]:
    """The passages with these ids, best first."""
    with base.database.read() as conn:
        return passages.show(conn, {id_: 1.0 / n for n, id_ in enumerate(places, start=1)}, EVERYONE)


def test_overlapping_and_following_passages_become_one_of_the_page(base: SmallBase) -> None:
    add(base, [(0, 47, "I"), (24, 71, "I"), (73, len(PAGE), "I")])
    [joined] = join_neighbours(base.database, found(base, 3, 1, 2))
    assert (joined.start, joined.end, joined.text) == (0, len(PAGE), PAGE)
    assert joined.id == 3  # the best of them


def test_a_passage_between_that_was_not_found_keeps_them_apart(base: SmallBase) -> None:
    add(base, [(0, 47, "I"), (24, 71, "I"), (73, len(PAGE), "I")])
    assert [one.id for one in join_neighbours(base.database, found(base, 1, 3))] == [1, 3]


def test_sections_and_pages_stay_apart(base: SmallBase) -> None:
    add(base, [(0, 22, "I"), (24, 71, "II")])
    assert len(join_neighbours(base.database, found(base, 1, 2))) == 2


def test_pages_without_numbers_stay_apart(base: SmallBase) -> None:
    add(base, [(0, 22, None), (0, 22, None)], pages=[PAGE, PAGE])
    assert len(join_neighbours(base.database, found(base, 1, 2))) == 2


def test_what_was_deleted_meanwhile_stays_as_it_was_found(base: SmallBase) -> None:
    document = add(base, [(0, 47, "I"), (24, 71, "I")])
    before = found(base, 1, 2)
    base.remove(document)
    assert join_neighbours(base.database, before) == tuple(before)


def test_joined_passages_leave_room_for_others(base: SmallBase) -> None:
    add(base, [(0, 47, "I"), (24, 71, "I")])
    base.add("Отпуск директора согласует совет")
    searcher = Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5)

    def search(top_k: int) -> object:
        return searcher.search("отпуск по графику", principal=EVERYONE, collection=None, top_k=top_k)

    shown = search_joined(search, base.database, top_k=2).passages
    assert {one.document for one in shown} == {"приказ.txt", "0.txt"}
    assert PAGE[shown[0].start : shown[0].end] == shown[0].text
