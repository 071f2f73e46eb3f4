"""The worker: every document comes to a true end, whatever happens to others, to the database, or to the worker."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import text

from core.errors import Misconfigured
from core.types import Document, Principal, Status
from ingest.buffer import Buffer
from ingest.compaction import Compaction
from ingest.desk import Desk, Gone, parsing
from ingest.files import FileStore
from ingest.limits import Limits
from ingest.pipeline import Cutting, Finishing, Preparation, Prepared
from ingest.sandbox import Sandbox
from ingest.sentences import SentenceFilling
from ingest.upkeep import Upkeep
from ingest.worker import Worker, sole_worker
from retrieval.store import documents, jobs
from retrieval.store.database import Database

ANYONE = Principal("test")
RULES = "# Отпуск\n\nОтпуск составляет 28 дней.\n\n# Больничный\n\nБольничный лист сдают в бухгалтерию.\n"


@dataclass
class HashEncoder:
    """Real vectors of no meaning: each text's own. Remembers what it was asked, and does `before` first."""

    before: Callable[[Sequence[str]], None] = lambda texts: None
    calls: list[list[str]] = field(default_factory=list)
    name: str = "hash"
    fingerprint: str = "hash-1"
    dimension: int = 8
    max_tokens: int = 512

    def encode_passages(self, texts: Sequence[str], on_progress: object = None) -> NDArray[np.float32]:
        self.calls.append(list(texts))
        self.before(texts)
        raw = [np.frombuffer(hashlib.sha256(one.encode()).digest()[:8], np.uint8) for one in texts]
        vectors = np.array(raw, np.float32).reshape(len(texts), 8)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    encode_queries = encode_passages


class Base:
    """A data folder with its database and files, and the worker that serves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(f"sqlite:///{folder / 'znayka.db'}", busy_timeout_s=0.2)
        self.database.migrate()
        self.files = FileStore(folder / "files")
        self.desk = Desk(self.database, "worker")
        self.encoder = HashEncoder()
        self.sandbox = Sandbox(Limits())

    def put(self, name: str, content: bytes | str, *, replace: bool = False) -> Document:
        raw = content.encode() if isinstance(content, str) else content
        with self.files.receive([raw], max_bytes=2**30, reserve_bytes=0) as file, self.database.write() as conn:
            upload = documents.Upload(name, "default", "text/plain", file.size_bytes, file.sha256, replace)
            return documents.add(conn, upload, ANYONE, now=time.time())

    def get(self, document: Document) -> Document:
        with self.database.read() as conn:
            return documents.get(conn, document.id, ANYONE)

    def worker(self) -> Worker:
        preparation = Preparation(self.files, self.sandbox, self.desk, Cutting(400, 50), self.encoder.fingerprint)
        finishing = Finishing(self.desk, self.encoder, str.lower)
        # An encoder of its own, so that the tests see what documents alone ask of the other.
        filling = SentenceFilling(self.database, HashEncoder())
        upkeep = Upkeep(self.database, self.files, Compaction(self.database, self.folder / "index", 10**6), filling)
        return Worker(self.desk, preparation, finishing, upkeep, Buffer(512, 32))

    @contextmanager
    def working(self) -> Iterator[None]:
        self.desk = Desk(self.database, f"worker {uuid4()}")
        stop = threading.Event()
        thread = threading.Thread(target=self.worker().run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(60)
        assert not thread.is_alive()

    def work(self) -> None:
        """Let a worker bring every document to its end."""
        with self.working():
            wait_until(lambda: self.unfinished() == 0)

    def unfinished(self) -> int:
        with self.database.read() as conn:
            return jobs.waiting(conn)

    def count(self, table: str) -> int:
        with self.database.read() as conn:
            return int(conn.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def wait_until(is_so: Callable[[], bool], timeout_s: float = 60) -> float:
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < timeout_s, "waited in vain"
        time.sleep(0.02)
    return time.monotonic() - started


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Base]:
    base = Base(tmp_path)
    yield base
    base.sandbox.close()
    base.database.close()


def test_documents_become_passages_with_vectors_and_stems(base: Base) -> None:
    added = [base.put(f"{n}.md", f"# Правило {n}\n\nТекст правила {n}.") for n in range(20)]
    base.work()
    ended = [base.get(one) for one in added]
    assert {one.status for one in ended} == {Status.READY}
    assert all(one.passages and one.progress is None and one.error is None for one in ended)
    assert base.count("passages") == base.count("passage_stems") == sum(one.passages for one in ended) >= 20
    assert base.database.damage() == []


def test_small_documents_are_embedded_together(base: Base) -> None:
    for n in range(24):
        base.put(f"{n}.md", f"Правило {n}")
    base.encoder.before = lambda texts: time.sleep(0.1)
    base.work()
    assert sum(len(call) for call in base.encoder.calls) == 24
    assert len(base.encoder.calls) < 12


def test_an_unreadable_file_fails_with_its_reason_and_the_others_go_on(base: Base) -> None:
    bad, empty, good = base.put("bad.pdf", b"%PDF-1.7 no more"), base.put("empty.txt", b""), base.put("good.md", RULES)
    base.work()
    for one in map(base.get, (bad, empty)):
        assert one.status is Status.FAILED
        assert one.error is not None
        assert one.error.detail.endswith(".")
        assert one.error.code != "internal_error"
    assert base.get(good).status is Status.READY


def test_an_error_in_one_batch_is_laid_to_the_document_that_causes_it(base: Base) -> None:
    def choke(texts: Sequence[str]) -> None:
        if any("яд" in one for one in texts):
            raise RuntimeError("choked")

    base.encoder.before = choke
    added = [base.put(f"{n}.md", f"Правило {n} {'яд' if n == 3 else ''}") for n in range(8)]
    base.work()
    ended = [base.get(one) for one in added]
    assert [one.status for one in ended] == [Status.FAILED if n == 3 else Status.READY for n in range(8)]
    assert ended[3].error is not None
    assert ended[3].error.code == "internal_error"
    assert "RuntimeError" in ended[3].error.detail


def test_a_missing_original_is_said_so(base: Base) -> None:
    document = base.put("rules.md", RULES)
    base.files.path(document.sha256).unlink()
    base.work()
    ended = base.get(document)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (Status.FAILED, "file_missing")


def test_what_dead_uploads_left_goes_and_files_of_documents_stay(base: Base) -> None:
    document = base.put("rules.md", RULES)
    with base.files.receive([b"no row"], max_bytes=100, reserve_bytes=0) as orphan:
        pass
    leftover = base.folder / "files/incoming/half"
    leftover.write_bytes(b"half")
    with base.working():
        wait_until(lambda: not leftover.exists() and not orphan.path.exists())
    assert base.files.path(document.sha256).exists()


def test_a_delete_during_ingest_wins(base: Base) -> None:
    document = base.put("rules.md", RULES)

    def delete(texts: Sequence[str]) -> None:
        with base.database.write() as conn:
            documents.remove(conn, document.id, ANYONE)

    base.encoder.before = delete
    base.work()
    base.encoder.before = lambda texts: None
    assert [base.count(table) for table in ("documents", "pages", "passages", "passage_stems")] == [0, 0, 0, 0]


def test_a_new_version_embeds_only_what_changed(base: Base) -> None:
    old = base.put("rules.md", RULES)
    base.work()
    base.encoder.calls.clear()
    changed = f"{RULES.replace('бухгалтерию', 'кадры')}\n# Отгул\n\n{'Отгул дают. ' * 40}"
    new = base.put("rules.md", changed, replace=True)
    base.work()
    assert base.get(new).status is Status.READY
    with pytest.raises(Exception, match="document_not_found"):
        base.get(old)
    embedded = [one for call in base.encoder.calls for one in call]
    assert embedded
    assert not any("28 дней" in one for one in embedded)
    assert base.count("passages") == base.count("passage_stems") == base.get(new).passages


def test_a_locked_database_delays_a_document_and_loses_nothing(base: Base) -> None:
    document = base.put("rules.md", RULES)
    other = sqlite3.connect(base.folder / "znayka.db", isolation_level=None, check_same_thread=False)
    base.encoder.before = lambda texts: (other.execute("BEGIN IMMEDIATE"), None)[1]  # type: ignore[func-returns-value]
    with base.working():
        wait_until(lambda: other.in_transaction)
        base.encoder.before = lambda texts: None
        time.sleep(1)
        other.rollback()
        wait_until(lambda: base.get(document).error is not None)
        waiting = base.get(document)
        assert waiting.status is Status.QUEUED
        assert waiting.error is not None
        assert waiting.error.code == "database_busy"
        wait_until(lambda: base.unfinished() == 0)
    assert base.get(document).status is Status.READY
    assert base.get(document).error is None
    other.close()


def test_a_stop_puts_back_what_is_in_hand_and_counts_nothing(base: Base) -> None:
    release = threading.Event()
    base.encoder.before = lambda texts: (release.wait(20), None)[1]
    document = base.put("rules.md", RULES)
    with base.working():
        wait_until(lambda: bool(base.encoder.calls))
        assert base.get(document).status in (Status.PARSING, Status.EMBEDDING)
    assert base.get(document).status is Status.QUEUED
    release.set()
    time.sleep(0.3)
    assert base.count("passages") == 0, "a stopped worker must not commit"
    again = Base(base.folder)
    job = again.desk.take(1)[0]
    assert job.attempts == 1
    again.sandbox.close()


def test_what_died_is_taken_back_at_once_and_tried_alone(base: Base) -> None:
    suspects = [base.put(f"{n}.md", f"Подозрительное правило {n}") for n in range(3)]
    assert len(base.desk.take(8)) == 3
    assert base.desk.take_back(attempts_max=3) == 3
    fresh = [base.put(f"new{n}.md", f"Новое правило {n}") for n in range(5)]
    base.work()
    assert {base.get(one).status for one in (*suspects, *fresh)} == {Status.READY}
    calls = [["Подозрительное" in one for one in call] for call in base.encoder.calls]
    assert calls[-3:] == [[True]] * 3
    assert not any(any(call) for call in calls[:-3])


def test_the_third_death_ends_a_document_and_not_the_queue(base: Base) -> None:
    poison = base.put("poison.md", "Ядовитое правило")
    for _ in range(3):
        assert base.desk.take(8)
        base.desk.take_back(attempts_max=3)
    good = base.put("good.md", RULES)
    base.work()
    ended = base.get(poison)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (Status.FAILED, "poison")
    assert base.get(good).status is Status.READY


def test_an_upload_is_picked_up_within_a_second(base: Base) -> None:
    with base.working():
        wait_until(lambda: base.unfinished() == 0)
        waits = []
        for n in range(4):
            document = base.put("rules.md", f"{RULES} {n}")
            waits.append(wait_until(lambda document=document: base.get(document).status is not Status.QUEUED))
            wait_until(lambda: base.unfinished() == 0)
    assert sorted(waits)[1] < 1


def test_there_is_one_worker_to_a_folder(tmp_path: Path) -> None:
    with sole_worker(tmp_path):
        with pytest.raises(Misconfigured, match="уже работает") as caught, sole_worker(tmp_path):
            pass
        assert str(tmp_path) in caught.value.detail
    with sole_worker(tmp_path):
        pass


def test_progress_is_written_twice_a_second_at_most(base: Base) -> None:
    base.put("rules.md", RULES)
    job = base.desk.take(1)[0]
    seen = set()
    started = time.monotonic()
    while (passed := time.monotonic() - started) < 1.3:
        base.desk.report([parsing(job, int(passed * 1000), 2000)])
        with base.database.read() as conn:
            seen.add(documents.get(conn, job.document_id, ANYONE).progress)
    assert len(seen - {None}) == 2
    with base.database.write() as conn:
        documents.remove(conn, job.document_id, ANYONE)
    time.sleep(0.5)
    with pytest.raises(Gone):
        base.desk.report([parsing(job, 1, 1)])


def test_the_buffer_lets_a_large_document_in_alone() -> None:
    def prepared(size: int) -> Prepared:
        return Prepared(None, None, (None,) * size, ("",) * size)  # type: ignore[arg-type]

    buffer = Buffer(10, 3)
    buffer.put(prepared(100))
    assert [len(one.keys) for one in buffer.take(5, timeout_s=0)] == [100]
    for size in (2, 2, 4):
        buffer.put(prepared(size))
    blocked = threading.Thread(target=buffer.put, args=(prepared(1),))
    blocked.start()
    blocked.join(0.1)
    assert blocked.is_alive()
    assert [len(one.keys) for one in buffer.take(5, timeout_s=0)] == [2, 2]
    blocked.join(5)
    assert [len(one.keys) for one in buffer.take(9, timeout_s=0)] == [4, 1]
    draining = threading.Thread(target=buffer.drain)
    draining.start()
    buffer.done(4)
    draining.join(0.1)
    assert draining.is_alive()
    buffer.done(1)
    draining.join(5)
    assert not draining.is_alive()


def test_the_bytes_of_an_edition_that_gave_way_are_removed_by_an_idle_worker(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.upkeep._SWEEP_IDLE_S", 0.2)
    base.put("правила.md", RULES)
    base.work()
    newer = base.put("правила.md", f"{RULES}\n\nНовая редакция.", replace=True)
    with base.working():
        wait_until(lambda: base.unfinished() == 0)
        wait_until(lambda: [path.name for path in (base.folder / "files").glob("??/*")] == [newer.sha256])


def test_there_is_one_worker_to_a_database_whatever_their_folders(tmp_path: Path) -> None:
    database = tmp_path / "one" / "znayka.db"
    other = sole_worker(tmp_path / "another", database)
    with sole_worker(tmp_path / "one", database), pytest.raises(Misconfigured, match="базы"), other:
        pass
    with sole_worker(tmp_path / "another", database):
        pass
