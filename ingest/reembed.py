"""Another embedding model: all vectors are made anew beside the old ones, then replaced in one transaction.

The old pair of model and vectors serves until then. Its vectors are kept: the way back embeds only what came since.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from core import faults
from ingest.chunking import embedded_text
from ingest.pipeline import SLICE_PASSAGES, vector_key
from retrieval.embedding.encoder import Encoder
from retrieval.store import passages, sentences, vectors
from retrieval.store.database import Database

_LOG = logging.getLogger(__name__)
_LOG_EVERY_S = 10.0
_FOLDER = "reembed"
_NORM_TOLERANCE = 1e-2
_KEY = re.compile(rb"[0-9a-f]{64}")
_NO_KEY = b"0" * 64
_BEFORE_VECTOR_BYTES = 8 + 64
_HEAD_BYTES = 2**16

Records = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Share:
    """How far the change of models is: passages that have their new vector, and all."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _Done:
    """How many records the file holds, and the passage of the last one."""

    count: int
    after_id: int


class Reembedding:
    """Collects the new vectors in a file, so that a killed worker goes on where it was."""

    def __init__(self, database: Database, encoder: Encoder, data_dir: Path) -> None:
        self._database = database
        self._encoder = encoder
        self._record = _record(encoder.dimension)
        self._spool = _spool(data_dir, encoder.fingerprint)
        self._logged_at = time.monotonic()
        self._done: _Done | None = None

    def advance(self) -> bool:
        """Embed the next slice; False when no passage is without its new vector. Raises `ServiceError` or OSError.

        Passages only come with the worker and their ids grow, so that those beyond the last record are the rest.
        """
        done, self._done = self._done or self._recover(), None  # a write that fails leaves it to be recovered again
        records = self._embedded(done.after_id)
        with self._spool.open("ab") as file:
            faults.write()
            file.write(records.tobytes())
        if len(records):
            done = _Done(done.count + len(records), int(records["id"][-1]))
        self._done = done
        if time.monotonic() - self._logged_at > _LOG_EVERY_S:
            self._logged_at = time.monotonic()
            _LOG.info("embedded anew: %d passages", done.count)
        return bool(len(records))

    def _recover(self) -> _Done:
        """Take up the file of an earlier life, without what is torn."""
        self._spool.parent.mkdir(parents=True, exist_ok=True)
        whole = _whole_records(self._spool, self._record)
        with self._spool.open("ab") as file:
            file.truncate(len(whole) * self._record.itemsize)
        return _Done(len(whole), int(whole["id"][-1]) if len(whole) else 0)

    def switch(self) -> bool:
        """Put the new vectors in force, all at once; False when a passage still lacks its own.

        What was deleted meanwhile stays deleted, and the next index file is written later.
        """
        records = _whole_records(self._spool, self._record)
        with self._database.read() as conn:
            stored = vectors.state(conn).fingerprint
            if len(np.setdiff1d(passages.passage_ids(conn), records["id"])):
                return False
        kept = self._keep_old(stored) if stored else None
        with self._database.write() as conn:
            if len(records):
                new = (vectors.NewVector(int(r["id"]), r["key"].decode(), r["vector"]) for r in records)
                vectors.replace_vectors(conn, new)
            vectors.set_fingerprint(conn, self._encoder.fingerprint)
            sentences.forget(conn)  # search does without until the worker has embedded them anew
            # The number moves on, so that nobody takes the old file for the one in force; the worker writes a new one.
            generation = vectors.state(conn).generation
            vectors.switch(conn, generation=generation and generation + 1, index_revision=0)
        for leftover in self._spool.parent.iterdir():
            if leftover != kept:
                leftover.unlink()
        return True

    def _embedded(self, after_id: int) -> Records:
        with self._database.read() as conn:
            stored = passages.stored_texts(conn, after_id=after_id, limit=SLICE_PASSAGES)
        records = np.empty(len(stored), self._record)
        if stored:
            texts = [embedded_text(one.document, one) for one in stored]
            records["id"] = [one.id for one in stored]
            records["key"] = [vector_key(self._encoder.fingerprint, text).encode() for text in texts]
            records["vector"] = self._encoder.encode_passages(texts)
        return records

    def _keep_old(self, fingerprint: str) -> Path | None:
        """Write the vectors in force aside for the way back, which is not worth failing for."""
        target = _spool(self._spool.parent.parent, fingerprint)
        aside = target.with_suffix(".tmp")
        try:
            with aside.open("wb") as file:
                self._write_old(file)
            aside.replace(target)
        except OSError as exc:
            _LOG.warning("the old vectors are not kept, the way back will embed all anew: %s", exc)
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            return None
        return target

    def _write_old(self, file: IO[bytes]) -> None:
        after_id = 0
        while True:
            with self._database.read() as conn:
                stored = vectors.with_keys(conn, after_id=after_id, limit=SLICE_PASSAGES)
            if not stored:
                return
            records = np.empty(len(stored), _record(len(stored[0].vector)))
            records["id"] = [one.passage_id for one in stored]
            records["key"] = [one.vector_key.encode() for one in stored]
            records["vector"] = [one.vector for one in stored]
            faults.write()
            file.write(records.tobytes())
            after_id = stored[-1].passage_id


def reembed(database: Database, encoder: Encoder, data_dir: Path) -> bool:
    """Make the stored vectors those of `encoder` before anything else; say whether any had to be changed."""
    with database.read() as conn:
        stored = vectors.state(conn).fingerprint
        total = len(passages.passage_ids(conn))
    if stored == encoder.fingerprint:
        return False
    if stored is not None and total:
        _LOG.warning("all %d passages take the vectors of %s", total, encoder.name)
    reembedding = Reembedding(database, encoder, data_dir)
    while reembedding.advance() or not reembedding.switch():
        pass
    return bool(total)


def forget(data_dir: Path, passage_ids: NDArray[np.int64]) -> None:
    """Overwrite the vectors of these passages in all files that keep some.

    In place, with a vector that is nobody's: the worker may be appending to one of the files.
    """
    for records, rows in _kept(data_dir, passage_ids):
        records["key"][rows] = _NO_KEY
        records["vector"][rows] = np.eye(1, records["vector"].shape[1], dtype="<f4")[0]
        records.flush()


def held(data_dir: Path, passage_ids: NDArray[np.int64]) -> int:
    """Return how many vectors of these passages the files of other models keep."""
    return sum(len(rows) for _, rows in _kept(data_dir, passage_ids))


def _kept(data_dir: Path, passage_ids: NDArray[np.int64]) -> Iterator[tuple[np.memmap[Any, Any], NDArray[np.intp]]]:
    for path in sorted((data_dir / _FOLDER).glob("*.vectors")):
        record = _record_of(path)
        if record is not None:
            count = path.stat().st_size // record.itemsize
            records = np.memmap(path, record, mode="r+", shape=(count,))
            yield records, np.flatnonzero(np.isin(records["id"], passage_ids) & (records["key"] != _NO_KEY))


def _record_of(path: Path) -> np.dtype[np.void] | None:
    """Tell the dimension of a file's vectors by the distance of its first two keys; None for fewer than one record."""
    with path.open("rb") as file:
        starts = [match.start() for match in _KEY.finditer(file.read(_HEAD_BYTES))]
    if not starts:
        return None
    size_bytes = starts[1] - starts[0] if len(starts) > 1 else path.stat().st_size
    return _record((size_bytes - _BEFORE_VECTOR_BYTES) // 4)


def share_done(database: Database, encoder: Encoder, data_dir: Path) -> Share | None:
    """Say how far the change to `encoder` is; None when its vectors are in force."""
    with database.read() as conn:
        if vectors.state(conn).fingerprint in (None, encoder.fingerprint):
            return None
        total = len(passages.passage_ids(conn))
    try:
        size_bytes = _spool(data_dir, encoder.fingerprint).stat().st_size
    except OSError:
        size_bytes = 0
    return Share(min(total, size_bytes // _record(encoder.dimension).itemsize), total)


def _record(dimension: int) -> np.dtype[np.void]:
    return np.dtype([("id", "<i8"), ("key", "S64"), ("vector", "<f4", (dimension,))])


def _spool(data_dir: Path, fingerprint: str) -> Path:
    return data_dir / _FOLDER / f"{fingerprint}.vectors"


def _whole_records(spool: Path, record: np.dtype[np.void]) -> Records:
    """Read the records up to the first that a death, or a disk that lost power, left torn."""
    if not spool.exists():
        return np.empty(0, record)
    records = np.fromfile(spool, record)
    norms = np.linalg.norm(records["vector"], axis=1)
    torn = np.flatnonzero(~(np.abs(norms - 1) < _NORM_TOLERANCE))
    return records[: torn[0]] if len(torn) else records
