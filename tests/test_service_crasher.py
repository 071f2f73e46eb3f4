"""The crasher: clients and deaths by a seed, against the whole service with its real models.

`CRASH_S` and `CRASH_SEED` set how long and which; `make crash` runs the same by hand.
"""

from __future__ import annotations

import os
import random
import time
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
def test_nothing_is_lost_doubled_or_returned_from_the_dead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(SEED) if SEED else random.SystemRandom().randrange(10**6)
    with capsys.disabled():  # a run that passed, or that the machine cut short, can be replayed too
        print(f"\nCRASH_SEED={seed}")
    crasher = crash(tmp_path, seed, SECONDS)
    with capsys.disabled():
        print(report(crasher), end="")
    done = list(issued(crasher))
    assert done == list(islice(steps(seed), len(done))), "the same seed gives the same steps in the same order"
    assert crasher.checks >= 1


def test_a_seed_repeats_its_steps_and_another_gives_others() -> None:
    assert list(islice(steps(7), 500)) == list(islice(steps(7), 500)) != list(islice(steps(8), 500))


def test_a_plan_holds_every_operation_every_client_and_deaths_of_every_part() -> None:
    plan = list(islice(steps(3), 2000))
    assert {step.action for step in plan} == {"replace", "upload", "again", "delete", "search", "ask", "kill"}
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

    @pytest.fixture
    def ledger(self) -> Ledger:
        return Ledger()

    def test_a_lost_upload(self, ledger: Ledger) -> None:
        ledger.take("a", 1, "id1")
        with pytest.raises(AssertionError, match="I1"):
            ledger.settle("a", {})

    def test_a_document_nobody_uploaded(self, ledger: Ledger) -> None:
        ledger.take("a", 1, "id1")
        with pytest.raises(AssertionError, match="I1"):
            ledger.settle("a", {"id1": "ready", "id2": "ready"})

    def test_an_edition_that_should_have_given_way(self, ledger: Ledger) -> None:
        replace(ledger, 1, 2)
        assert ledger.settle("a", {"id2": "ready"}) == [2]
        with pytest.raises(AssertionError, match="I4"):
            hear(ledger, 1)

    def test_an_edition_that_failed_leaves_the_one_before(self, ledger: Ledger) -> None:
        replace(ledger, 1, 2)
        assert ledger.settle("a", {"id1": "ready", "id2": "failed"}) == [1]

    def test_what_is_uploaded_beside_an_edition_stays_beside_it_until_it_is_replaced(self, ledger: Ledger) -> None:
        replace(ledger, 1)
        ledger.attempt("a", 2, replaces=False)
        ledger.take("a", 2, "id2")
        assert hear(ledger, 1, 2) == {"a": [1, 2]}
        assert ledger.settle("a", {"id1": "ready", "id2": "ready"}) == [1, 2]
        replace(ledger, 3)
        with pytest.raises(AssertionError, match="I1"):
            ledger.settle("a", {"id1": "ready", "id2": "ready", "id3": "ready"})
        with pytest.raises(AssertionError, match="I1"):
            ledger.settle("a", {"id1": "ready", "id3": "failed"})
        assert ledger.settle("a", {"id3": "ready"}) == [3]

    def test_an_edition_that_is_made_the_newest_takes_out_what_stands_beside_it(self, ledger: Ledger) -> None:
        replace(ledger, 1)
        ledger.take("a", 2, "id2")
        ledger.insist("a", 2, ["id1", "id2"])
        assert ledger.settle("a", {"id2": "ready"}) == [2]
        with pytest.raises(AssertionError, match="I4"):
            hear(ledger, 1)

    def test_deleted_text_that_is_returned(self, ledger: Ledger) -> None:
        replace(ledger, 1)
        ledger.delete("a")
        with pytest.raises(AssertionError, match="I4"):
            hear(ledger, 1)
        replace(ledger, 2)
        assert hear(ledger, 2) == {"a": [2]}

    def test_deleted_text_in_an_answer_about_another_document_unless_it_was_asked_before(self, ledger: Ledger) -> None:
        replace(ledger, 1)
        began = time.monotonic()
        ledger.delete("a")
        said = text("b", 1) + text("a", 1)
        assert ledger.hear(said, began=began) == {"a": [1]}
        with pytest.raises(AssertionError, match="edition 1 of a is gone"):
            ledger.hear(said, began=time.monotonic())

    def test_deleted_text_that_was_uploaded_again(self, ledger: Ledger) -> None:
        replace(ledger, 1)
        ledger.delete("a")
        replace(ledger, 1)
        assert hear(ledger, 1) == {"a": [1]}

    def test_text_of_an_upload_that_was_refused(self, ledger: Ledger) -> None:
        ledger.attempt("a", 1, replaces=True)
        ledger.refuse("a", 1)
        with pytest.raises(AssertionError, match="I4"):
            hear(ledger, 1)

    def test_old_and_new_text_at_once(self, ledger: Ledger) -> None:
        replace(ledger, 1, 2)
        with pytest.raises(AssertionError, match="at once"):
            hear(ledger, 1, 2)

    def test_old_text_after_the_new_was_seen(self, ledger: Ledger) -> None:
        replace(ledger, 1, 2)
        hear(ledger, 1)
        hear(ledger, 2)
        with pytest.raises(AssertionError, match="is gone"):
            hear(ledger, 1)

    def test_the_same_bytes_as_two_documents(self, ledger: Ledger) -> None:
        ledger.take("a", 1, "id1")
        with pytest.raises(AssertionError, match="another document"):
            ledger.take("a", 1, "id2")


def replace(ledger: Ledger, *editions: int) -> None:
    """Upload editions, one after another, each in place of what is there."""
    for edition in editions:
        ledger.attempt("a", edition, replaces=True)
        ledger.take("a", edition, f"id{edition}")


def hear(ledger: Ledger, *editions: int) -> dict[str, list[int]]:
    """Let a request that begins now return these editions."""
    return ledger.hear("".join(text("a", edition) for edition in editions), began=time.monotonic())
