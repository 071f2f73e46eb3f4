"""From a leased document to a committed one: parse and cut, then embed many together, then commit each by itself."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from core import faults
from core.errors import ServiceError, UnreadableDocument
from core.faults import Point
from core.types import ParsedDocument, PersonalKind
from ingest import desk as on_desk
from ingest import reasons
from ingest.chunking import Chunk, chunk, embedded_text
from ingest.desk import Desk, Gone
from ingest.files import FileStore
from ingest.personal_check import admit
from ingest.sandbox import Sandbox
from ingest.upkeep import remove_unneeded
from retrieval.embedding.encoder import Encoder
from retrieval.store.jobs import Job
from retrieval.store.passages import Ingested, NewPage, NewPassage, Vector, known_vectors
from retrieval.store.policies import REFUSED

_LOG = logging.getLogger(__name__)
SLICE_PASSAGES = 256  # in one call of the encoder: enough to sort by length, few enough for some seconds

Vectors = dict[str, Vector]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that lacks only its vectors; `keys` name the vector of each chunk."""

    job: Job
    parsed: ParsedDocument
    chunks: tuple[Chunk, ...]
    keys: tuple[str, ...]
    personal_data: Mapping[PersonalKind, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cutting:
    """How passages are cut, in characters."""

    max_chars: int
    overlap_chars: int


@dataclass(frozen=True, slots=True)
class Preparation:
    """The first half: reads a file in the sandbox and cuts it into passages."""

    files: FileStore
    sandbox: Sandbox
    desk: Desk
    cutting: Cutting
    fingerprint: str

    def prepare(self, job: Job) -> Prepared | None:
        """Return the document ready to be embedded; None when it came to its end here, whatever it was."""
        try:
            return self._prepare(job)
        except Gone:
            self.sandbox.close()  # its child is still busy with what nobody wants
        except Exception as exc:  # noqa: BLE001 -- the worker must survive every document
            self.desk.give_up(job, exc)
            if isinstance(exc, UnreadableDocument) and exc.code == REFUSED:
                with suppress(ServiceError, OSError):  # the sweep removes what cannot be removed now
                    remove_unneeded(self.desk.database, self.files, job.sha256)
        return None

    def _prepare(self, job: Job) -> Prepared:
        path = self.files.path(job.sha256)
        if not path.is_file():
            raise UnreadableDocument("file_missing", "Исходный файл пропал из хранилища. Загрузите документ снова.")
        parsed = self.sandbox.parse(
            path, job.name, lambda done, total: self.desk.report([on_desk.parsing(job, done, total)])
        )
        faults.reach(Point.PARSED)
        counts = admit(self.desk.database, job, parsed)
        chunks = tuple(chunk(parsed, max_chars=self.cutting.max_chars, overlap_chars=self.cutting.overlap_chars))
        if not chunks:
            raise (
                UnreadableDocument(parsed.problem.code, parsed.problem.detail) if parsed.problem else reasons.no_text()
            )
        faults.reach(Point.CHUNKED)
        keys = tuple(vector_key(self.fingerprint, embedded_text(job.name, piece)) for piece in chunks)
        return Prepared(job, parsed, chunks, keys, counts)


@dataclass(frozen=True, slots=True)
class Finishing:
    """The second half: embeds the passages of several documents together and commits the documents one by one.

    `stems` turns text into what the keyword search finds it by.
    """

    desk: Desk
    encoder: Encoder
    stems: Callable[[str], str]

    def finish(self, batch: Sequence[Prepared]) -> None:
        """Bring every document of the batch to its end. When the batch fails, each is tried by itself."""
        try:
            vectors = self._vectors(batch)
        except Gone:
            return
        except Exception as exc:  # noqa: BLE001 -- nor may a batch stop it
            if len(batch) == 1:
                self.desk.give_up(batch[0].job, exc)
                return
            _LOG.warning("embedding %d documents one by one after %s", len(batch), type(exc).__name__)
            for prepared in batch:
                self.finish([prepared])
            return
        for prepared in batch:
            self._commit(prepared, vectors)

    def _vectors(self, batch: Sequence[Prepared]) -> Vectors:
        """Return all vectors of the batch by key: those the database has, and the missing ones computed."""
        keys = list(dict.fromkeys(key for prepared in batch for key in prepared.keys))
        with self.desk.database.read() as conn:
            vectors = known_vectors(conn, keys)
        missing = {
            key: embedded_text(prepared.job.name, piece)
            for prepared in batch
            for key, piece in zip(prepared.keys, prepared.chunks, strict=True)
            if key not in vectors
        }
        wanted = list(missing)
        for part in _slices(wanted):
            self._report(batch, len(vectors))
            embedded = self.encoder.encode_passages([missing[key] for key in part], self._listener(batch, len(vectors)))
            vectors.update(zip(part, embedded, strict=True))
        return vectors

    def _listener(self, batch: Sequence[Prepared], before: int) -> Callable[[int], None]:
        def listen(count: int) -> None:
            faults.reach(Point.HALF_EMBEDDED)
            with suppress(Gone):  # heard in the encoder's thread; the next report in ours says it again
                self._report(batch, before + count)

        return listen

    def _report(self, batch: Sequence[Prepared], done: int) -> None:
        """Note progress; that of one among several is not known, and they are small."""
        known = done if len(batch) == 1 else 0
        self.desk.report(on_desk.embedding(p.job, min(known, len(p.keys)), len(p.keys)) for p in batch)

    def _commit(self, prepared: Prepared, vectors: Vectors) -> None:
        try:
            is_ours = self.desk.commit(prepared.job, self._ingested(prepared, vectors))
        except Exception as exc:  # noqa: BLE001 -- nor a transaction
            self.desk.give_up(prepared.job, exc)
            return
        _LOG.info(
            "document %s: %s, %d passages",
            prepared.job.document_id,
            "committed" if is_ours else "deleted meanwhile",
            len(prepared.chunks),
        )

    def _ingested(self, prepared: Prepared, vectors: Vectors) -> Ingested:
        return Ingested(
            document_id=prepared.job.document_id,
            media_type=prepared.parsed.media_type,
            pages=tuple(NewPage(page.number, page.text) for page in prepared.parsed.pages),
            passages=tuple(
                self._passage(prepared.job.name, piece, key, vectors[key])
                for piece, key in zip(prepared.chunks, prepared.keys, strict=True)
            ),
            problem=prepared.parsed.problem,
            personal_data=prepared.personal_data,
        )

    def _passage(self, document_name: str, piece: Chunk, key: str, vector: Vector) -> NewPassage:
        return NewPassage(
            page_position=piece.page_position,
            section=piece.section,
            context=piece.context,
            text=piece.text,
            start=piece.start,
            end=piece.end,
            vector_key=key,
            vector=vector,
            stems=self.stems(embedded_text(document_name, piece)),
        )


def vector_key(fingerprint: str, text: str) -> str:
    """Name the vector that the model `fingerprint` gives `text`: equal keys, equal vectors."""
    return hashlib.sha256(f"{fingerprint}\n{text}".encode()).hexdigest()


def _slices(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[at : at + SLICE_PASSAGES] for at in range(0, len(keys), SLICE_PASSAGES))
