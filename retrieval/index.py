"""The index file: FAISS beside a manifest, complete or absent, checked before it is read. The only user of faiss.

Derived from the database and never needed for a right answer: whoever finds a file damaged searches without it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import faiss
import numpy as np
from numpy.typing import NDArray

from core import faults
from core.faults import Point

log = logging.getLogger(__name__)

_WRITE_BYTES = 2**20

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What stands beside an index file: which state of the database it holds, and the file's own SHA-256."""

    generation: int
    revision: int
    fingerprint: str
    dimension: int
    count: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Edition:
    """The state of the database that an index file is written from; `fingerprint` names the vectors' model."""

    generation: int
    revision: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Hits:
    """Passages by falling score; both arrays are (n)."""

    ids: Ids
    scores: Vectors


class IndexFile:
    """A loaded index: exact search by inner product over `ids` (n), ascending."""

    def __init__(self, manifest: Manifest, index: Any) -> None:
        self.manifest = manifest
        self.ids: Ids = faiss.vector_to_array(index.id_map).astype(np.int64)
        self._index = index  # keeps the flat index below alive
        self._flat = faiss.downcast_index(index.index)

    def search(self, query: Vectors, limit: int, allowed: Mask) -> Hits:
        """Return the `limit` nearest of the allowed passages; `allowed` is (n), `query` (dimension)."""
        if not len(self.ids):
            return Hits(self.ids, np.zeros(0, np.float32))
        if allowed.all():
            scores, rows = self._flat.search(query[np.newaxis], limit)
        else:
            # The library keeps a bare pointer to this buffer while it searches.
            bitmap = np.packbits(allowed, bitorder="little")
            chosen = faiss.SearchParameters()
            chosen.sel = faiss.IDSelectorBitmap(len(bitmap), faiss.swig_ptr(bitmap))
            scores, rows = self._flat.search(query[np.newaxis], limit, params=chosen)
        is_found = rows[0] >= 0
        return Hits(self.ids[rows[0][is_found]], scores[0][is_found])

    def vectors(self, rows: Ids) -> Vectors:
        """Return the vectors that stand at `rows` of `ids`, (len(rows), dimension)."""
        found: Vectors = self._flat.reconstruct_batch(rows)
        return found


def top(scores: NDArray[np.floating[Any]], limit: int) -> Ids:
    """Return the places of the `limit` greatest scores, greatest first; equal ones in the order they stand in."""
    if limit <= 0 or not len(scores):
        return np.zeros(0, np.int64)
    least = np.partition(scores, len(scores) - limit)[len(scores) - limit] if limit < len(scores) else -np.inf
    rows = np.flatnonzero(scores >= least)
    return rows[np.argsort(-scores[rows], kind="stable")][:limit]


def write_index(folder: Path, edition: Edition, ids: Ids, vectors: Vectors) -> Manifest:
    """Write the file and then the manifest of a generation, each aside, synced and renamed.

    `ids` (n), ascending, and `vectors` (n, d) belong together. The manifest comes last: where it is, all is complete.
    Raises OSError when the disk does not take it, and leaves nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(max(1, vectors.shape[1])))
    if len(ids):
        index.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(ids, np.int64))
    with _put_in_place(_index_path(folder, edition.generation)) as file:
        sha256 = _write_index(index, file)
        faults.reach(Point.INDEX_ASIDE)
    manifest = Manifest(**asdict(edition), dimension=index.d, count=len(ids), sha256=sha256)
    with _put_in_place(_manifest_path(folder, edition.generation)) as file:
        faults.write()
        file.write(json.dumps(asdict(manifest)).encode())
    return manifest


def read_index(folder: Path, generation: int) -> IndexFile | None:
    """Load a generation if it is there and undamaged; otherwise log why not and return None."""
    manifest = _checked(folder, generation)
    if manifest is None:
        return None
    try:
        return IndexFile(manifest, faiss.read_index(str(_index_path(folder, generation))))
    except RuntimeError as exc:
        log.warning("index %d cannot be read: %s", generation, exc)
        return None


def is_intact(folder: Path, edition: Edition) -> bool:
    """Say whether the files of this edition are there and the hash is right, without loading them.

    A sound file of the same number may come from another life of the database, one restored from a copy, say.
    """
    manifest = _checked(folder, edition.generation)
    if manifest is None:
        return False
    return Edition(manifest.generation, manifest.revision, manifest.fingerprint) == edition


def remove_older(folder: Path, generation: int) -> None:
    """Remove the files of earlier generations and whatever a killed writer left of them."""
    for path in folder.glob("*"):
        number = path.name.split(".")[0]
        if number.isdecimal() and int(number) < generation:
            path.unlink(missing_ok=True)


def _checked(folder: Path, generation: int) -> Manifest | None:
    """Return the manifest when the file is what it says. A flipped bit would load silently: the hash comes first."""
    try:
        manifest = Manifest(**json.loads(_manifest_path(folder, generation).read_text(encoding="utf-8")))
        digest = _sha256(_index_path(folder, generation))
    except (OSError, ValueError, TypeError) as exc:
        log.warning("index %d is missing or its manifest is damaged: %s", generation, exc)
        return None
    if (digest, generation) != (manifest.sha256, manifest.generation):
        log.warning("index %d is damaged: its hash is wrong", generation)
        return None
    return manifest


def _index_path(folder: Path, generation: int) -> Path:
    return folder / f"{generation}.faiss"


def _manifest_path(folder: Path, generation: int) -> Path:
    return folder / f"{generation}.json"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_index(index: Any, file: IO[bytes]) -> str:
    """Write through our own file, return the SHA-256: the library's writer says nothing when its last flush fails."""
    digest = hashlib.sha256()
    refused: list[OSError] = []

    def take(part: bytes) -> None:
        try:
            faults.write()
            file.write(part)
        except OSError as exc:
            refused.append(exc)
            raise
        digest.update(part)

    try:
        faiss.write_index(index, faiss.PyCallbackIOWriter(take, _WRITE_BYTES))  # type: ignore[attr-defined]
    except RuntimeError:
        if refused:
            raise refused[0] from None
        raise
    return digest.hexdigest()


@contextmanager
def _put_in_place(target: Path) -> Iterator[IO[bytes]]:
    """Give a file to write; synced and renamed to `target` when the block ends well, else removed."""
    aside = target.with_name(f"{target.name}.tmp")
    try:
        with aside.open("wb") as file:
            yield file
            faults.write()
            file.flush()
            os.fsync(file.fileno())
        aside.replace(target)
    except BaseException:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
