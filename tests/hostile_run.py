"""Hostile files sent through the real service, for tests and for a run over a whole folder.

`python -m tests.hostile_run FOLDER` uploads every file below the folder, one after another, prints how they ended, and
which of the ends are not true as far as another library can tell.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from cli.documents import ENDS
from tests.hostile_case import READY, Case, case
from tests.hostile_truth import true_ends
from tests.service import Service

MIB = 2**20
ALL_S = 900.0  # a machine that others use too
ONE_S = 300.0
SLOWEST = 5
# Reasons that stand for an end of the process that read the file.
SPENT = frozenset({"parse_memory_exceeded", "parse_cpu_exceeded", "parse_timeout", "too_much_text"})
DEATHS = SPENT | {"parser_died"}
# Small, so that what must be stopped is stopped soon.
LIMITS = {
    "parse_timeout_s": 60,
    "parse_cpu_s": 4,
    "parse_memory_bytes": 800 * MIB,
    "parse_output_chars": 2_000_000,
    "parse_max_pages": 500,
    "archive_max_bytes": 32 * MIB,
    "archive_max_files": 300,
}
# A first pass takes 400 to 560 MiB, a second over the same files nothing more: what they need is then there.
GROWTH_MAX_BYTES = 700 * MIB


class Outcomes:
    """How the files ended: `ready`, `partial` or the code of the reason, of the worker's or of a refused upload."""

    def __init__(self, service: Service) -> None:
        self._http = httpx.Client(base_url=service.api_url, timeout=120, trust_env=False)
        self._sent: list[tuple[str, str]] = []  # ids and names: the same bytes are one document
        self.ends: dict[str, str] = {}

    def send(self, case: Case) -> None:
        """Upload one; note the code where the API itself refuses it."""
        answer = self._http.post("/v1/documents", files={"file": (case.name, case.make())})
        assert answer.status_code < 500, (case.name, answer.text)
        if answer.is_success:
            self._sent.append((answer.json()[0]["id"], case.name))
        else:
            self.ends[case.name] = answer.json()["code"]

    def wait(self, until: float, every_s: float = 0.5) -> None:
        """Wait until each of them has ended."""
        while waiting := [(id_, name) for id_, name in self._sent if name not in self.ends]:
            assert time.monotonic() < until, f"no end in sight: {[name for _, name in waiting]}"
            time.sleep(every_s)
            for id_, name in waiting:
                document = self._http.get(f"/v1/documents/{id_}").json()
                if document["status"] in ENDS:
                    is_failed = document["status"] == "failed"
                    self.ends[name] = document["error"]["code"] if is_failed else document["status"]

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def found(self, query: str) -> list[str]:
        """The texts that a search finds."""
        found = self._http.post("/v1/search", json={"query": query, "top_k": 50}).json()
        return [passage["text"] for passage in found["passages"]]


@dataclass
class Run:
    """The files of a folder, sent one after another: how each ended, in how many seconds, read by which processes."""

    outcomes: Outcomes
    worker: psutil.Process
    took_s: dict[str, float] = field(default_factory=dict)
    children: set[int] = field(default_factory=set)
    false: list[str] = field(default_factory=list)
    unjudged: int = 0

    def send(self, name: str, path: Path) -> None:
        """Send one and see its end."""
        begun_s = time.monotonic()
        # The whole path as a name tells equal names of different folders apart.
        self.outcomes.send(case(name.replace("/", " "), path.read_bytes))
        self.outcomes.wait(begun_s + ONE_S, every_s=0.05)
        self.took_s[name] = time.monotonic() - begun_s
        self.children |= parser_children(self.worker)
        self._judge(name, path, self.outcomes.ends[name.replace("/", " ")])

    def _judge(self, name: str, path: Path, end: str) -> None:
        ends = true_ends(path)
        if ends is None:
            self.unjudged += 1
        elif end not in ends | SPENT:
            self.false.append(f"{name}: {end}, not {' or '.join(sorted(ends))}")

    def table(self) -> str:
        """Ends by folder, the slowest files, and what became of the processes that read them."""
        ends = {name: self.outcomes.ends[name.replace("/", " ")] for name in self.took_s}
        by_folder = Counter((str(Path(name).parent), end) for name, end in ends.items())
        slowest = sorted(self.took_s.items(), key=lambda one: -one[1])[:SLOWEST]
        deaths = sum(end in DEATHS for end in ends.values())
        return "\n".join(
            [f"{count:6} {folder}: {end}" for (folder, end), count in sorted(by_folder.items())]
            + [f"{seconds:6.1f} s {name}: {ends[name]}" for name, seconds in slowest]
            + [f"FALSE {one}" for one in self.false]
            + [f"{len(self.false)} false ends, {self.unjudged} files of types that are not judged"]
            + [f"{len(ends)} files in {sum(self.took_s.values()):.0f} s"]
            + [f"{deaths} ended by a death of the process that read them; {len(self.children)} such processes\n"]
        )


def wait_for_note(service: Service, text: str) -> None:
    """Upload an ordinary text and see it read."""
    note = service.settings.data_dir.parent / "Памятка.txt"
    note.write_text(text, encoding="utf-8")
    (document,) = service.upload(note, replace=True)
    assert service.wait_for_end(document.id).status == READY


def parser_children(worker: psutil.Process) -> set[int]:
    """The processes in which the worker has files read, as far as they live now."""
    with suppress(psutil.Error):
        return {child.pid for child in worker.children() if "ingest.parser_child" in child.cmdline()}
    return set()


def main() -> None:
    """Entry point; exit code 1 when a process died or an end is false."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    root = parser.parse_args().folder
    files = sorted(path for path in root.rglob("*") if path.is_file())
    with (
        tempfile.TemporaryDirectory() as folder,
        Service(Path(folder) / "data", ("api", "worker"), **LIMITS) as service,
    ):
        wait_for_note(service, "Обеденный перерыв длится час.")
        pids = [service.pid(name) for name in ("api", "worker")]
        run = Run(Outcomes(service), psutil.Process(service.pid("worker")))
        for path in files:
            run.send(str(path.relative_to(root)), path)
        is_alive = [service.is_running(name) for name in ("api", "worker")] == [True, True]
        is_same = is_alive and [service.pid(name) for name in ("api", "worker")] == pids
        wait_for_note(service, "Парковочные места распределяет комендант.")
    sys.stdout.write(run.table())
    sys.stdout.write(f"processes {'the same' if is_same else 'DIED'}\n")
    sys.exit(not is_same or bool(run.false))


if __name__ == "__main__":
    main()
