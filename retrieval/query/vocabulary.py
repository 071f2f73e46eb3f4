"""Keeps the words of the base in memory, in step with its documents, and views of them by right."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

from core.errors import ServiceError
from core.types import Reach
from retrieval.query.lexicon import Numbers, View, Words, view_of, words_of
from retrieval.store import vectors, words
from retrieval.store.database import Database

log = logging.getLogger(__name__)
VIEWS_MAX = 32  # of one revision: one for each reach that somebody has


@dataclass(frozen=True, slots=True)
class Held:
    """The words of each document with its collection, at one revision of the base."""

    revision: int = -1
    documents: dict[str, tuple[str, Numbers]] = field(default_factory=dict)
    views: dict[Reach, View] = field(default_factory=dict)


class Vocabulary:
    """Words by collection. Safe to use from several threads.

    With an `executor` a change of the base is read in it, and the words of before serve until that is done; without
    one the caller waits. A document costs its length once; one that is gone takes its words along.
    """

    def __init__(self, database: Database, executor: Executor | None = None) -> None:
        self._database = database
        self._executor = executor
        self._words = Words()
        self._held = Held()
        self._one_reader = threading.Lock()
        self._submitting = threading.Lock()
        self._reading: Future[None] | None = None

    def view(self, allowed: Reach) -> View:
        """Return the words of the documents within reach, and of no other."""
        self.keep_up()
        held = self._held
        view = held.views.get(allowed)
        if view is None:
            of = (numbers for id_, (name, numbers) in held.documents.items() if _is_within(allowed, id_, name))
            view = view_of(self._words, of)
            if len(held.views) < VIEWS_MAX:
                held.views[allowed] = view
        return view

    def is_current(self) -> bool:
        """Whether the words are those of the base as it is now."""
        return self._revision() == self._held.revision

    def keep_up(self) -> None:
        """Read what has changed, or see to it that it is read."""
        if self.is_current():
            return
        if self._executor is None:
            self._read()
            return
        with self._submitting:
            if self._reading is None or self._reading.done():
                self._reading = self._executor.submit(self._read_logged)

    def _revision(self) -> int:
        with self._database.read() as conn:
            return vectors.state(conn).revision

    def _read_logged(self) -> None:
        try:
            self._read()
        except ServiceError:
            log.exception("the words of the base could not be read; the next search tries again")

    def _read(self) -> None:
        with self._one_reader, self._database.read() as conn:
            revision = vectors.state(conn).revision
            before, now = self._held.documents, words.collections_by_document(conn)
            documents = {id_: before[id_] for id_ in now if id_ in before}
            for id_ in now.keys() - before.keys():
                found = set().union(*(words_of(part) for part in words.texts_of(conn, id_)))
                documents[id_] = (now[id_], self._words.number(found))
            self._held = Held(revision, documents)


def _is_within(allowed: Reach, document_id: str, collection: str) -> bool:
    return allowed.collections is None or collection in allowed.collections or document_id in allowed.documents
