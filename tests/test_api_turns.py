"""The queue before the model: order, limits, shares, and turns that are always given back."""

from __future__ import annotations

import asyncio
import time

import pytest

from api.turns import Place, QueueLimits, TurnQueue
from core.errors import TooManyRequests, TryLater
from generation import language_model
from generation.language_model import LanguageModel, ModelServer


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def queue(clock: Clock | None = None, **limits: float) -> TurnQueue:
    values = {"slots": 1, "waiting_max": 3, "wait_max_s": 60, "per_caller_max": 9} | limits
    return TurnQueue(QueueLimits(**values), clock or Clock())  # type: ignore[arg-type]


async def test_turns_come_in_the_order_of_arrival_and_each_move_is_told() -> None:
    turns = queue()
    first, second, third = (turns.enter(name) for name in "abc")
    seen: list[Place] = []

    async def wait() -> None:
        async for place in third:
            seen.append(place)

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    assert turns.place(first) is None
    assert turns.place(second) == Place(1, 5)
    turns.leave(first)
    await asyncio.sleep(0)
    turns.leave(second)
    await asyncio.wait_for(waiting, 1)
    assert [place.position for place in seen] == [2, 1]


async def test_a_full_queue_says_when_to_come_back() -> None:
    turns = queue(waiting_max=1)
    turns.enter("a")
    turns.enter("b")
    with pytest.raises(TryLater, match="queue_full") as caught:
        turns.enter("c")
    assert caught.value.retry_after_s >= 1


async def test_a_wait_that_would_be_too_long_is_refused_by_measured_time() -> None:
    clock = Clock()
    turns = queue(clock, waiting_max=20, wait_max_s=60)
    for _ in range(20):
        slow = turns.enter("a")
        clock.now += 40
        turns.leave(slow)
    turns.enter("a")
    turns.enter("b")
    turns.enter("c")
    with pytest.raises(TryLater):
        turns.enter("d")


async def test_one_caller_cannot_take_the_queue_from_the_others() -> None:
    turns = queue(per_caller_max=2)
    turns.enter("a")
    turns.enter("a")
    with pytest.raises(TooManyRequests):
        turns.enter("a")
    turns.enter("b")


async def test_a_turn_is_given_back_once_whether_it_came_or_not() -> None:
    turns = queue()
    first, second = turns.enter("a"), turns.enter("b")
    turns.leave(second)
    turns.leave(second)
    turns.leave(first)
    turns.leave(first)
    assert (turns.waiting, turns.running) == (0, 0)
    async with turns.enter("c") as turn:
        await asyncio.wait_for(turn.come(), 1)
        assert turns.running == 1
    assert turns.running == 0


async def test_more_slots_answer_more_at_once() -> None:
    turns = queue(slots=2)
    a, b, c = (turns.enter(name) for name in "abc")
    assert [turns.place(turn) for turn in (a, b)] == [None, None]
    assert turns.place(c) is not None


async def test_whoever_waited_waits_for_a_model_that_is_started_again_and_keeps_the_turn() -> None:
    is_up = asyncio.Event()
    turns = TurnQueue(QueueLimits(1, 3, 60, 9), Clock(), is_up.wait)  # type: ignore[arg-type]
    first, second, third = (turns.enter(name) for name in "abc")
    await asyncio.wait_for(first.come(), 1)  # nobody was before it, so it learns at once that there is no model
    coming = [asyncio.create_task(turn.come()) for turn in (second, third)]
    turns.leave(first)
    await asyncio.sleep(0.05)
    assert [one.done() for one in coming] == [False, False]
    assert turns.place(second) is None, "its turn has come, and is kept"
    is_up.set()
    await asyncio.wait_for(coming[0], 1)
    assert not coming[1].done()
    turns.leave(second)
    await asyncio.wait_for(coming[1], 1)


async def test_a_model_that_stays_down_is_waited_for_by_one_and_not_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_model, "_RETURN_S", 0.5)
    model = LanguageModel(ModelServer("http://127.0.0.1:1/v1", "none", "prose", 4096, 100))
    spent = []
    for _ in range(5):
        began = time.monotonic()
        await model.wait_until_up()
        spent.append(time.monotonic() - began)
    await model.aclose()
    assert spent[0] >= 0.5
    assert min(spent[1:]) < 0.5


async def test_the_first_answer_replaces_the_guess_of_how_long_one_takes() -> None:
    clock = Clock()
    turns = queue(clock)
    async with turns.enter("a"):
        clock.now += 30
    turns.enter("b")
    assert turns.place(turns.enter("c")) == Place(1, 30)


async def test_what_the_running_answer_took_already_is_not_waited_for_again() -> None:
    clock = Clock()
    turns = queue(clock)
    turns.enter("a")
    clock.now += 3
    first, second = turns.enter("b"), turns.enter("c")
    assert (turns.place(first), turns.place(second)) == (Place(1, 2), Place(2, 7))
    clock.now += 60
    assert turns.place(first) == Place(1, 1), "an answer that is overdue may end at any moment"


async def test_those_who_leave_early_do_not_make_the_others_wait_seem_short() -> None:
    turns = queue()
    for _ in range(20):
        with pytest.raises(asyncio.CancelledError):
            async with turns.enter("a"):
                raise asyncio.CancelledError
    turns.enter("b")
    assert turns.place(turns.enter("c")) == Place(1, 5)


async def test_who_has_its_share_is_told_when_the_first_of_its_answers_is_due() -> None:
    turns = queue(per_caller_max=1, waiting_max=9)
    turns.enter("a")
    turns.enter("b")
    turns.enter("c")
    due_s = []
    for caller in "abc":
        with pytest.raises(TooManyRequests) as refused:
            turns.enter(caller)
        due_s.append(refused.value.retry_after_s)
    assert due_s == [5, 10, 15]
