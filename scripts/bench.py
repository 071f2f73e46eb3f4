"""Measure the speeds of the whole service on this machine: ingest, search, streaming, follow-up questions.

Starts the real processes in a temporary folder. Ratios are of things measured in this one run; the load of the machine
is shown, because the figures mean little without it. Usage: python scripts/bench.py [--files N] [--runs N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import select

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from retrieval.embedding.encoder import find_weights  # noqa: E402 - a script of the checkout, installed or not
from retrieval.store.database import Database  # noqa: E402
from retrieval.store.schema import passages  # noqa: E402
from tests.service import Service  # noqa: E402

KNOWLEDGE_BASE = ROOT.parent / "shared" / "data" / "kb"
BATCH_FILES = 50
INGEST_TIMEOUT_S = 3 * 3600.0
SEARCHES = 200
TOKENS = 200
PROMPT = "Жил-был старик со своею старухой у самого синего моря."
FIRST_QUESTION = "Сколько календарных дней длится ежегодный основной отпуск?"
FOLLOW_UP = "А дополнительный?"
# The baselines run in processes of their own, with the libraries' own defaults.
ENCODE = """
import json, sys, time
from sentence_transformers import SentenceTransformer
texts = json.load(open(sys.argv[2], encoding="utf-8"))
model = SentenceTransformer(sys.argv[1], device="cpu")
model.encode(texts[:8])
started = time.monotonic()
model.encode(texts)
print(time.monotonic() - started)
"""
GENERATE = """
import sys, time
from llama_cpp import Llama
model = Llama(sys.argv[1], n_ctx=4096, verbose=False)
for _ in range(int(sys.argv[4])):
    moments = []
    for _piece in model(sys.argv[2], max_tokens=int(sys.argv[3]), temperature=0.0, stream=True):
        moments.append(time.monotonic())
    print((len(moments) - 2) / (moments[-1] - moments[0]))
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report."""

    name: str
    value: str


def main() -> None:
    """Measure everything and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100, help="files of the knowledge base to ingest; 0: all")
    parser.add_argument("--runs", type=int, default=3, help="repetitions of what is short")
    options = parser.parse_args()
    _say(f"load before: {_load()}, cores: {psutil.cpu_count()}")
    with tempfile.TemporaryDirectory() as folder:
        files = _knowledge_base(Path(folder) / "files", options.files)
        with Service(Path(folder) / "data", ("api", "worker", "llm")) as service:
            for measure in (
                _ingest(service, files),
                _search(service),
                _stream(service, options.runs),
                _follow(service),
            ):
                for result in measure:
                    _say(f"{result.name:<58} {result.value}")
    _say(f"load after: {_load()}")


def _knowledge_base(folder: Path, count: int) -> list[Path]:
    """Files of the shared knowledge base, spread over it; our examples where there is none."""
    archive = next(KNOWLEDGE_BASE.glob("*.tar.xz"), None)
    if archive is None:
        _say("no ../shared/data: measuring on the examples, too few for a speed of ingest")
        return sorted((ROOT / "examples").glob("*.md"))
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    found = sorted(folder.rglob("*.md"))
    return found if count == 0 else found[:: max(1, len(found) // count)][:count]


def _ingest(service: Service, files: Sequence[Path]) -> Iterator[Result]:
    with httpx.Client(base_url=service.api_url, timeout=300, trust_env=False) as http:
        started = time.monotonic()
        for start in range(0, len(files), BATCH_FILES):
            batch = files[start : start + BATCH_FILES]
            names = [f"{start + n:05d} {path.name}" for n, path in enumerate(batch)]
            parts = [("file", (name, path.read_bytes())) for name, path in zip(names, batch, strict=True)]
            http.post("/v1/documents", files=parts).raise_for_status()
        while any(_left(http, status) for status in ("queued", "parsing", "embedding")):
            assert time.monotonic() - started < INGEST_TIMEOUT_S, service.logs()
            time.sleep(0.2)
        spent_s = time.monotonic() - started
    texts = _passage_texts(service)
    plain_s = _encode_plainly(service, texts)
    yield Result("ingest: documents, passages, s", f"{len(files)}, {len(texts)}, {spent_s:.1f}")
    yield Result("ingest: passages a second, whole pipeline", f"{len(texts) / spent_s:.1f}")
    yield Result("SentenceTransformer.encode: passages a second", f"{len(texts) / plain_s:.1f}")
    yield Result("ingest / SentenceTransformer.encode (2 or more)", f"{plain_s / spent_s:.2f}")
    yield Result("worker: most memory, MB", f"{_peak_memory(service.pid('worker')) / 1e6:.0f}")


def _left(http: httpx.Client, status: str) -> bool:
    answer = http.get("/v1/documents", params={"status": status, "limit": 1})
    answer.raise_for_status()
    return bool(answer.json()["items"])


def _passage_texts(service: Service) -> list[str]:
    database = Database(service.settings.sql_url)
    with database.read() as conn:
        texts = [str(row.text) for row in conn.execute(select(passages.c.text))]
    database.close()
    return texts


def _encode_plainly(service: Service, texts: list[str]) -> float:
    weights = find_weights(service.settings.embedding_model, service.settings.cache_dir)
    listed = service.settings.data_dir / "texts.json"
    listed.write_text(json.dumps([weights.passage_prompt + text for text in texts]), encoding="utf-8")
    return float(_run(ENCODE, str(weights.folder), str(listed))[-1])


def _search(service: Service) -> Iterator[Result]:
    spent: list[float] = []
    with httpx.Client(base_url=service.api_url, timeout=60, trust_env=False) as http:
        for question in _questions():
            started = time.monotonic()
            http.post("/v1/search", json={"query": question}).raise_for_status()
            spent.append((time.monotonic() - started) * 1000)
    cuts = statistics.quantiles(spent[10:], n=20)
    yield Result("search over HTTP: p50, p95, ms (25 and 60 or less)", f"{cuts[9]:.1f}, {cuts[18]:.1f}")


def _questions() -> list[str]:
    listed = KNOWLEDGE_BASE / "questions.jsonl"
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
    questions = [str(json.loads(line)["question"]) for line in lines] or [FIRST_QUESTION, FOLLOW_UP]
    return [questions[n % len(questions)] for n in range(SEARCHES)]


def _stream(service: Service, runs: int) -> Iterator[Result]:
    model = httpx.get(f"{service.api_url}/v1/models", trust_env=False).json()["data"][-1]["id"]
    path = next((service.settings.cache_dir / "models").glob("*.gguf"))
    ours, own = [], []
    # Turn about, so that a change in the machine's load meets both.
    for _ in range(runs):
        ours.append(_streamed_tokens_per_s(service.api_url, model))
        own.append(float(_run(GENERATE, str(path), PROMPT, str(TOKENS), "1")[-1]))
    fastest, slowest = statistics.median(own), statistics.median(ours)
    yield Result("streaming: tokens a second, llama-cpp-python itself", f"{fastest:.1f}")
    yield Result("streaming: tokens a second, through model process and API", f"{slowest:.1f}")
    yield Result("streaming adds, % (less than 5)", f"{(fastest / slowest - 1) * 100:.1f}")


def _streamed_tokens_per_s(url: str, model: str) -> float:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": TOKENS,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    moments, tokens = [], 0
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=300, trust_env=False) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            event = json.loads(line[6:]) if line.startswith("data: {") else {}
            if any(choice["delta"].get("content") for choice in event.get("choices", [])):
                moments.append(time.monotonic())
            tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
    return (tokens - 1) / (moments[-1] - moments[0])


def _follow(service: Service) -> Iterator[Result]:
    service.upload(*sorted((ROOT / "examples").glob("*.md")), collection="examples")
    for document in service.client().documents(collection="examples").items:
        service.wait_for_end(document.id)
    first = _ask(service.api_url, FIRST_QUESTION, [])
    second = _ask(service.api_url, FOLLOW_UP, [{"question": FIRST_QUESTION, "answer": first["answer"]}])
    times = [answer["timings"]["first_token_ms"] for answer in (first, second)]
    yield Result("first token: first question, follow-up, ms", ", ".join(str(one) for one in times))
    if all(times):
        yield Result("first token: first question / follow-up (4 or more)", f"{times[0] / times[1]:.1f}")


def _ask(url: str, question: str, history: list[dict[str, str]]) -> dict[str, Any]:
    body = {"question": question, "collection": "examples", "history": history}
    answer = httpx.post(f"{url}/v1/ask", json=body, timeout=300, trust_env=False)
    answer.raise_for_status()
    return dict(answer.json())


def _run(code: str, *arguments: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.split()


def _peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


def _load() -> str:
    return " ".join(f"{one:.1f}" for one in os.getloadavg())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
