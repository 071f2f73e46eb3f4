"""Speeds of the whole service as a client sees them over HTTP: uploading a knowledge base, searching it, asking twice.

Run as `python -m benchmarks.service [ARCHIVE] [--files N]`, ARCHIVE being a tar of Markdown files; without one, the
three example documents. The real processes run in a temporary folder; the load average says how much the figures mean.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from tests.service import Service

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
WORKING = ("queued", "parsing", "embedding")
BATCH_FILES = 50
INGEST_TIMEOUT_S = 3 * 3600.0
WARM_UP = 10
QUERY_WORDS = 6
FIRST_QUESTION = "Сколько календарных дней длится ежегодный основной отпуск?"
FOLLOW_UP = "Какова продолжительность ежегодного основного отпуска в календарных днях?"  # over the same passages


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured, on what. `follow_up_speedup` is 0 when the model did not speak."""

    cores: int
    load_average: float
    documents: int
    passages: int
    ingest_s: float
    passages_per_s: float
    worker_memory_bytes: int
    search_p50_ms: float
    search_p95_ms: float
    first_token_ms: float
    follow_up_ms: float
    follow_up_speedup: float


def main() -> None:
    """Measure, show, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path, nargs="?")
    parser.add_argument("--files", type=int, default=100_000, help="take only so many, spread over the archive")
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/service.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = _files(options.archive, Path(folder) / "files", options.files)
        with Service(Path(folder) / "data", ("api", "worker", "llm")) as service:
            figures = measure(service, files, searches=options.searches)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(asdict(figures), indent=2), encoding="utf-8")
    _show(figures)


def measure(service: Service, files: Sequence[Path], *, searches: int) -> Figures:
    """Upload the files to a running service, search them, then ask two questions about the examples."""
    with httpx.Client(base_url=service.api_url, timeout=300, trust_env=False) as http:
        ingest_s = _ingest(http, files)
        memory = _peak_memory(service.pid("worker"))
        passages = sum(document["passages"] for document in _documents(http, "bench"))
        spent = [_search_ms(http, query) for query in _queries(files, searches + WARM_UP)][WARM_UP:]
        cuts = statistics.quantiles(spent, n=20)
        first, second = _ask_twice(http)
    return Figures(
        cores=psutil.cpu_count() or 1,
        load_average=round(os.getloadavg()[0], 1),
        documents=len(files),
        passages=passages,
        ingest_s=round(ingest_s, 1),
        passages_per_s=round(passages / ingest_s, 1),
        worker_memory_bytes=memory,
        search_p50_ms=round(cuts[9], 1),
        search_p95_ms=round(cuts[18], 1),
        first_token_ms=round(first, 1),
        follow_up_ms=round(second, 1),
        follow_up_speedup=round(first / second, 1) if second else 0.0,
    )


def _files(archive: Path | None, folder: Path, limit: int) -> list[Path]:
    if archive is None:
        return sorted(path for path in EXAMPLES.iterdir() if path.suffix in {".pdf", ".docx", ".md"})
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    found = sorted(folder.rglob("*.md"))
    return found[:: max(1, len(found) // limit)][:limit]


def _ingest(http: httpx.Client, files: Sequence[Path], collection: str = "bench") -> float:
    """Upload everything; answer the seconds until the last document is at its end."""
    started = time.monotonic()
    # The API takes all files of a request or none, and refuses empty ones, as some knowledge bases have them.
    filled = [path for path in files if path.stat().st_size]
    for start in range(0, len(filled), BATCH_FILES):
        batch = filled[start : start + BATCH_FILES]
        parts = [("file", (f"{start + n} {path.name}", path.read_bytes())) for n, path in enumerate(batch)]
        http.post("/v1/documents", files=parts, data={"collection": collection}).raise_for_status()
    while any(_documents(http, collection, status=status, limit=1) for status in WORKING):
        if time.monotonic() - started > INGEST_TIMEOUT_S:
            raise TimeoutError("the documents do not come to an end")
        time.sleep(0.2)
    return time.monotonic() - started


def _documents(http: httpx.Client, collection: str, limit: int = 100, **filters: str) -> list[dict[str, Any]]:
    """Documents of a collection; all of them, unless `limit` is smaller than a screen."""
    found: list[dict[str, Any]] = []
    params: dict[str, str | int] = {"collection": collection, "limit": limit, **filters}
    while True:
        answer = http.get("/v1/documents", params=params)
        answer.raise_for_status()
        found += answer.json()["items"]
        if answer.json()["next_cursor"] is None or len(found) >= limit < 100:
            return found
        params["cursor"] = answer.json()["next_cursor"]


def _queries(files: Sequence[Path], count: int) -> list[str]:
    """Runs of words from the files themselves, every one another, so that nothing can be remembered."""
    texts = [path.read_text(encoding="utf-8", errors="replace").split() for path in files if path.suffix == ".md"]
    long = [words for words in texts if len(words) > 10 * QUERY_WORDS] or texts
    return [
        " ".join(words[at : at + QUERY_WORDS])
        for n in range(count)
        for words in [long[n % len(long)]]
        for at in [(37 * n) % max(1, len(words) - QUERY_WORDS)]
    ]


def _search_ms(http: httpx.Client, query: str) -> float:
    started = time.monotonic()
    http.post("/v1/search", json={"query": query, "collection": "bench"}).raise_for_status()
    return (time.monotonic() - started) * 1000


def _ask_twice(http: httpx.Client) -> tuple[float, float]:
    """Milliseconds to the first token of a question and of another one over the same document."""
    _ingest(http, sorted(EXAMPLES.glob("*.pdf")), "examples")
    first = _ask(http, FIRST_QUESTION, [])
    second = _ask(http, FOLLOW_UP, [{"question": FIRST_QUESTION, "answer": first["answer"]}])
    times = [answer["timings"]["first_token_ms"] or 0.0 for answer in (first, second)]
    return times[0], times[1]


def _ask(http: httpx.Client, question: str, history: list[dict[str, str]]) -> dict[str, Any]:
    answer = http.post("/v1/ask", json={"question": question, "collection": "examples", "history": history})
    answer.raise_for_status()
    return dict(answer.json())


def _peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


def _show(figures: Figures) -> None:
    table = Table("figure", "value")
    for name, value in asdict(figures).items():
        table.add_row(name, str(value))
    Console().print(table)


if __name__ == "__main__":
    main()
