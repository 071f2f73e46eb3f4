"""Another embedding model: never a mixture, and no work lost to a death."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core import faults
from core.types import Principal
from ingest.chunking import embedded_text
from ingest.pipeline import vector_key
from ingest.reembed import Reembedding, Share, reembed, share_done
from retrieval.store import documents, jobs, vectors
from retrieval.store import passages as store
from retrieval.store.database import Database
from retrieval.store.passages import Ingested, NewPage, NewPassage

ANYONE = Principal("test")
COUNT = 600


class Died(BaseException):
    """Stands for a SIGKILL at this point."""


@dataclass
class HashEncoder:
    """Vectors that depend on the text and the fingerprint alone; dies after `lives` calls."""

    fingerprint: str
    dimension: int
    lives: int = 100
    embedded: int = 0
    name: str = "hash"
    max_tokens: int = 512

    def encode_passages(self, texts: Sequence[str], on_progress: object = None) -> NDArray[np.float32]:
        if not self.lives:
            raise Died
        self.lives -= 1
        self.embedded += len(texts)
        return np.array([self.vector(one) for one in texts], np.float32)

    def vector(self, text: str) -> NDArray[np.float32]:
        seed = int.from_bytes(hashlib.sha256(f"{self.fingerprint}{text}".encode()).digest()[:4], "big")
        raw = np.random.default_rng(seed).normal(size=self.dimension)
        return (raw / np.linalg.norm(raw)).astype(np.float32)

    encode_queries = encode_passages


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'znayka.db'}")
    database.migrate()
    yield database
    database.close()


def fill(database: Database) -> str:
    """Store a document of `COUNT` passages, some inside a table, with vectors of an old model."""
    passages = tuple(
        NewPassage(0, "Раздел", f"текст {n}", 0, 5, f"old {n}", np.ones(4, np.float32) / 2, "", "Имя | Дни" * (n % 2))
        for n in range(COUNT)
    )
    with database.write() as conn:
        vectors.set_fingerprint(conn, "old")
        document = documents.add(conn, documents.Upload("a.txt", "default", "", 1, "a"), ANYONE, now=time.time())
        jobs.lease(conn, "test", limit=1, now=time.time())
        store.commit(conn, Ingested(document.id, "", (NewPage(1, "текст"),), passages), "test", now=time.time())
    return document.id


def check_new(database: Database, encoder: HashEncoder) -> int:
    with database.read() as conn:
        state = vectors.state(conn)
        added = vectors.added_since(conn, state.index_revision)
        texts = [embedded_text(one.document, one) for one in store.stored_texts(conn, after_id=0, limit=10**6)]
        known = store.known_vectors(conn, [vector_key(encoder.fingerprint, one) for one in texts])
    assert state.fingerprint == encoder.fingerprint
    assert len(known) == len(texts) == len(added.ids)
    assert all(np.array_equal(ours, encoder.vector(one)) for ours, one in zip(added.vectors, texts, strict=True))
    return len(texts)


def test_an_empty_base_takes_the_model_it_is_given(database: Database, tmp_path: Path) -> None:
    assert not reembed(database, HashEncoder("first", 4), tmp_path)
    with database.read() as conn:
        assert vectors.state(conn).fingerprint == "first"


def test_the_same_model_embeds_nothing(database: Database, tmp_path: Path) -> None:
    fill(database)
    encoder = HashEncoder("old", 4)
    assert not reembed(database, encoder, tmp_path)
    assert encoder.embedded == 0


def test_another_model_replaces_every_vector_at_once(database: Database, tmp_path: Path) -> None:
    fill(database)
    with database.write() as conn:
        vectors.switch(conn, generation=7, index_revision=vectors.state(conn).revision)
    encoder = HashEncoder("new", 6)
    assert reembed(database, encoder, tmp_path)
    assert check_new(database, encoder) == encoder.embedded == COUNT
    with database.read() as conn:
        assert vectors.state(conn).generation == 8, "a loaded index of the old model must not pass for the one in force"
    assert [path.name for path in (tmp_path / "reembed").iterdir()] == ["old.vectors"]
    assert not reembed(database, encoder, tmp_path)


@pytest.mark.parametrize("torn_bytes", [0, 17])
def test_a_death_leaves_the_old_vectors_and_the_work_done(database: Database, tmp_path: Path, torn_bytes: int) -> None:
    fill(database)
    with pytest.raises(Died):
        reembed(database, HashEncoder("new", 6, lives=2), tmp_path)
    with database.read() as conn:
        assert vectors.state(conn).fingerprint == "old"
        assert vectors.added_since(conn, 0).vectors.shape == (COUNT, 4)
    with (tmp_path / "reembed/new.vectors").open("ab") as file:
        file.write(b"\0" * torn_bytes)
    encoder = HashEncoder("new", 6)
    assert reembed(database, encoder, tmp_path)
    assert encoder.embedded == COUNT - 512
    assert check_new(database, encoder) == COUNT


def test_what_is_deleted_meanwhile_stays_deleted(database: Database, tmp_path: Path) -> None:
    document_id = fill(database)
    with pytest.raises(Died):
        reembed(database, HashEncoder("new", 6, lives=1), tmp_path)
    with database.write() as conn:
        documents.remove(conn, document_id, ANYONE)
    encoder = HashEncoder("new", 6)
    reembed(database, encoder, tmp_path)
    assert check_new(database, encoder) == encoder.embedded == 0


def fill_more(database: Database, count: int, fingerprint: str, dimension: int = 4) -> None:
    """Store another document, as a worker does that uses this model."""
    vector = np.ones(dimension, np.float32) / np.sqrt(np.float32(dimension))
    passages = tuple(
        NewPassage(0, None, f"новый текст {n}", 0, 5, f"{fingerprint} {n}", vector, "") for n in range(count)
    )
    with database.write() as conn:
        document = documents.add(conn, documents.Upload("b.txt", "default", "", 1, "b"), ANYONE, now=time.time())
        jobs.lease(conn, "test", limit=1, now=time.time())
        store.commit(conn, Ingested(document.id, "", (NewPage(1, "текст"),), passages), "test", now=time.time())


def state_of(database: Database) -> vectors.IndexState:
    with database.read() as conn:
        return vectors.state(conn)


def test_documents_that_come_meanwhile_are_embedded_before_the_switch(database: Database, tmp_path: Path) -> None:
    fill(database)
    encoder = HashEncoder("new", 6)
    reembedding = Reembedding(database, encoder, tmp_path)
    assert reembedding.advance()
    assert share_done(database, encoder, tmp_path) == Share(256, COUNT)
    fill_more(database, 40, "old")
    assert not reembedding.switch(), "passages without a new vector are never left behind"
    assert state_of(database).fingerprint == "old"
    while reembedding.advance():
        assert state_of(database).fingerprint == "old"
    assert reembedding.switch()
    assert check_new(database, encoder) == COUNT + 40
    assert share_done(database, encoder, tmp_path) is None


def test_the_way_back_embeds_only_what_came_since(database: Database, tmp_path: Path) -> None:
    fill(database)
    with database.read() as conn:
        before = vectors.added_since(conn, 0)
    reembed(database, HashEncoder("new", 6), tmp_path)
    fill_more(database, 3, "new", 6)
    old = HashEncoder("old", 4)
    assert reembed(database, old, tmp_path)
    assert old.embedded == 3
    with database.read() as conn:
        after = vectors.added_since(conn, 0)
    assert np.array_equal(after.ids[:COUNT], before.ids)
    assert np.array_equal(after.vectors[:COUNT], before.vectors)
    assert state_of(database).fingerprint == "old"


def test_a_file_torn_by_a_power_loss_is_used_up_to_the_tear(database: Database, tmp_path: Path) -> None:
    fill(database)
    with pytest.raises(Died):
        reembed(database, HashEncoder("new", 6, lives=2), tmp_path)
    spool = tmp_path / "reembed/new.vectors"
    size = spool.stat().st_size
    record = size // 512
    with spool.open("r+b") as file:
        file.seek(300 * record)
        file.write(b"\0" * (size - 300 * record))
    encoder = HashEncoder("new", 6)
    reembed(database, encoder, tmp_path)
    assert encoder.embedded == COUNT - 300
    assert check_new(database, encoder) == COUNT


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_full_disk_puts_the_change_off_and_leaves_the_old_pair(database: Database, tmp_path: Path, nth: int) -> None:
    fill(database)
    encoder = HashEncoder("new", 6)
    faults.arm(f"full@{nth}")
    try:
        with pytest.raises(OSError, match="space"):
            reembed(database, encoder, tmp_path)
    finally:
        faults.arm("")
    assert state_of(database).fingerprint == "old"
    assert reembed(database, encoder, tmp_path)
    assert check_new(database, encoder) == COUNT


def test_without_room_for_the_old_vectors_the_change_goes_on(database: Database, tmp_path: Path) -> None:
    fill(database)
    faults.arm("full@5-5")  # three slices and an empty one go before
    try:
        assert reembed(database, HashEncoder("new", 6), tmp_path)
    finally:
        faults.arm("")
    assert list((tmp_path / "reembed").iterdir()) == []
    old = HashEncoder("old", 4)
    reembed(database, old, tmp_path)
    assert old.embedded == COUNT
