"""Hostile files sent through the real service, for tests and for a run over a whole folder.

`python -m tests.hostile_run FOLDER` uploads every file below the folder and prints how they ended.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from cli.documents import ENDS
from tests.hostile_case import READY, Case, case
from tests.service import Service

MIB = 2**20
ALL_S = 900.0  # a machine that others use too
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


@contextmanager
def lure() -> Iterator[tuple[str, list[object]]]:
    """An address that no file may make anybody ask, and who asked all the same."""
    heard: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                heard.append(address)
                connection.close()

        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/lure", heard


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

    def wait(self, until: float) -> None:
        """Wait until each of them has ended."""
        while waiting := [(id_, name) for id_, name in self._sent if name not in self.ends]:
            assert time.monotonic() < until, f"no end in sight: {[name for _, name in waiting]}"
            time.sleep(0.5)
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


def wait_for_note(service: Service, text: str) -> None:
    """Upload an ordinary text and see it read."""
    note = service.settings.data_dir.parent / "Памятка.txt"
    note.write_text(text, encoding="utf-8")
    (document,) = service.upload(note, replace=True)
    assert service.wait_for_end(document.id).status == READY


def main() -> None:
    """Entry point; exit code 1 when a process died."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    files = sorted(path for path in parser.parse_args().folder.rglob("*") if path.is_file())
    with (
        tempfile.TemporaryDirectory() as folder,
        Service(Path(folder) / "data", ("api", "worker"), **LIMITS) as service,
    ):
        wait_for_note(service, "Обеденный перерыв длится час.")
        pids = [service.pid(name) for name in ("api", "worker")]
        outcomes, begun_s = Outcomes(service), time.monotonic()
        for number, path in enumerate(files):
            outcomes.send(case(f"{number} {path.name}", path.read_bytes))
        outcomes.wait(time.monotonic() + 3600)
        is_alive = [service.is_running(name) for name in ("api", "worker")] == [True, True]
        is_same = is_alive and [service.pid(name) for name in ("api", "worker")] == pids
        wait_for_note(service, "Парковочные места распределяет комендант.")
    for end, count in Counter(outcomes.ends.values()).most_common():
        sys.stdout.write(f"{count:6} {end}\n")
    took_s = time.monotonic() - begun_s
    sys.stdout.write(f"{len(files)} files in {took_s:.0f} s, processes {'the same' if is_same else 'DIED'}\n")
    sys.exit(not is_same)


if __name__ == "__main__":
    main()
