"""Hostile files through the real API and the real worker: none kills it, none hangs, each ends for a true reason."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest

from cli.documents import ENDS
from tests.hostile_case import PARTIAL, READY, SENTENCE, Case
from tests.hostile_files import hostile_cases
from tests.service import Service

MIB = 2**20
ALL_S = 900.0  # a machine that others use too; about two minutes of two idle cores
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
GROWTH_MAX_BYTES = 400 * MIB

pytestmark = pytest.mark.real_model


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


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Case], Outcomes, dict[str, object]]]:
    with lure() as (url, heard):
        cases = [case for case in hostile_cases(url) if not case.needs or shutil.which(case.needs)]
        with Service(tmp_path_factory.mktemp("hostile") / "data", ("api", "worker"), **LIMITS) as service:
            wait_for_note(service, "Обеденный перерыв длится час.")  # after it the models are in memory
            worker, api = (psutil.Process(service.pid(name)) for name in ("worker", "api"))
            before = {"pids": (worker.pid, api.pid), "bytes": worker.memory_info().rss}
            outcomes = Outcomes(service)
            for case in cases:
                outcomes.send(case)
            outcomes.wait(time.monotonic() + ALL_S)
            after = {
                "before": before,
                "pids": (service.pid("worker"), service.pid("api")),
                "is_running": service.is_running("worker") and service.is_running("api"),
                "bytes": worker.memory_info().rss,
                "children": [child.name() for child in worker.children(recursive=True)],
                "heard": heard,
            }
            yield cases, outcomes, after | {"service": service}


def test_each_file_ends_for_a_reason_that_is_true_of_it(tried) -> None:
    cases, outcomes, _after = tried
    assert len(cases) >= 250
    false = {case.name: (outcomes.ends[case.name], sorted(case.ends)) for case in cases if not is_true(case, outcomes)}
    assert false == {}


def is_true(case: Case, outcomes: Outcomes) -> bool:
    return outcomes.ends[case.name] in case.ends


def test_the_worker_and_the_api_live_on_and_hold_no_more_memory(tried) -> None:
    _cases, _outcomes, after = tried
    assert after["is_running"]
    assert after["pids"] == after["before"]["pids"]
    assert after["bytes"] - after["before"]["bytes"] < GROWTH_MAX_BYTES


def test_no_file_made_anybody_ask_another_address_or_read_another_file(tried) -> None:
    _cases, outcomes, after = tried
    assert after["heard"] == []
    assert not any("root:" in text for query in ("root x bin bash", "file entity") for text in outcomes.found(query))


def test_an_ordinary_document_is_read_and_found_after_all_of_them(tried) -> None:
    _cases, outcomes, after = tried
    wait_for_note(after["service"], "Парковочные места распределяет комендант Лукошкин по вторникам.")
    assert "Лукошкин" in outcomes.found("кто распределяет парковочные места")[0]


def test_the_files_of_every_kind_are_there(tried) -> None:
    cases, outcomes, _after = tried
    ends = set(outcomes.ends.values())
    assert {READY, PARTIAL, "damaged", "forbidden_xml", "too_many_pages", "too_large_unpacked", "encrypted"} <= ends
    assert any(SENTENCE.strip() in text for text in outcomes.found("Order 417 vacation Tver"))
    assert len(cases) == len(outcomes.ends)
