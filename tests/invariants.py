"""What must hold of a data folder after any crash, looked up in the folder itself: I3 and I5 of docs/reliability.md."""

from __future__ import annotations

import hashlib
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, func, select, text

from core.settings import Settings
from core.types import Status
from retrieval.store import documents, schema, sentences, vectors
from retrieval.store.database import Database
from retrieval.vector_index import Allowed, VectorIndex

SENTENCES_S = 120.0
ENDED = {Status.READY, Status.PARTIAL, Status.FAILED}


def wait_for_sentences(data_dir: Path) -> None:
    """Wait until the worker has embedded all sentences: until then what a search finds may still change."""
    deadline = time.monotonic() + SENTENCES_S
    with closing(Database(Settings(data_dir=data_dir).sql_url)) as database:
        while True:
            with database.read() as conn:
                if not sentences.waiting(conn, below_id=None, limit=1):
                    return
            assert time.monotonic() < deadline, "sentences are left without vectors"
            time.sleep(0.2)


def check_folder(data_dir: Path) -> int:
    """Check I3 and I5 of a folder whose queue is empty; return how many passages it holds."""
    settings = Settings(data_dir=data_dir)
    with closing(Database(settings.sql_url)) as database:
        assert database.damage() == []
        with database.read() as conn:
            passages = _check_passages(conn, data_dir / "index")
            _check_files(conn, data_dir / "files")
            _check_index_folder(conn, data_dir / "index")
    return passages


def _check_passages(conn: Connection, index_folder: Path) -> int:
    """Passages, vectors, stems and what a search reaches are one and the same set, document by document."""
    counted = (
        select(
            schema.documents.c.id,
            schema.documents.c.status,
            schema.documents.c.passages,
            func.count(schema.passages.c.id),
        )
        .outerjoin(schema.passages)
        .group_by(schema.documents.c.id)
    )
    for document_id, status, said, held in conn.execute(counted):
        assert status in ENDED, (document_id, status)
        assert held == (said if status != Status.FAILED else 0), (document_id, status, said, held)
        assert bool(held) == (status != Status.FAILED), (document_id, status, held)
    every = vectors.added_since(conn, 0)
    ids = set(every.ids.tolist())
    assert set(conn.execute(select(schema.passages.c.id)).scalars()) == ids
    assert set(conn.execute(text("SELECT rowid FROM passage_stems")).scalars()) == ids
    assert set(conn.execute(select(schema.passage_sentences.c.passage_id)).scalars()) <= ids
    snapshot = VectorIndex(index_folder).refresh(conn)
    if ids:
        assert np.allclose(np.linalg.norm(every.vectors, axis=1), 1, atol=1e-3)
        found = snapshot.search(every.vectors[0], 10 * len(ids), Allowed())
        assert sorted(found.ids.tolist()) == sorted(ids)
        assert np.allclose(snapshot.scores(every.vectors[0], every.ids), every.vectors @ every.vectors[0], atol=1e-5)
    assert snapshot.size == len(ids)
    positions = select(schema.passages.c.document_id, schema.passages.c.position)
    placed = list(conn.execute(positions))
    assert len(set(placed)) == len(placed), "a passage stands twice"
    return len(ids)


def _check_files(conn: Connection, folder: Path) -> None:
    """Every document has its bytes, whole, and no other bytes lie there."""
    names = {path.name for path in folder.glob("??/*")}
    assert names == documents.stored_hashes(conn)
    for path in folder.glob("??/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    assert list((folder / "incoming").iterdir()) == []


def _check_index_folder(conn: Connection, folder: Path) -> None:
    """Nothing half-written stands under a final name; what a killed writer left aside, the next one overwrites."""
    generation = vectors.state(conn).generation
    for path in folder.glob("*"):
        number = int(path.name.split(".")[0])
        assert path.suffix in {".faiss", ".json"} or number == generation + 1, path
