"""Real bases for measuring: documents stored as the worker would, without files and parser."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.types import Principal
from evaluation.retrieval_sets import Piece, Source
from ingest.pipeline import vector_key
from ingest.sentences import SentenceFilling
from retrieval.embedding.artifact import build_once
from retrieval.embedding.encoder import Encoder
from retrieval.query.reader import QueryReader
from retrieval.query.vocabulary import Vocabulary
from retrieval.reranking import Reranker
from retrieval.searcher import Searcher
from retrieval.store import documents, jobs, passages, vectors
from retrieval.store.database import Database
from retrieval.store.documents import Upload
from retrieval.store.passages import Ingested, NewPage, NewPassage, Vector
from retrieval.terms import index_text
from retrieval.vector_index import VectorIndex

EVERYONE = Principal("evaluation")
BATCH = 64  # documents embedded together

OnFilled = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Base:
    """An open base with what searches it; `close` it in the end."""

    database: Database
    index: VectorIndex

    def searcher(self, encoder: Encoder, *, dense_weight: float, reranker: Reranker | None = None) -> Searcher:
        """Search it as a service with this weight and this reranker does."""
        reader = QueryReader(Vocabulary(self.database))
        return Searcher(self.database, encoder, self.index, dense_weight=dense_weight, reader=reader, reranker=reranker)

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def open_base(folder: Path, sources: Sequence[Source], encoder: Encoder, on_filled: OnFilled) -> Base:
    """Open the base in `folder`, filled first unless it is; `on_filled` hears documents done and their total.

    A base kept from before sentences had vectors gets them here.

    A run that is broken off while filling leaves nothing that the next would take for a whole base.
    """

    def build(aside: Path) -> None:
        database = _database(aside)
        fill(database, sources, encoder, on_filled)
        database.close()

    build_once(folder, build)
    database = _database(folder)
    fill_sentences(database, encoder)
    return Base(database, VectorIndex(folder / "index"))


def _database(folder: Path) -> Database:
    database = Database(f"sqlite:///{folder / 'base.db'}")
    database.migrate()
    return database


def key_of(sources: Sequence[Source], encoder: Encoder) -> str:
    """A name for a base that changes with its documents, their cutting, their stems and the encoder."""
    digest = hashlib.sha256(encoder.fingerprint.encode())
    for source in sources:
        for piece in source.pieces:
            said = (source.name, source.collection, piece.embedded, index_text(piece.embedded))
            digest.update("\0".join(said).encode())
    return digest.hexdigest()[:16]


def fill(database: Database, sources: Sequence[Source], encoder: Encoder, on_filled: OnFilled) -> None:
    """Store all documents as the worker would, with vectors and stems."""
    with database.write() as conn:
        vectors.set_fingerprint(conn, encoder.fingerprint)
    for at in range(0, len(sources), BATCH):
        part = sources[at : at + BATCH]
        rows = iter(encoder.encode_passages([piece.embedded for source in part for piece in source.pieces]))
        for number, source in enumerate(part, start=at):
            made = tuple(_passage(source, piece, next(rows), encoder.fingerprint) for piece in source.pieces)
            _store(database, source, number, made)
        on_filled(at + len(part), len(sources))


def fill_sentences(database: Database, encoder: Encoder) -> None:
    """Embed the sentences of all passages that lack it, as the worker does while it is idle."""
    filling = SentenceFilling(database, encoder)
    while filling.run():
        pass


def _passage(source: Source, piece: Piece, vector: Vector, fingerprint: str) -> NewPassage:
    return NewPassage(
        page_position=0,
        section=piece.section,
        text=source.text[piece.start : piece.end],
        start=piece.start,
        end=piece.end,
        vector_key=vector_key(fingerprint, piece.embedded),
        vector=vector,
        stems=index_text(piece.embedded),
    )


def _store(database: Database, source: Source, number: int, made: tuple[NewPassage, ...]) -> None:
    upload = Upload(source.name, source.collection, "text/plain", len(source.text), f"{number:064x}", False)
    now = float(number)
    with database.write() as conn:
        document = documents.add(conn, upload, EVERYONE, now=now)
        jobs.lease(conn, "evaluation", limit=1, now=now)
        ingested = Ingested(document.id, "text/plain", (NewPage(None, source.text),), made)
        passages.commit(conn, ingested, "evaluation", now=now)
