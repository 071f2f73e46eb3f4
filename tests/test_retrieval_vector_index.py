"""Whatever came, went and was compacted, the vector search equals a plain look at the database."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.index import Hits, Ids
from retrieval.store import vectors
from retrieval.vector_index import Allowed, VectorIndex
from tests.small_base import SmallBase, vector_of

WORDS = ["договор", "отпуск", "насос", "сервер", "приказ", "акт", "счёт", "склад", "бюджет", "врач", "пожар", "закон"]
COLLECTIONS = ["default", "кадры", "склад"]
NONE = np.zeros(0, np.int64)
QUERY = vector_of("отпуск врача")

steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("add"), st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), st.sampled_from(COLLECTIONS)
        ),
        st.tuples(st.just("remove"), st.integers(0, 20), st.none()),
        st.tuples(st.just("compact"), st.none(), st.none()),
        st.tuples(st.just("search"), st.none(), st.none()),
        st.tuples(st.just("damage"), st.none(), st.none()),
    ),
    max_size=10,
)


def plainly(base: SmallBase, limit: int, collections: frozenset[str] | None, singles: Ids = NONE) -> Hits:
    """Read all vectors from the database and sort them."""
    with base.database.read() as conn:
        every = vectors.added_since(conn, 0)
    allowed = np.array([collections is None or name in collections for name in every.collections], np.bool_)
    allowed |= np.isin(every.ids, singles)
    ids = every.ids[allowed]
    scores = every.vectors[allowed] @ QUERY if len(ids) else np.zeros(0, np.float32)
    best = np.argsort(-scores, kind="stable")[:limit]
    return Hits(ids[best], scores[best])


def assert_equal(index: VectorIndex, base: SmallBase) -> None:
    scopes = (None, frozenset({"кадры"}), frozenset(COLLECTIONS[:2]), frozenset[str]())
    for collections, singles in product(scopes, (NONE, np.array([9, 2, 4, 10_000]))):
        allowed = Allowed(collections, singles)
        with base.database.read() as conn:
            snapshot = index.refresh(conn)
        found, expected = snapshot.search(QUERY, 5, allowed), plainly(base, 5, collections, singles)
        assert found.scores == pytest.approx(expected.scores, abs=1e-5)
        everything = plainly(base, 10_000, None)
        assert snapshot.scores(QUERY, everything.ids) == pytest.approx(everything.scores, abs=1e-5)
        readable = plainly(base, 10_000, collections, singles).ids
        assert set(everything.ids[snapshot.readable(everything.ids, allowed)]) == set(readable)


@settings(max_examples=12, deadline=None)
@given(steps)
def test_search_equals_the_database_after_any_changes(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    base = SmallBase(tmp_path_factory.mktemp("base"))
    index = VectorIndex(base.index_folder)
    documents: list[str] = []
    generation = 0
    for step, what, collection in steps:
        if step == "add":
            documents.append(base.add(*what, collection=collection))
        elif step == "remove" and documents:
            base.remove(documents.pop(what % len(documents)))
        elif step == "compact":
            generation = base.compact()
        elif step == "damage" and generation:
            (base.index_folder / f"{generation}.faiss").write_bytes(b"no index")
        elif step == "search":
            assert_equal(index, base)
    assert_equal(index, base)
    assert_equal(VectorIndex(base.index_folder), base)
    base.close()


def test_nothing_is_read_anew_while_nothing_changes(tmp_path: Path) -> None:
    base = SmallBase(tmp_path)
    base.add("договор", "отпуск")
    index = VectorIndex(base.index_folder)
    with base.database.read() as conn:
        first = index.refresh(conn)
        assert index.refresh(conn) is first
    base.close()


def test_an_earlier_snapshot_keeps_answering_as_of_its_time(tmp_path: Path) -> None:
    base = SmallBase(tmp_path)
    document_id = base.add("отпуск врача")
    index = VectorIndex(base.index_folder)
    with base.database.read() as conn:
        before = index.refresh(conn)
    base.remove(document_id)
    with base.database.read() as conn:
        after = index.refresh(conn)
    assert len(before.search(QUERY, 5, Allowed()).ids) == 1
    assert len(after.search(QUERY, 5, Allowed()).ids) == 0
    base.close()


def test_a_file_with_another_models_vectors_is_not_used(tmp_path: Path) -> None:
    base = SmallBase(tmp_path)
    base.add("отпуск врача")
    base.compact()
    with base.database.write() as conn:
        vectors.set_fingerprint(conn, "another model")
    with base.database.read() as conn:
        snapshot = VectorIndex(base.index_folder).refresh(conn)
    assert snapshot.body is None
    assert len(snapshot.tail_ids) == 1
    base.close()
