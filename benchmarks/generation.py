"""What streaming costs over llama-cpp-python itself, and how much sooner a follow-up question is answered.

Run as `python -m benchmarks.generation`. Both sides have the same model, threads and environment and take turns, so
that the ratio holds on a busy machine too. The time of our server is the client's: from sending the request over
loopback to the stream's end. Processor time is that of the whole serving process: other programs that are busy on
the machine shift it less than they shift the clock.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from core.settings import load_settings
from generation.embedded import NAME
from generation.engine import Engine
from generation.sampling import Sampling
from generation.served import load_chosen
from generation.tokens import Content, encode

PROMPT = "Раз, два, три, четыре, пять, шесть, семь, восемь, девять, десять, одиннадцать,"
PASSAGE = (
    "{n}. Отпуск предоставляется по графику № {n}, утверждённому директором не позднее 17 декабря. "
    "О начале отпуска работника извещают под подпись за две недели, а деньги платят за три дня до него. "
)
FOLLOW_UPS = ("\nВопрос: кто утверждает график отпусков?\nОтвет:", "\nВопрос: за сколько дней платят деньги?\nОтвет:")
PASSAGES = 45


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the rounds, and what they were measured on."""

    model: str
    llama_cpp_python: str
    cores: int
    load_average: float
    library_tokens_per_s: float
    server_tokens_per_s: float
    streaming_overhead: float
    library_cpu_ms_per_token: float
    server_cpu_ms_per_token: float
    first_question_s: float
    follow_up_s: float
    follow_up_speedup: float


@dataclass(frozen=True, slots=True)
class Spent:
    """Time on the clock, and of the processor in the process that ran the model."""

    wall_s: float
    cpu_s: float

    @classmethod
    def by(cls, work: Callable[[], None], process: psutil.Process | None = None) -> Spent:
        """Do the work and say what it took; `process` None is this one."""
        process = process or psutil.Process()
        clock, before = time.perf_counter(), process.cpu_times()
        work()
        wall_s, after = time.perf_counter() - clock, process.cpu_times()
        return cls(wall_s, after.user - before.user + after.system - before.system)

    @classmethod
    def median(cls, spent: Iterable[Spent]) -> Spent:
        """The median of each."""
        walls, cpus = zip(*((one.wall_s, one.cpu_s) for one in spent), strict=True)
        return cls(statistics.median(walls), statistics.median(cpus))


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="pairs of generations")
    parser.add_argument("--tokens", type=int, default=64, help="tokens in one generation")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/generation.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"ZNAYKA_DATA_DIR": folder, "ZNAYKA_MODEL": NAME, "ZNAYKA_LLM_PORT": str(_free_port())}
        figures = measure(rounds=options.rounds, tokens=options.tokens)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(asdict(figures), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    table = Table("figure", "value")
    for name, value in asdict(figures).items():
        table.add_row(name, f"{value:.3f}" if isinstance(value, float) else str(value))
    Console().print(table)


def measure(*, rounds: int, tokens: int) -> Figures:
    """Take turns between the library in this process and the server in another."""
    engine = load_chosen(load_settings()).engine
    with _server() as (client, process):
        pairs = [
            (Spent.by(lambda: _read_library(engine, tokens)), Spent.by(lambda: _read_server(client, tokens), process))
            for _ in range(rounds + 1)  # the first warms both up
        ][1:]
        questions = [_first_tokens_s(client, offset) for offset in range(3)]
    library, server = (Spent.median(spent) for spent in zip(*pairs, strict=True))
    first_s, follow_up_s = (statistics.median(times) for times in zip(*questions, strict=True))
    return Figures(
        model=NAME,
        llama_cpp_python=importlib.metadata.version("llama-cpp-python"),
        cores=os.cpu_count() or 0,
        load_average=os.getloadavg()[0],
        library_tokens_per_s=tokens / library.wall_s,
        server_tokens_per_s=tokens / server.wall_s,
        streaming_overhead=statistics.median(ours.wall_s / own.wall_s for own, ours in pairs) - 1,
        library_cpu_ms_per_token=library.cpu_s * 1000 / tokens,
        server_cpu_ms_per_token=server.cpu_s * 1000 / tokens,
        first_question_s=first_s,
        follow_up_s=follow_up_s,
        follow_up_speedup=statistics.median(first / second for first, second in questions),
    )


def _read_library(engine: Engine, tokens: int) -> None:
    """Run llama-cpp-python's own loop, without turning tokens into text."""
    prompt = encode([Content(PROMPT)], engine.vocabulary)
    generated = engine._llama.generate(prompt, temp=0.0, repeat_penalty=1.0)
    for _ in range(tokens):
        next(generated)


def _read_server(client: httpx.Client, tokens: int) -> None:
    """Read our stream to its end."""
    body = {"prompt": PROMPT, "max_tokens": tokens, "stream_options": {"include_usage": True}, **_sampling()}
    events = list(_events(client, body))
    said = events[-1]["usage"]["completion_tokens"]
    if said != tokens:
        raise RuntimeError(f"the model stopped after {said} tokens of {tokens}")


def _first_tokens_s(client: httpx.Client, offset: int) -> tuple[float, float]:
    """Seconds to the first text of a question over new passages, and of another over the same."""
    passages = "".join(PASSAGE.format(n=offset * 1000 + n) for n in range(PASSAGES))
    first, follow_up = (_first_text_s(client, passages + question) for question in FOLLOW_UPS)
    return first, follow_up


def _first_text_s(client: httpx.Client, prompt: str) -> float:
    started = time.perf_counter()
    for event in _events(client, {"prompt": prompt, "max_tokens": 4, **_sampling()}):
        if event["choices"][0]["text"]:
            return time.perf_counter() - started
    raise RuntimeError("the model said nothing")


def _sampling() -> dict[str, object]:
    return {"stream": True, "temperature": Sampling(1).temperature, "repeat_penalty": 1.0}


def _events(client: httpx.Client, body: dict[str, object]) -> Iterator[dict]:  # type: ignore[type-arg]
    with client.stream("POST", "/v1/completions", json=body) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith("data: {"):
                yield json.loads(line.removeprefix("data: "))


@contextmanager
def _server() -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """Our model process, as it is started in service."""
    settings = load_settings()
    process = subprocess.Popen([sys.executable, "-m", "generation.server"], stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://{settings.llm_host}:{settings.llm_port}", timeout=300) as client:
            _wait_ready(client)
            yield client, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if client.get("/ready").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise RuntimeError("the model process did not become ready")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
