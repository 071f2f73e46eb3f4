"""The crasher: clients and deaths by a seed, against the whole service with its real models.

`CRASH_S` and `CRASH_SEED` set how long and which; `make crash` runs the same by hand.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from tests.crash_ledger import Ledger
from tests.crash_plan import CLIENTS, canary, steps, subject, text
from tests.crasher import crash, issued, report

SECONDS = float(os.environ.get("CRASH_S", "45"))
SEED = os.environ.get("CRASH_SEED")


@pytest.mark.real_model
@pytest.mark.crash
@pytest.mark.timeout(SECONDS + 3600)
def test_nothing_is_lost_doubled_or_returned_from_the_dead(tmp_path: Path) -> None:
    seed = int(SEED) if SEED else random.SystemRandom().randrange(10**6)
    print(f"CRASH_SEED={seed}")
    crasher = crash(tmp_path, seed, SECONDS)
    print(report(crasher))
    done = list(issued(crasher))
    assert done == list(islice(steps(seed), len(done))), "the same seed gives the same steps in the same order"
    assert crasher.checks >= 1


def test_a_seed_repeats_its_steps_and_another_gives_others() -> None:
    assert list(islice(steps(7), 500)) == list(islice(steps(7), 500)) != list(islice(steps(8), 500))


def test_a_plan_holds_every_operation_every_client_and_deaths_of_every_part() -> None:
    plan = list(islice(steps(3), 2000))
    assert {step.action for step in plan} == {"replace", "again", "delete", "search", "ask", "kill"}
    assert {step.client for step in plan} == set(range(-1, CLIENTS))
    kills = Counter((step.name, step.fault.partition("@")[0]) for step in plan if step.action == "kill")
    assert {fault for _, fault in kills} == {"", *(f"K{n}" for n in range(1, 10))}
    assert {part for part, _ in kills} == {"api", "worker", "llm"}


def test_editions_share_their_subject_and_nothing_else() -> None:
    assert subject("a") in text("a", 1)
    assert canary("a", 1) in text("a", 1)
    assert canary("a", 2) not in text("a", 1)
    words = [canary(f"{n}", edition) for n in range(100) for edition in range(20)]
    assert len(set(words)) == len(words)


class TestLedger:
    """The model itself sees what it is there to see."""

    def test_a_lost_upload(self) -> None:
        ledger = Ledger()
        ledger.take("a", 1, "id1")
        with pytest.raises(AssertionError, match="I1"):
            ledger.settle("a", {})

    def test_a_document_nobody_uploaded(self) -> None:
        ledger = Ledger()
        ledger.take("a", 1, "id1")
        with pytest.raises(AssertionError, match="I1"):
            ledger.settle("a", {"id1": "ready", "id2": "ready"})

    def test_an_edition_that_should_have_given_way(self) -> None:
        ledger = Ledger()
        ledger.take("a", 1, "id1")
        ledger.take("a", 2, "id2")
        assert ledger.settle("a", {"id2": "ready"}) == 2
        with pytest.raises(AssertionError, match="I4"):
            ledger.see("a", text("a", 1))

    def test_an_edition_that_failed_leaves_the_one_before(self) -> None:
        ledger = Ledger()
        ledger.take("a", 1, "id1")
        ledger.take("a", 2, "id2")
        assert ledger.settle("a", {"id1": "ready", "id2": "failed"}) == 1

    def test_deleted_text_that_is_returned(self) -> None:
        ledger = Ledger()
        ledger.take("a", 1, "id1")
        ledger.delete("a")
        with pytest.raises(AssertionError, match="I4"):
            ledger.see("a", text("a", 1))
        ledger.take("a", 2, "id2")
        ledger.see("a", text("a", 2))

    def test_old_and_new_text_at_once(self) -> None:
        ledger = Ledger()
        ledger.take("a", 1, "id1")
        ledger.take("a", 2, "id2")
        with pytest.raises(AssertionError, match="at once"):
            ledger.see("a", text("a", 1) + text("a", 2))

    def test_old_text_after_the_new_was_seen(self) -> None:
        ledger = Ledger()
        ledger.take("a", 1, "id1")
        ledger.take("a", 2, "id2")
        ledger.see("a", text("a", 1))
        ledger.see("a", text("a", 2))
        with pytest.raises(AssertionError, match="is gone"):
            ledger.see("a", text("a", 1))

    def test_the_same_bytes_as_two_documents(self) -> None:
        ledger = Ledger()
        ledger.take("a", 1, "id1")
        with pytest.raises(AssertionError, match="another document"):
            ledger.take("a", 1, "id2")
