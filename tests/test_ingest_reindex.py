"""Another form of the keyword index: a base of an older release is found by today's words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from ingest import reindex as module
from ingest.reindex import reindex
from retrieval.store import keyword, vectors
from retrieval.terms import TERMS_VERSION, root_text
from tests.small_base import SmallBase


@pytest.fixture
def older(tmp_path: Path) -> Iterator[SmallBase]:
    """Three documents whose terms are whole stems, as the first release stored them."""
    base = SmallBase(tmp_path)
    base.add("Завоевания Петра")
    base.add("Рассчитывается стоимость", "Насос хранят сухим")
    with base.database.write() as conn:
        conn.execute(text("UPDATE passage_stems SET stems = 'завоеван' WHERE rowid = 1"))
        conn.execute(text("UPDATE passage_stems SET stems = 'рассчитыва стоимост' WHERE rowid = 2"))
        keyword.set_version(conn, 0)
    yield base
    base.close()


def found(base: SmallBase, query: str) -> list[int]:
    with base.database.read() as conn:
        return keyword.every(conn, root_text(query)).ids.tolist()


def test_older_passages_are_found_by_roots_afterwards(older: SmallBase) -> None:
    assert found(older, "завоевал") == []
    assert reindex(older.database)
    assert found(older, "завоевал") == [1]
    assert found(older, "рассчитать") == [2]


def test_it_is_done_once(older: SmallBase) -> None:
    reindex(older.database)
    assert not reindex(older.database)


def test_a_death_in_between_loses_nothing(older: SmallBase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PART_PASSAGES", 1)
    lives = iter(range(2))
    derive = module.index_text
    monkeypatch.setattr(module, "index_text", lambda text: (next(lives), derive(text))[1])
    with pytest.raises(StopIteration):
        reindex(older.database)
    with older.database.read() as conn:
        assert vectors.state(conn).terms != TERMS_VERSION
    monkeypatch.setattr(module, "index_text", derive)
    assert reindex(older.database)
    assert found(older, "насосы") == [3]
