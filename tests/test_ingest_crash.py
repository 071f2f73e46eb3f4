"""The real worker process, killed again and again while it ingests real files: nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select, text

from core.errors import ServiceError
from core.settings import Settings
from core.types import Document, Principal, Status
from ingest.chunking import chunk
from ingest.files import FileStore
from ingest.limits import Limits
from ingest.sandbox import Sandbox
from retrieval.chosen_models import chosen_encoder
from retrieval.index import read_index
from retrieval.store import documents, jobs, keyword, schema, vectors
from retrieval.store.database import Database
from retrieval.terms import root_text

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared/data"
ANYONE = Principal("test")
KILLS = 20
ATTEMPTS_MAX = 3
OFFICE = (
    "csvs/books.csv",
    "csvs/cp1251.csv",
    "docx/broken.docx",
    "docx/example_footnote_endnote.docx",
    "docx/size1.docx",
    "docx/tz.docx",
    "eml/message.eml",
    "htmls/example_koi.html",
    "laws/ukrf.docx",
    "pdf_with_text_layer/VVP_6_tables.pdf",
    "pdf_with_text_layer/cp1251.pdf",
    "xlsx/example.xlsx",
)

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.skipif(not DATA.exists(), reason="the shared data set is not here"),
]


def real_files(limit: int) -> Iterator[tuple[str, bytes]]:
    """Yield office documents of many kinds, then pages of a real knowledge base."""
    office = [path for path in (DATA / "documents/dedoc" / name for name in OFFICE) if path.exists()]
    yield from ((path.name, path.read_bytes()) for path in office)
    left = limit - len(office)
    with tarfile.open(DATA / "kb/yandex_cloud_ru.tar.xz") as archive:
        for member in archive:
            if left and member.isfile() and member.name.endswith(".md") and 4_000 < member.size < 20_000:
                content = archive.extractfile(member)
                assert content is not None
                yield member.name, content.read()
                left -= 1


@dataclass
class Folder:
    """A data folder, its worker process, and what happened to the documents in it."""

    path: Path

    def __post_init__(self) -> None:
        self.settings = Settings(data_dir=self.path)
        self.database = Database(self.settings.sql_url)
        self.database.migrate()
        self.files = FileStore(self.path / "files")

    def put(self, name: str, content: bytes) -> Document:
        with self.files.receive([content], max_bytes=2**30, reserve_bytes=0) as file, self.database.write() as conn:
            upload = documents.Upload(name, "default", "", file.size_bytes, file.sha256)
            return documents.add(conn, upload, ANYONE, now=time.time())

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        own = {
            "ZNAYKA_DATA_DIR": str(self.path),
            "ZNAYKA_INDEX_COMPACT_PASSAGES": "50",
            "ZNAYKA_ATTEMPTS_MAX": str(ATTEMPTS_MAX),
        }
        with (self.path / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "ingest.worker"]
            process = subprocess.Popen(command, cwd=ROOT, env=os.environ | own, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def in_hand(self, dead: set[str]) -> dict[str, str]:
        """Return who holds which document, by document, without what dead workers still seem to hold."""
        columns = schema.documents.c
        held = select(columns.id, columns.lease_owner).where(columns.status.in_(jobs.RUNNING))
        with self.database.read() as conn:
            return {row[0]: row[1] for row in conn.execute(held) if row[1] not in dead}

    def unfinished(self) -> int:
        with self.database.read() as conn:
            return jobs.waiting(conn)

    def all(self) -> list[Document]:
        with self.database.read() as conn:
            listing = documents.listing(conn, documents.Query(), ANYONE, limit=1000, cursor=None)
        return list(listing.items)


def wait_for_work(folder: Folder, process: subprocess.Popen[bytes], dead: set[str], timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while folder.unfinished() and not folder.in_hand(dead):
        assert process.poll() is None, (folder.path / "worker.log").read_text()[-2000:]
        assert time.monotonic() < deadline, "the worker takes nothing"
        time.sleep(0.02)


def kill_at_random(folder: Folder, chance: random.Random, dead: set[str]) -> list[str]:
    """Start a worker, kill it at some moment of its life, note its death, and return what it had in hand."""
    with folder.worker() as process:
        if chance.random() < 0.8:
            wait_for_work(folder, process, dead)
        time.sleep(chance.uniform(0, 0.8))
        process.send_signal(signal.SIGKILL)
        process.wait()
    in_hand = folder.in_hand(dead)
    dead.update(in_hand.values())
    return list(in_hand)


def finish(folder: Folder, timeout_s: float = 300) -> None:
    """Let a worker end everything, stop it politely, and see it leave."""
    deadline = time.monotonic() + timeout_s
    with folder.worker() as process:
        while folder.unfinished():
            assert process.poll() is None, (folder.path / "worker.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the queue does not end"
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def expected_end(sandbox: Sandbox, folder: Folder, document: Document) -> tuple[Status, str | None, list[str]]:
    """Return how a document ends when nobody disturbs: status, error code, texts of its passages."""
    settings = folder.settings
    try:
        parsed = sandbox.parse(folder.files.path(document.sha256), document.name)
    except ServiceError as exc:
        return Status.FAILED, exc.code, []
    pieces = chunk(parsed, max_chars=settings.passage_max_chars, overlap_chars=settings.passage_overlap_chars)
    status = Status.PARTIAL if parsed.problem else Status.READY
    texts = [piece.text for piece in pieces]
    return (status if texts else Status.FAILED), parsed.problem.code if parsed.problem else None, texts


def stored_texts(folder: Folder, document: Document) -> list[str]:
    passages = schema.passages.c
    wanted = select(passages.text).where(passages.document_id == document.id).order_by(passages.position)
    with folder.database.read() as conn:
        return list(conn.execute(wanted).scalars())


def check_agreement(folder: Folder) -> None:
    """Passages, vectors, stems and what the index finds must be one and the same set."""
    with folder.database.read() as conn:
        ids = set(conn.execute(select(schema.passages.c.id)).scalars())
        added = vectors.added_since(conn, 0)
        assert set(added.ids.tolist()) == ids
        assert np.allclose(np.linalg.norm(added.vectors, axis=1), 1, atol=1e-3)
        assert set(conn.execute(text("SELECT rowid FROM passage_stems")).scalars()) == ids
        state = vectors.state(conn)
        index = read_index(folder.path / "index", state.generation)
        assert index is not None
        removed = set(vectors.removed_since(conn, state.index_revision).tolist())
        pending = set(vectors.added_since(conn, state.index_revision).ids.tolist())
        assert (set(index.ids.tolist()) - removed) | pending == ids
        owners = conn.execute(select(func.count()).select_from(schema.pages)).scalar_one()
        assert owners > 0
        found = set(keyword.every(conn, root_text("доступ")).ids.tolist())
        assert found
        assert found <= ids


def convert_the_model_first(settings: Settings) -> None:
    """A worker killed while it converts a model for the first time shows nothing about documents."""
    chosen_encoder(settings, threads=1)


def test_twenty_kills_during_an_ingest_lose_and_double_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(10**6))
    print(f"CRASH_SEED={seed}")
    chance = random.Random(seed)
    folder = Folder(tmp_path)
    convert_the_model_first(folder.settings)
    uploaded = [folder.put(name, content) for name, content in real_files(50)]
    assert len({document.id for document in uploaded}) == 50

    deaths: Counter[str] = Counter()
    dead: set[str] = set()
    struck = 0
    for _ in range(KILLS):
        in_hand = kill_at_random(folder, chance, dead)
        deaths.update(in_hand)
        struck += bool(in_hand)
    print(f"{struck} of {KILLS} kills struck documents in hand; deaths of one at most {max(deaths.values())}")
    assert struck >= KILLS // 4
    finish(folder)

    ended = folder.all()
    assert sorted(document.id for document in ended) == sorted(document.id for document in uploaded)
    with Sandbox(Limits.of(folder.settings)) as sandbox:
        for document in ended:
            code = document.error.code if document.error else None
            if deaths[document.id] >= ATTEMPTS_MAX:
                assert (document.status, code) == (Status.FAILED, "poison")
                assert stored_texts(folder, document) == []
                continue
            status, expected_code, texts = expected_end(sandbox, folder, document)
            assert (document.name, document.status, code) == (document.name, status, expected_code)
            assert stored_texts(folder, document) == texts
            assert document.passages == len(texts)
    check_agreement(folder)
    assert folder.database.damage() == []
    on_disk = {path.name for path in (tmp_path / "files").glob("??/*")}
    assert on_disk == {document.sha256 for document in ended}
    folder.database.close()
