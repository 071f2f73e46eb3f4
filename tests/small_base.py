"""A real database with documents put straight into it, for tests of what searches it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import count, zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.types import Principal
from ingest.chunking import embedded_text
from ingest.pipeline import vector_key
from retrieval.index import Edition, write_index
from retrieval.stems import stem_text
from retrieval.store import documents, jobs, passages, vectors
from retrieval.store.database import Database
from retrieval.store.documents import Upload
from retrieval.store.passages import Ingested, NewPage, NewPassage, StoredText
from retrieval.terms import index_text

EVERYONE = Principal("test")
FINGERPRINT = "words"
DIMENSION = 64


class WordEncoder:
    """An `Encoder` without a model: each stem has a fixed direction, a text is the sum of its stems' directions."""

    name = "words"
    fingerprint = FINGERPRINT
    dimension = DIMENSION
    max_tokens = 512

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([vector_of(text) for text in texts])

    def encode_passages(
        self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        return self.encode_queries(texts)


def vector_of(text: str) -> NDArray[np.float32]:
    """A unit vector that depends on nothing but the text."""
    total = np.full(DIMENSION, 1e-3)
    for stem in stem_text(text):
        total += _direction(stem)
    unit: NDArray[np.float32] = (total / np.linalg.norm(total)).astype(np.float32)
    return unit


@lru_cache(maxsize=100_000)
def _direction(stem: str) -> NDArray[np.float64]:
    seed = int.from_bytes(hashlib.sha256(stem.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).standard_normal(DIMENSION)


class SmallBase:
    """Adds and removes documents as the worker would, in the same transactions."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'base.db'}")
        self.database.migrate()
        self.index_folder = folder / "index"
        self._numbers = count()
        with self.database.write() as conn:
            vectors.set_fingerprint(conn, FINGERPRINT)

    def add(
        self,
        *texts: str,
        collection: str = "default",
        name: str = "",
        sections: Sequence[str | None] = (),
        is_replacement: bool = False,
    ) -> str:
        """Store a document of one page whose passages are `texts`, in `sections` when given; return its id."""
        number = next(self._numbers)
        upload = Upload(name or f"{number}.txt", collection, "text/plain", 1, f"{number:064x}", is_replacement)
        with self.database.write() as conn:
            document = documents.add(conn, upload, EVERYONE, now=float(number))
            jobs.lease(conn, "test", limit=10, now=float(number))
            made = tuple(
                NewPassage(
                    0,
                    section,
                    text,
                    0,
                    len(text),
                    vector_key(FINGERPRINT, embedded_text(upload.name, StoredText(0, upload.name, section, "", text))),
                    vector_of(text),
                    index_text(f"{section}\n{text}" if section else text),
                )
                for text, section in zip_longest(texts, sections)
            )
            ingested = Ingested(document.id, "text/plain", (NewPage(1, "\n".join(texts)),), made)
            assert passages.commit(conn, ingested, "test", now=float(number))
        return document.id

    def remove(self, document_id: str) -> None:
        """Delete a document."""
        with self.database.write() as conn:
            documents.remove(conn, document_id, EVERYONE)

    def compact(self) -> int:
        """Write the next index file and put it in force; return its generation."""
        with self.database.read() as conn:
            state = vectors.state(conn)
            every = vectors.added_since(conn, 0)
        edition = Edition(state.generation + 1, state.revision, FINGERPRINT)
        write_index(self.index_folder, edition, every.ids, every.vectors)
        with self.database.write() as conn:
            vectors.switch(conn, generation=edition.generation, index_revision=edition.revision)
        return edition.generation

    def close(self) -> None:
        """Close the database."""
        self.database.close()
