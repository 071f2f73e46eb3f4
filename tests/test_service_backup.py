"""The real service, backed up while four clients upload, replace and delete; another starts on what is restored."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from backup.manifest import KEPT
from backup.reading import opened
from retrieval.store import documents
from retrieval.store.database import Database
from tests.frozen_bases import rows
from tests.invariants import ENDED, check_folder, wait_for_sentences
from tests.service import Service
from tests.test_ingest_crash import DATA, real_files
from tests.test_service_killpoints import RULE, SUBJECTS

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.crash,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not DATA.exists(), reason="the shared data set is not here"),
]

ROOT = Path(__file__).parents[1]
REAL_FILES = 15
CLIENTS = 4
TIMEOUT_S = 600.0
# Of a data folder: the database's own files, what is made again, and what is kept. Something new needs a place here.
DERIVED = {"index", "logs", "models", "reembed", "worker.lock", "znayka.db.lock"}
BASE = {"znayka.db", "znayka.db-wal", "znayka.db-shm", "files"}


class Running(Service):
    """A service without a model, and short words for what the test does with it."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir, ("api", "worker"), llm_url="http://127.0.0.1:1/v1", index_compact_passages=50)

    def call(self, method: str, path: str, **wanted: object) -> httpx.Response:
        return httpx.request(method, self.api_url + path, trust_env=False, timeout=TIMEOUT_S, **wanted)  # type: ignore[arg-type]

    def send(self, name: str, content: bytes, **form: str) -> str:
        answer = self.call("POST", "/v1/documents", files={"file": (name, content)}, data=form)
        assert answer.status_code == 202, answer.text
        return str(answer.json()[0]["id"])

    def found(self, query: str, collection: str) -> list[tuple[str, str]]:
        wanted = {"query": query, "top_k": 5, "collection": collection}
        answer = self.call("POST", "/v1/search", json=wanted)
        assert answer.status_code in (200, 404), answer.text
        return [(one["document"], one["text"]) for one in answer.json().get("passages", [])]

    def wait_all(self) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            with closing(Database(self.settings.sql_url)) as database, database.read() as conn:
                if set(documents.count_by_status(conn)) <= ENDED:
                    return
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.3)


@dataclass
class Client:
    """Uploads, replaces and deletes documents of its own; notes when each was answered."""

    service: Running
    number: int
    sent: dict[str, float] = field(default_factory=dict)  # id, answered at
    deleting: dict[str, float] = field(default_factory=dict)  # id, begun at
    deleted: dict[str, tuple[float, str]] = field(default_factory=dict)  # id, answered at and its canary
    replaced: list[str] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        turn = 0
        while not stop.wait(0.05):
            turn += 1
            canary = f"канарейка{self.number}х{turn:04}"  # of one length, so that none is part of another
            text = "\n\n".join(f"# Пункт {n}\n\nЗаметка {canary}: смена {n} сдана." for n in range(3)).encode()
            if turn % 3 == 0:
                self.replaced.append(self.send(f"смена {self.number}.md", text, replace="true"))
                continue
            document_id = self.send(f"заметка {self.number}-{turn}.md", text)
            if turn % 3 == 1:
                self.deleting[document_id] = time.time()
                assert self.service.call("DELETE", f"/v1/documents/{document_id}").status_code == 204
                self.deleted[document_id] = (time.time(), canary)

    def send(self, name: str, text: bytes, **form: str) -> str:
        document_id = self.service.send(name, text, collection="смены", **form)
        self.sent[document_id] = time.time()
        return document_id


@dataclass(frozen=True)
class Taken:
    """A backup that was made between two moments, what twenty questions found before, and what clients know."""

    path: Path
    begun_at: float
    ended_at: float
    found: dict[str, list[tuple[str, str]]]
    clients: list[Client]


def run(*words: object, data_dir: Path) -> str:
    """Give a command of znayka as a process of its own."""
    env = Service(data_dir, ()).env
    argv = [sys.executable, "-m", "cli.main", *map(str, words)]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    folder = tmp_path_factory.mktemp("taken")
    with Running(folder / "data") as service:
        for n, subject in enumerate(SUBJECTS, 1):
            service.send(f"{subject}.txt", RULE.format(subject=subject, n=n).encode(), collection="правила")
        service.wait_all()
        wait_for_sentences(folder / "data")
        found = {subject: service.found(subject, "правила") for subject in SUBJECTS}
        clients, stop = [Client(service, number) for number in range(CLIENTS)], threading.Event()
        with ThreadPoolExecutor(CLIENTS) as pool:
            working = [pool.submit(client.run, stop) for client in clients]
            for name, content in real_files(REAL_FILES):
                service.send(name, content, collection="настоящие")
            begun_at = time.time()
            run("backup", folder / "copy.tar", data_dir=folder / "data")
            ended_at = time.time()
            stop.set()
            for one in working:
                one.result()
        assert {path.name for path in (folder / "data").iterdir()} <= BASE | DERIVED | set(KEPT)
        yield Taken(folder / "copy.tar", begun_at, ended_at, found, clients)


def test_a_backup_taken_during_an_ingest_is_restored_to_a_base_that_holds_all_invariants(
    taken: Taken, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    with opened(taken.path) as backup:
        counts = backup.manifest.counts
    assert counts.documents.keys() & {"queued", "parsing", "embedding"}, "taken while something was under way"
    run("backup", "--verify", taken.path, data_dir=new)
    run("restore", taken.path, data_dir=new)
    restored = {row["id"] for row in rows(new / "znayka.db")["documents"]}
    assert not [row for row in rows(new / "znayka.db")["documents"] if row["lease_owner"]]
    with Running(new) as service:
        service.wait_all()
        listed = {row["id"]: row for row in rows(new / "znayka.db")["documents"]}
        gone = restored - listed.keys()
        assert gone <= {one for client in taken.clients for one in client.replaced}, "only an older edition gives way"
        for client in taken.clients:
            check_promises(client, taken, restored)
            assert sum(row["name"] == f"смена {client.number}.md" for row in listed.values()) <= 1
            for at, canary in client.deleted.values():
                if at < taken.begun_at:
                    assert not any(canary in text for _, text in service.found(canary, "смены")), canary
        wait_for_sentences(new)
        assert {subject: service.found(subject, "правила") for subject in SUBJECTS} == taken.found
        deadline = time.monotonic() + TIMEOUT_S
        while not any((new / "index").glob("*.faiss")):
            assert time.monotonic() < deadline, "the index is built anew"
            time.sleep(0.2)
        service.restart("api")  # its start takes away the bytes of editions that gave way, as the worker does later
    assert check_folder(new) >= len(SUBJECTS) + REAL_FILES


def check_promises(client: Client, taken: Taken, restored: set[str]) -> None:
    """What was answered before the backup began is there, unless its deletion was under way or it was replaced."""
    for document_id, at in client.sent.items():
        is_settled = document_id not in client.replaced
        is_kept = client.deleting.get(document_id, float("inf")) > taken.ended_at
        if at < taken.begun_at and is_settled and is_kept:
            assert document_id in restored, document_id
        if at > taken.ended_at:
            assert document_id not in restored
    for document_id, (at, _) in client.deleted.items():
        if at < taken.begun_at:
            assert document_id not in restored
    assert client.sent, "the clients were at work"


def test_the_service_that_was_backed_up_keeps_no_bytes_it_does_not_need(taken: Taken) -> None:
    data_dir = taken.path.parent / "data"
    client = taken.clients[0]
    client.service.wait_all()
    deleted = {one for each in taken.clients for one in each.deleted}
    assert deleted
    with closing(Database(client.service.settings.sql_url)) as database, database.read() as conn:
        known = documents.stored_hashes(conn)
    run("backup", taken.path.with_name("second.tar"), data_dir=data_dir)
    assert {path.name for path in (data_dir / "files").glob("??/*")} == known
