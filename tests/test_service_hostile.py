"""Hostile files through the real API and the real worker: none kills it, none hangs, each ends for a true reason."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.hostile_case import PARTIAL, READY, SENTENCE, Case
from tests.hostile_files import hostile_cases
from tests.hostile_run import ALL_S, GROWTH_MAX_BYTES, LIMITS, Outcomes, wait_for_note
from tests.lure import Lure
from tests.service import Service

pytestmark = pytest.mark.real_model


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Case], Outcomes, dict[str, object]]]:
    with Lure() as lure:
        cases = [case for case in hostile_cases(lure.url) if not case.needs or shutil.which(case.needs)]
        with Service(tmp_path_factory.mktemp("hostile") / "data", ("api", "worker"), **LIMITS) as service:
            # After a long text the models are in memory, with room for as many passages as are embedded together.
            wait_for_note(service, " ".join(f"Пункт {n}: перерыв длится {n} минут." for n in range(6000)))
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
                "heard": lure.heard,
            }
            yield cases, outcomes, after | {"service": service}
            outcomes.close()


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
