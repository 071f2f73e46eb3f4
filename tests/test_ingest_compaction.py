"""The index file follows the database, and no death on the way leaves a wrong one in force."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.types import Principal
from ingest import compaction
from ingest.compaction import Compaction
from retrieval.index import read_index
from retrieval.store import documents, jobs, vectors
from retrieval.store import passages as store
from retrieval.store.database import Database
from retrieval.store.passages import Ingested, NewPage, NewPassage

ANYONE = Principal("test")


class Died(BaseException):
    """Stands for a SIGKILL at this point."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'znayka.db'}")
    database.migrate()
    with database.write() as conn:
        vectors.set_fingerprint(conn, "model")
    yield database
    database.close()


@pytest.fixture
def compactor(database: Database, tmp_path: Path) -> Compaction:
    return Compaction(database, tmp_path / "index", threshold=20)


def add(database: Database, name: str, count: int) -> str:
    """Store a document of `count` passages with random unit vectors and return its id."""
    raw = np.random.default_rng(len(name)).normal(size=(count, 16)).astype(np.float32)
    raw /= np.linalg.norm(raw, axis=1, keepdims=True)
    passages = tuple(NewPassage(0, None, "текст", 0, 5, f"{name} {n}", raw[n], "текст") for n in range(count))
    upload = documents.Upload(name, "default", "text/plain", 1, name)
    with database.write() as conn:
        document = documents.add(conn, upload, ANYONE, now=time.time())
        jobs.lease(conn, "test", limit=1, now=time.time())
        assert store.commit(
            conn, Ingested(document.id, "text/plain", (NewPage(1, "текст"),), passages), "test", now=time.time()
        )
    return document.id


def searchable(database: Database, folder: Path) -> set[int]:
    """Return the ids that a search over the file in force and what came and went since it would reach."""
    with database.read() as conn:
        state = vectors.state(conn)
        index = read_index(folder, state.generation) if state.generation else None
        since = state.index_revision if index else 0
        added = set(vectors.added_since(conn, since).ids.tolist())
        removed = set(vectors.removed_since(conn, since).tolist())
    return ((set(index.ids.tolist()) if index else set()) - removed) | added


def stored(database: Database) -> set[int]:
    with database.read() as conn:
        return set(store.passage_ids(conn).tolist())


def generation(database: Database) -> int:
    with database.read() as conn:
        return vectors.state(conn).generation


def test_a_busy_worker_waits_for_the_threshold_and_an_idle_one_does_not(
    database: Database, compactor: Compaction
) -> None:
    add(database, "one", 1)
    assert not compactor.run(is_idle=False)
    assert not compactor.run(is_idle=True)
    add(database, "two", 5)
    assert not compactor.run(is_idle=False)
    assert compactor.run(is_idle=True)
    assert not compactor.run(is_idle=True)
    add(database, "three", 25)
    assert compactor.run(is_idle=False)
    assert generation(database) == 2


def test_the_file_and_the_database_hold_the_same(database: Database, compactor: Compaction) -> None:
    first = add(database, "one", 30)
    compactor.run(is_idle=True)
    add(database, "second", 7)
    with database.write() as conn:
        documents.remove(conn, first, ANYONE)
    assert searchable(database, compactor.folder) == stored(database)
    assert compactor.run(is_idle=True)
    assert searchable(database, compactor.folder) == stored(database)
    with database.read() as conn:
        assert len(vectors.removed_since(conn, 0)) == 0
    index = read_index(compactor.folder, generation(database))
    assert index is not None
    assert set(index.ids.tolist()) == stored(database)


def test_an_emptied_base_gets_an_empty_index(database: Database, compactor: Compaction) -> None:
    document = add(database, "one", 30)
    compactor.run(is_idle=True)
    with database.write() as conn:
        documents.remove(conn, document, ANYONE)
    assert compactor.run(is_idle=True)
    assert searchable(database, compactor.folder) == set()


@pytest.mark.parametrize("point", ["write_index", "vectors.switch", "remove_older"])
def test_a_death_on_the_way_changes_no_answer(
    point: str, database: Database, compactor: Compaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database, "one", 30)
    compactor.run(is_idle=True)
    add(database, "second", 30)

    def die(*args: object, **kwargs: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(f"{compaction.__name__}.{point}", die)
        with pytest.raises(Died):
            compactor.run(is_idle=True)
    assert searchable(database, compactor.folder) == stored(database)
    add(database, "third!", 30)
    assert Compaction(database, compactor.folder, threshold=20).run(is_idle=True)
    assert searchable(database, compactor.folder) == stored(database)
    assert len({path.name.split(".")[0] for path in compactor.folder.iterdir()}) <= 2


@pytest.mark.parametrize("damage", ["truncated", "one bit", "deleted", "older"])
def test_a_damaged_file_is_noticed_and_written_anew(damage: str, database: Database, compactor: Compaction) -> None:
    add(database, "one", 30)
    compactor.run(is_idle=True)
    old = (compactor.folder / "1.faiss").read_bytes()
    add(database, "second", 30)
    compactor.run(is_idle=True)
    path = compactor.folder / "2.faiss"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    if damage == "deleted":
        path.unlink()
    else:
        path.write_bytes({"truncated": bytes(raw[:-100]), "one bit": bytes(raw), "older": old}[damage])
    assert searchable(database, compactor.folder) == stored(database)
    assert Compaction(database, compactor.folder, threshold=20).run(is_idle=True)
    assert generation(database) == 3
    assert searchable(database, compactor.folder) == stored(database)
