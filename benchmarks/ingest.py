"""How fast a knowledge base is ingested, as a ratio to `SentenceTransformer.encode` at its defaults.

Run as `python -m benchmarks.ingest ARCHIVE [--files N]`, ARCHIVE being a tar of Markdown files. The whole pipeline
(parsing in the sandbox, cutting, embedding, committing, index) takes turns with the library, which embeds the very
passages that the round stored, so that the ratio holds on a busy machine too. The worker's threads run in this
process, and the library in another, so that this one's memory is the worker's.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from core.settings import Settings, load_settings
from core.types import Principal, Status
from ingest.chunking import embedded_text
from ingest.desk import Desk
from ingest.files import FileStore
from ingest.reembed import reembed
from ingest.worker import make_worker
from retrieval.chosen_models import chosen_encoder
from retrieval.embedding.encoder import Encoder, find_weights
from retrieval.store import documents, jobs, passages
from retrieval.store.database import Database

OWNER = Principal("benchmark")
# In a process of its own: model folder and prompt as arguments, lists of texts in, seconds out.
LIBRARY = """
import json, sys, time
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
model.encode(["warm up"] * 32)
for line in sys.stdin:
    texts = [sys.argv[2] + text for text in json.loads(line)]
    started = time.monotonic()
    model.encode(texts)
    print(time.monotonic() - started, flush=True)
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over the rounds, and what they were measured on."""

    model: str
    backend: str
    openvino: str
    sentence_transformers: str
    cores: int
    load_average: float
    files: int
    failed: int
    passages: int
    ingest_s: float
    library_s: float
    speedup: float
    embedding_share: float
    peak_rss_mib: float


class TimedEncoder:
    """An encoder that counts the seconds it is busy with passages."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.name, self.fingerprint = encoder.name, encoder.fingerprint
        self.dimension, self.max_tokens = encoder.dimension, encoder.max_tokens
        self.encode_queries = encoder.encode_queries
        self.busy_s = 0.0

    def encode_passages(
        self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Delegate, and count."""
        started = time.monotonic()
        try:
            return self._encoder.encode_passages(texts, on_progress)
        finally:
            self.busy_s += time.monotonic() - started


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--files", type=int, default=100_000, help="take only so many")
    parser.add_argument("--round-files", type=int, default=300, help="files between two turns of the library")
    parser.add_argument("--no-library", action="store_true", help="ingest only: speedup is then 0")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ingest.json"))
    options = parser.parse_args()
    files = list(read_files(options.archive, options.files))
    rounds = [files[at : at + options.round_files] for at in range(0, len(files), options.round_files)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ZNAYKA_DATA_DIR"] = folder
        figures = measure(load_settings(), rounds, with_library=not options.no_library)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(asdict(figures), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    table = Table("figure", "value")
    for name, value in asdict(figures).items():
        table.add_row(name, f"{value:.3f}" if isinstance(value, float) else str(value))
    Console().print(table)


def measure(settings: Settings, rounds: Sequence[Sequence[tuple[str, bytes]]], *, with_library: bool) -> Figures:
    """Ingest round after round, each followed by the library's turn."""
    database = Database(settings.sql_url)
    database.migrate()
    encoder = TimedEncoder(chosen_encoder(settings))
    encoder.encode_passages(["прогрев"] * 32)
    encoder.busy_s = ingest_s = library_s = 0.0
    reembed(database, encoder, settings.data_dir)
    last_id = 0
    with _working(settings, database, encoder), _library(settings) as library_seconds:
        for files in rounds:
            _add(settings, database, files)
            ingest_s += _wait(database)
            texts, last_id = _texts(database, last_id)
            library_s += library_seconds(texts) if with_library else 0.0
            _say(
                f"{sum(map(len, rounds[: rounds.index(files) + 1]))} files, {ingest_s:.0f} s, library {library_s:.0f} s"
            )
    with database.read() as conn:
        counts, total = documents.count_by_status(conn), len(passages.passage_ids(conn))
    return Figures(
        model=settings.embedding_model,
        backend=settings.embedding_backend,
        openvino=importlib.metadata.version("openvino"),
        sentence_transformers=importlib.metadata.version("sentence-transformers"),
        cores=os.cpu_count() or 1,
        load_average=os.getloadavg()[0],
        files=sum(map(len, rounds)),
        failed=counts.get(Status.FAILED, 0),
        passages=total,
        ingest_s=ingest_s,
        library_s=library_s,
        speedup=library_s / ingest_s,
        embedding_share=encoder.busy_s / ingest_s,
        peak_rss_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def read_files(archive: Path, limit: int) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of the archive's Markdown files."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if limit and member.name.endswith(".md") and (content := tar.extractfile(member)):
                yield member.name, content.read()
                limit -= 1


@contextmanager
def _working(settings: Settings, database: Database, encoder: Encoder) -> Iterator[None]:
    stop = threading.Event()
    worker = make_worker(settings, database, Desk(database, "benchmark"), encoder)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _library(settings: Settings) -> Iterator[Callable[[list[str]], float]]:
    weights = find_weights(settings.embedding_model, settings.cache_dir)
    command = [sys.executable, "-c", LIBRARY, str(weights.folder), weights.passage_prompt]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        requests, answers = process.stdin, process.stdout
        assert requests is not None
        assert answers is not None

        def seconds(texts: list[str]) -> float:
            requests.write(json.dumps(texts) + "\n")
            requests.flush()
            return float(answers.readline())

        yield seconds
        requests.close()


def _add(settings: Settings, database: Database, files: Sequence[tuple[str, bytes]]) -> None:
    store = FileStore(settings.data_dir / "files")
    with database.write() as conn:
        for name, content in files:
            with store.receive([content], max_bytes=settings.upload_max_bytes, reserve_bytes=0) as file:
                upload = documents.Upload(name, "default", "text/markdown", file.size_bytes, file.sha256)
                documents.add(conn, upload, OWNER, now=time.time())


def _wait(database: Database) -> float:
    started = time.monotonic()
    while True:
        with database.read() as conn:
            if not jobs.waiting(conn):
                return time.monotonic() - started
        time.sleep(0.2)


def _texts(database: Database, after_id: int) -> tuple[list[str], int]:
    """Return what was embedded since, and the id to go on from."""
    with database.read() as conn:
        stored = passages.stored_texts(conn, after_id=after_id, limit=10**6)
    return [embedded_text(one.document, one) for one in stored], stored[-1].id if stored else after_id


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
