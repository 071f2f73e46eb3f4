"""The documents one worker has in hand: taken, reported on, put back or ended, however the database feels."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from core import faults
from core.errors import Misconfigured, ServiceError, StorageFull, TryLater
from core.faults import Point
from core.types import Problem, Progress, Status
from retrieval.store import jobs, passages
from retrieval.store.database import Database
from retrieval.store.jobs import Job
from retrieval.store.passages import Ingested

# What the database may say that passes, or that an operator will mend: wait, and keep what is in hand.
UNAVAILABLE = (TryLater, StorageFull, Misconfigured)
_LOG = logging.getLogger(__name__)
_REPORT_EVERY_S = 0.5
_INSIST_EVERY_S = 1.0
_FULL_DISK_PAUSE_S = 30
_MISCONFIGURED_PAUSE_S = 60
_FULL = ("disk_full", "На диске нет места для обработки файла. Освободите место: обработка продолжится сама.")
_DISK = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: ("disk_read_only", "Диск открыт только для чтения. Верните запись: обработка продолжится сама."),
}


class Gone(Exception):
    """The document was deleted, or is no longer this worker's: drop it."""


@dataclass(frozen=True, slots=True)
class Report:
    """How far one document is."""

    job: Job
    progress: Progress


@dataclass(slots=True)
class Desk:
    """What one owner has in hand. Threads may share it; `clock` gives seconds since the epoch.

    `on_wait` is called while the database keeps us waiting, however long.
    """

    database: Database
    owner: str
    clock: Callable[[], float] = field(default=time.time, kw_only=True)
    on_wait: Callable[[], None] = field(default=lambda: None, kw_only=True)
    _closed: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _reported: dict[str, float] = field(default_factory=dict)

    def take_back(self, *, attempts_max: int) -> int:
        """Queue again what a dead predecessor held; only for the one worker of a database."""
        with self.database.write() as conn:
            return jobs.take_back(conn, now=self.clock(), attempts_max=attempts_max)

    def take(self, limit: int) -> list[Job]:
        """Take up to `limit` documents in hand; one that was so at a death comes alone."""
        with self.database.read() as conn:
            if not jobs.has_queued(conn, now=self.clock()):
                return []
        with self._lock:
            if self._closed.is_set():
                return []
            with self.database.write() as conn:
                taken = jobs.lease(conn, self.owner, limit=limit, now=self.clock())
        if taken:
            faults.reach(Point.LEASED)
        self._reported.update((job.document_id, time.monotonic()) for job in taken)
        return taken

    def report(self, reports: Iterable[Report]) -> None:
        """Note progress, at most twice a second for each document; raises `Gone` when the last one is not ours."""
        due = [report for report in reports if self._is_due(report.job)]
        if not due:
            return
        try:
            with self.database.write() as conn:
                ours = [jobs.report(conn, r.job.document_id, self.owner, r.progress, now=self.clock()) for r in due]
        except UNAVAILABLE as exc:
            _LOG.info("progress not noted: %s", exc.code)
            return
        if not any(ours):
            raise Gone

    def commit(self, job: Job, ingested: Ingested) -> bool:
        """Put the document in force; False when it was deleted meanwhile."""
        with self.database.write() as conn:
            is_ours = passages.commit(conn, ingested, self.owner, now=self.clock())
        self._reported.pop(job.document_id, None)
        return is_ours

    def give_up(self, job: Job, error: Exception) -> None:
        """End the document with the error's reason, or put it back when the error will pass."""
        passing = _passing(error)
        problem = _problem(passing or error)
        if passing:
            until = self.clock() + passing.retry_after_s
            self._insist(lambda conn: jobs.postpone(conn, job.document_id, self.owner, problem, until=until))
        else:
            self._insist(lambda conn: jobs.fail(conn, job.document_id, self.owner, problem, now=self.clock()))
        self._reported.pop(job.document_id, None)
        unexpected = None if isinstance(error, ServiceError) or passing else error
        level = logging.ERROR if unexpected else logging.INFO
        _LOG.log(level, "document %s: %s", job.document_id, problem.code, exc_info=unexpected)

    def close(self) -> None:
        """Put back everything in hand, uncounted, and take nothing more."""
        with self._lock:
            self._closed.set()
            with self.database.write() as conn:
                jobs.release(conn, self.owner, now=self.clock())

    def _is_due(self, job: Job) -> bool:
        now = time.monotonic()
        if now - self._reported.setdefault(job.document_id, now) < _REPORT_EVERY_S:
            return False
        self._reported[job.document_id] = now
        return True

    def _insist(self, action: Callable[[Connection], None]) -> None:
        """A state that is not written would leave the document in hand for ever: try until it is."""
        while True:
            try:
                with self.database.write() as conn:
                    return action(conn)
            except UNAVAILABLE as exc:
                _LOG.warning("waiting for the database: %s", exc.code)
                self.on_wait()
                time.sleep(_INSIST_EVERY_S)


def parsing(job: Job, done: int, total: int) -> Report:
    """`done` of `total` pages are read."""
    return Report(job, Progress(Status.PARSING, done, total))


def embedding(job: Job, done: int, total: int) -> Report:
    """`done` of `total` passages have their vectors."""
    return Report(job, Progress(Status.EMBEDDING, done, total))


def _passing(error: Exception) -> TryLater | None:
    """Return what is the machine's fault, not the file's, as an error that says when to try again."""
    if isinstance(error, TryLater):
        return error
    if isinstance(error, StorageFull):
        return TryLater(error.code, error.detail, retry_after_s=_FULL_DISK_PAUSE_S)
    if isinstance(error, Misconfigured):
        return TryLater(error.code, error.detail, retry_after_s=_MISCONFIGURED_PAUSE_S)
    if isinstance(error, OSError) and error.errno in _DISK:
        code, detail = _DISK[error.errno]
        return TryLater(code, detail, retry_after_s=_FULL_DISK_PAUSE_S)
    return None


def _problem(error: Exception) -> Problem:
    if isinstance(error, ServiceError):
        return Problem(error.code, error.detail)
    return Problem(
        "internal_error",
        f"При обработке файла произошла ошибка службы ({type(error).__name__}). "
        "Загрузите файл снова; если ошибка повторится, сообщите администратору: подробности в журнале.",
    )
