"""The worker process, `python -m ingest.worker`: brings queued documents to their end, one after another, for ever."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from uuid_utils import uuid7

from core import faults
from core.errors import Misconfigured, ServiceError
from core.logs import log_to_stderr
from core.settings import Settings, load_settings
from ingest import memory
from ingest.audit_pruning import AuditPruning
from ingest.buffer import Buffer
from ingest.compaction import Compaction
from ingest.desk import UNAVAILABLE, Desk
from ingest.files import FileStore
from ingest.limits import Limits
from ingest.pipeline import SLICE_PASSAGES, Cutting, Finishing, Preparation
from ingest.reembed import Reembedding, reembed
from ingest.reindex import reindex
from ingest.sandbox import Sandbox
from ingest.sentences import SentenceFilling
from ingest.upkeep import Upkeep
from ingest.watchdog import Watchdog, WatchedEncoder, process_alarm, take_over
from retrieval.chosen_models import encoder_maker
from retrieval.embedding.encoder import Encoder
from retrieval.embedding.encoders import KnownModels
from retrieval.store import vectors
from retrieval.store.database import Database
from retrieval.store.jobs import Job
from retrieval.terms import index_text

_LOG = logging.getLogger("ingest.worker")  # also when run as __main__
_TAKEN_DOCUMENTS = 8  # what a death puts in question
_BUFFER_DOCUMENTS = 32
_BUFFER_PASSAGES = 2 * SLICE_PASSAGES
_IDLE_S = 0.25
_PAUSE_S = 5.0
_NICENESS = 5  # answers go first
_PARSE_TRIES = 2  # a used parser process that dies is replaced once
_PARSER_START_S = 120.0


@dataclass(frozen=True, slots=True)
class Worker:
    """A thread that prepares documents, and one that embeds and commits them."""

    desk: Desk
    preparation: Preparation
    finishing: Finishing
    upkeep: Upkeep
    buffer: Buffer
    watchdog: Watchdog = field(default_factory=Watchdog)
    parse_max_s: float = 0.0

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, or until a thread dies of a bug, which is raised here.

        On a stop what is in hand goes back to the queue at once, as if it had never been taken.
        """
        guard = _Guard(self.watchdog, stop)
        for work in (self._prepare_all, self._finish_all):
            guard.start(work, work.__name__)
        stop.wait()
        guard.reraise()
        self.desk.close()

    def _prepare_all(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.watchdog.beat()
            try:
                taken = self.desk.take(_TAKEN_DOCUMENTS)
            except UNAVAILABLE as exc:
                _LOG.warning("cannot take documents: %s", exc.code)
                time.sleep(_PAUSE_S)
                continue
            for job in taken:
                self._prepare(job)
            if any(job.attempts > 1 for job in taken):
                self._drain()
            if not taken:
                time.sleep(_IDLE_S)

    def _prepare(self, job: Job) -> None:
        if job.attempts > 1:
            self._drain()  # suspected of a death: nothing else may be in hand
        self.watchdog.beat(self.parse_max_s)
        if prepared := self.preparation.prepare(job):
            with self.watchdog.off_duty():
                self.buffer.put(prepared)

    def _drain(self) -> None:
        with self.watchdog.off_duty():
            self.buffer.drain()

    def _finish_all(self, stop: threading.Event) -> None:
        goes_on = False
        while not stop.is_set():
            self.watchdog.beat()
            batch = self.buffer.take(SLICE_PASSAGES, timeout_s=0.0 if goes_on else 1.0)
            if batch:
                self.finishing.finish(batch)
                self.buffer.done(len(batch))
                memory.give_back()
            self.watchdog.beat()
            goes_on = self.upkeep.run(is_idle=not batch)


@dataclass(frozen=True, slots=True)
class _Guard:
    """Runs a thread's work until it ends or fails, watched; a failure is kept, for the main thread to raise."""

    watchdog: Watchdog
    stop: threading.Event
    failure: list[BaseException] = field(default_factory=list)

    def start(self, work: Callable[[threading.Event], None], name: str) -> None:
        threading.Thread(target=self._run, args=(work,), name=name, daemon=True).start()

    def _run(self, work: Callable[[threading.Event], None]) -> None:
        try:
            with self.watchdog.on_duty():
                work(self.stop)
        except BaseException as exc:  # noqa: BLE001 -- raised again in the main thread
            self.failure.append(exc)
            self.stop.set()

    def reraise(self) -> None:
        if self.failure:
            raise self.failure[0]


@contextmanager
def sole_worker(data_dir: Path, database: Path | None = None) -> Iterator[None]:
    """Hold the locks that make this the only worker of a data folder, and of a database, wherever each lies.

    The kernel frees them however we end. Raises `Misconfigured` when another worker is alive.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    locks = {data_dir / "worker.lock": f"папки {data_dir}"}
    if database is not None:
        locks[database.with_name(f"{database.name}.lock")] = f"базы {database}"
    with ExitStack() as held:
        for path, what in locks.items():
            lock = held.enter_context(path.open("a"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise Misconfigured(
                    "worker_running",
                    f"Для {what} уже работает другой процесс обработки документов. Остановите его или задайте "
                    "другую папку в ZNAYKA_DATA_DIR и другую базу в ZNAYKA_DATABASE_URL.",
                ) from exc
        yield


def make_worker(
    settings: Settings, database: Database, desk: Desk, encoder: Encoder, watchdog: Watchdog | None = None
) -> Worker:
    """Build the parts from the settings."""
    watchdog = watchdog or Watchdog()
    encoder = WatchedEncoder(encoder, watchdog)
    files = FileStore(settings.data_dir / "files")
    compaction = Compaction(database, settings.data_dir / "index", settings.index_compact_passages)
    return Worker(
        desk=desk,
        preparation=Preparation(
            files=files,
            sandbox=Sandbox(Limits.of(settings)),
            desk=desk,
            cutting=Cutting(settings.passage_max_chars, settings.passage_overlap_chars),
            fingerprint=encoder.fingerprint,
        ),
        finishing=Finishing(desk, encoder, index_text),
        upkeep=Upkeep(
            database,
            files,
            compaction,
            SentenceFilling(database, encoder),
            AuditPruning(database, settings.audit_keep_days),
        ),
        buffer=Buffer(_BUFFER_PASSAGES, _BUFFER_DOCUMENTS),
        watchdog=watchdog,
        parse_max_s=_PARSE_TRIES * (settings.parse_timeout_s + _PARSER_START_S),
    )


def serve(settings: Settings, database: Database, watchdog: Watchdog) -> None:
    """Work until SIGTERM or SIGINT."""
    database.migrate()
    desk = Desk(database, f"worker-{uuid7()}", on_wait=watchdog.beat)
    if lost := desk.take_back(attempts_max=settings.attempts_max):
        _LOG.warning("a worker died with %d documents in hand; they are queued again", lost)
    make = encoder_maker(settings)
    encoder = make(settings.embedding_model)
    with watchdog.on_duty():
        reindex(database, watchdog.beat)
    stop = threading.Event()
    with database.read() as conn:
        stored = vectors.state(conn).fingerprint
    known = KnownModels(settings.data_dir)
    old = known.load(stored, make) if stored not in (None, encoder.fingerprint) else None
    if old is not None:
        old_worker = make_worker(settings, database, desk, old, watchdog)
        _work_while_reembedding(old_worker, encoder, settings.data_dir, stop)
        desk = Desk(database, f"worker-{uuid7()}", on_wait=watchdog.beat)
        if stop.is_set():
            return
    with watchdog.on_duty():
        reembed(database, WatchedEncoder(encoder, watchdog), settings.data_dir)
    with suppress(OSError):
        known.remember(encoder)
    _set_at_signals(stop)
    _LOG.info("ready, model %s", encoder.name)
    make_worker(settings, database, desk, encoder, watchdog).run(stop)


def _work_while_reembedding(worker: Worker, encoder: Encoder, data_dir: Path, stop: threading.Event) -> None:
    """Take documents with the old model while the new one embeds the base; return when it caught up or at `stop`."""
    _LOG.warning("changing to %s: until all passages are embedded anew the old model serves", encoder.name)
    watchdog = worker.watchdog
    reembedding = Reembedding(worker.desk.database, WatchedEncoder(encoder, watchdog), data_dir)
    caught_up = threading.Event()

    def embed(caught_up: threading.Event) -> None:
        while not caught_up.is_set():
            watchdog.beat()
            try:
                if not reembedding.advance():
                    caught_up.set()
            except (*UNAVAILABLE, OSError) as exc:
                _LOG.warning("embedding anew put off: %s", exc)
                caught_up.wait(_PAUSE_S)

    _set_at_signals(stop, caught_up)
    guard = _Guard(watchdog, caught_up)
    guard.start(embed, "reembed")
    worker.run(caught_up)
    _set_at_signals()
    guard.reraise()


def _set_at_signals(*events: threading.Event) -> None:
    """Set these when asked to end; without any, end at once: whatever is in hand can be taken up again."""

    def act(*_: object) -> None:
        for event in events:
            event.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, act if events else signal.SIG_DFL)


def main() -> None:
    """Entry point; ends with a sentence in the log when a setting or a file is wrong."""
    log_to_stderr()
    try:
        settings = load_settings()
        faults.arm(settings.faults)
        logging.getLogger().setLevel(settings.log_level.upper())
        logging.getLogger("alembic").setLevel(logging.WARNING)
        os.nice(_NICENESS)
        memory.bound_pools()
        database = Database(settings.sql_url, busy_timeout_s=settings.database_busy_timeout_s)
        with sole_worker(settings.data_dir, database.path):
            stacks = take_over(settings.data_dir / "logs" / "worker.stacks")
            serve(settings, database, Watchdog(settings.worker_stall_s, process_alarm(stacks)))
    except ServiceError as exc:
        _LOG.critical("%s", exc.detail)
        raise SystemExit(1) from exc
    logging.shutdown()
    os._exit(0)  # the other threads may be deep in a library, and hold nothing worth waiting for


if __name__ == "__main__":
    main()
