"""Another embedding model: all vectors are made anew beside the old ones, then replaced in one transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.chunking import embedded_text
from ingest.pipeline import SLICE_PASSAGES, vector_key
from retrieval.embedding.encoder import Encoder
from retrieval.store import passages, sentences, vectors
from retrieval.store.database import Database
from retrieval.store.passages import NewVector

_LOG = logging.getLogger(__name__)
_LOG_EVERY_S = 10.0

Records = NDArray[np.void]


def reembed(database: Database, encoder: Encoder, data_dir: Path) -> bool:
    """Make the stored vectors those of `encoder`; say whether any had to be changed.

    New vectors are collected in a file, so that a killed worker goes on where it was. The database keeps the
    old vectors, their fingerprint and their index until all are there; its one switch takes them together.
    """
    with database.read() as conn:
        stored = vectors.state(conn).fingerprint
        total = len(passages.passage_ids(conn))
    if stored == encoder.fingerprint:
        return False
    if stored is not None and total:
        _LOG.warning("embedding all %d passages anew with %s", total, encoder.name)
    record = np.dtype([("id", "<i8"), ("key", "S64"), ("vector", "<f4", (encoder.dimension,))])
    spool = data_dir / "reembed" / f"{encoder.fingerprint}.vectors"
    spool.parent.mkdir(parents=True, exist_ok=True)
    _collect(database, encoder, spool, record)
    _switch(database, encoder.fingerprint, np.fromfile(spool, record))
    for leftover in spool.parent.iterdir():
        leftover.unlink()
    return bool(total)


def _collect(database: Database, encoder: Encoder, spool: Path, record: np.dtype[np.void]) -> None:
    """Append what is missing; passages only come with the worker, so that ids beyond the last are the rest."""
    done = spool.stat().st_size // record.itemsize if spool.exists() else 0
    logged_at = time.monotonic()
    with spool.open("ab") as file:
        file.truncate(done * record.itemsize)  # half a record, from a death while writing
        after_id = int(np.fromfile(spool, record)["id"][-1]) if done else 0
        for records in _embedded(database, encoder, record, after_id):
            file.write(records.tobytes())
            file.flush()
            done += len(records)
            if time.monotonic() - logged_at > _LOG_EVERY_S:
                logged_at = time.monotonic()
                _LOG.info("embedded anew: %d passages", done)


def _embedded(database: Database, encoder: Encoder, record: np.dtype[np.void], after_id: int) -> Iterator[Records]:
    while True:
        with database.read() as conn:
            stored = passages.stored_texts(conn, after_id=after_id, limit=SLICE_PASSAGES)
        if not stored:
            return
        texts = [embedded_text(one.document, one) for one in stored]
        records = np.empty(len(stored), record)
        records["id"] = [one.id for one in stored]
        records["key"] = [vector_key(encoder.fingerprint, text).encode() for text in texts]
        records["vector"] = encoder.encode_passages(texts)
        yield records
        after_id = stored[-1].id


def _switch(database: Database, fingerprint: str, records: Records) -> None:
    """Replace all vectors at once; what was deleted meanwhile stays deleted, and the next index is written later."""
    with database.write() as conn:
        if len(records):
            passages.replace_vectors(conn, (NewVector(int(r["id"]), r["key"].decode(), r["vector"]) for r in records))
        vectors.set_fingerprint(conn, fingerprint)
        sentences.forget(conn)  # search does without until the worker has embedded them anew
        # The number moves on, so that nobody takes the old file for the one in force; the worker writes the new one.
        generation = vectors.state(conn).generation
        vectors.switch(conn, generation=generation and generation + 1, index_revision=0)
