"""What waits for a run that writes its report: the next run, a deletion, the end of the service, in any order."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api.evaluation_runs import Run, RunStatus, RunStore
from api.evaluations import Asking, Evaluations
from api.turns import QueueLimits, TurnQueue
from core.errors import TryLater
from core.types import Principal
from evaluation.report import Origin, Report
from tests.small_base import SmallBase

OWNER = Principal("owner")
WAIT_S = 60
ORIGIN = Origin(datetime(2026, 11, 20, tzinfo=UTC), "model", "encoder", "0" * 16, {}, {}, 0.0)


class HeldStore(RunStore):
    """Goes on from keeping a run, and begins to write a report, when it is let to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.is_added = threading.Event()
        self.may_begin = threading.Event()
        self.may_begin.set()
        self.is_writing = threading.Event()
        self.may_write = threading.Event()

    def add(self, run: Run, file: bytes) -> None:
        super().add(run, file)
        self.is_added.set()
        assert self.may_begin.wait(WAIT_S)

    def before(self, run: Run) -> tuple[Run, Report] | None:
        self.is_writing.set()
        assert self.may_write.wait(WAIT_S)
        return super().before(run)


class Scene:
    """A first run that writes its report, and a second one that goes on, once it is let in, until it is ended."""

    def __init__(self, folder: Path) -> None:
        async def answer(_request: object) -> None:
            raise AssertionError("no question is asked")

        queue = TurnQueue(QueueLimits(slots=1, waiting_max=3, wait_max_s=60, per_caller_max=1), time.monotonic)
        asking: Any = Asking(answer, answer, SmallBase(folder).database, queue, 6)  # type: ignore[arg-type]
        self.store = HeldStore(folder / "evaluations")
        self.first, self.second = (
            Run(f"0190000{n}-0000-7000-8000-000000000000", "a.csv", "0" * 64, None, None, 0, datetime.now(UTC))
            for n in (1, 2)
        )
        self.is_second_on = threading.Event()
        self.may_end = threading.Event()
        self.evaluations = Evaluations(self.store, asking, self._origin, time.monotonic)

    def _origin(self) -> Origin:
        if self.store.may_write.is_set():
            self.is_second_on.set()
            assert self.may_end.wait(WAIT_S)
        return ORIGIN

    async def begin(self, run: Run) -> None:
        await self.evaluations.start(run, b"pairs", (), OWNER)

    async def until(self, event: threading.Event) -> None:
        assert await asyncio.to_thread(event.wait, WAIT_S)

    async def release_to(self, *waiting: Coroutine[Any, Any, None]) -> None:
        """Let the first report be written when these, in this order, wait for it; they are all done in the end."""
        tasks = [asyncio.create_task(one) for one in waiting]
        await asyncio.sleep(0.05)
        self.store.may_write.set()
        await asyncio.wait_for(asyncio.gather(*tasks), WAIT_S)

    def status(self, run: Run) -> RunStatus:
        return self.store.get(run.id, OWNER).status


@pytest.fixture
async def scene(tmp_path: Path) -> Any:
    made = Scene(tmp_path)
    await made.begin(made.first)
    await made.until(made.store.is_writing)
    yield made
    made.may_end.set()
    await made.evaluations.aclose()


async def test_a_run_that_began_while_the_one_before_was_deleted_is_still_seen(scene: Scene) -> None:
    await scene.release_to(scene.begin(scene.second), scene.evaluations.delete(scene.first))
    await scene.until(scene.is_second_on)
    assert scene.status(scene.first) is RunStatus.DONE
    with pytest.raises(TryLater):
        scene.evaluations.require_free()
    await scene.evaluations.delete(scene.second)
    assert scene.status(scene.second) is RunStatus.STOPPED, "its folder is kept, for it was on"
    scene.evaluations.require_free()


@pytest.mark.parametrize("is_start_first", [True, False])
async def test_no_run_goes_on_after_the_end_of_the_service(scene: Scene, *, is_start_first: bool) -> None:
    waiting = [scene.begin(scene.second), scene.evaluations.aclose()]
    await scene.release_to(*(waiting if is_start_first else waiting[::-1]))
    mine = asyncio.current_task()
    assert [task for task in asyncio.all_tasks() if task is not mine and "_run" in repr(task.get_coro())] == []
    assert scene.status(scene.first) is RunStatus.DONE
    scene.evaluations.runs.recover(datetime.now(UTC))
    assert scene.status(scene.second) is RunStatus.INTERRUPTED


async def test_a_start_waits_for_a_report_that_is_being_written_and_then_goes_on(scene: Scene) -> None:
    scene.evaluations.require_free()
    await scene.release_to(scene.begin(scene.second))
    assert scene.status(scene.first) is RunStatus.DONE
    with pytest.raises(TryLater):
        scene.evaluations.require_free()


async def test_a_run_that_is_deleted_before_it_asks_never_asks(scene: Scene) -> None:
    scene.store.may_write.set()
    await scene.release_to()
    scene.store.is_added.clear()
    scene.store.may_begin.clear()
    beginning = asyncio.create_task(scene.begin(scene.second))
    await scene.until(scene.store.is_added)
    await scene.evaluations.delete(scene.second)
    scene.store.may_begin.set()
    await beginning
    assert scene.status(scene.second) is RunStatus.STOPPED
    assert not scene.is_second_on.is_set()
    scene.evaluations.require_free()
