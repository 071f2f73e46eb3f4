"""Who may use the model now, and how long the others wait: a bounded queue that everybody can see."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from core.errors import TooManyRequests, TryLater

FIRST_ESTIMATE_S = 5.0
LATEST_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How many answers are made at once, how many questions may wait and how long, and one caller's share."""

    slots: int
    waiting_max: int
    wait_max_s: float
    per_caller_max: int


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the queue: 1 is next. `eta_s` is the expected wait."""

    position: int
    eta_s: int


class TurnQueue:
    """First come, first served; what nobody waits for stands aside. Lives in one event loop; not for threads."""

    def __init__(
        self, limits: QueueLimits, clock: Callable[[], float], model_is_up: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """`model_is_up` waits, so long as is reasonable, for a model that is being started again."""
        self.model_is_up = model_is_up
        self._limits = limits
        self._clock = clock
        self._waiting: deque[Turn] = deque()
        self._running: set[Turn] = set()
        self._aside: deque[Turn] = deque()
        self._answer_s = FIRST_ESTIMATE_S
        self._is_guess = True

    def enter(self, caller: str) -> Turn:
        """Take a place; the turn is used as an async context manager, which gives it back.

        Raises `TooManyRequests` when this caller has its share already, `TryLater` when the queue is full.
        """
        mine = sum(turn.caller == caller and not turn.is_aside for turn in (*self._waiting, *self._running))
        if mine >= self._limits.per_caller_max:
            raise TooManyRequests(
                "too_many_questions",
                f"Вы уже задали {mine} вопр. и ещё не получили ответов. Дождитесь их и повторите.",
                retry_after_s=_whole(self._first_answer_s(caller)),
            )
        turn = Turn(self, caller)
        if len(self._running) < self._limits.slots and not self._waiting:
            self._start(turn)
            return turn
        if len(self._waiting) >= self._limits.waiting_max or self._wait_s(len(self._waiting)) > self._limits.wait_max_s:
            raise TryLater(
                "queue_full",
                "Сейчас слишком много вопросов. Повторите позже.",
                retry_after_s=_whole(self._wait_s(1)),
            )
        turn.was_queued = True
        self._waiting.append(turn)
        return turn

    def wait_aside(self, caller: str) -> Turn:
        """Take a turn that comes only when no question waits, for work that no person waits for. Never refused."""
        turn = Turn(self, caller, is_aside=True)
        self._aside.append(turn)
        self._start_next()
        return turn

    @property
    def waiting(self) -> int:
        """How many questions wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many answers are being made."""
        return len(self._running)

    def place(self, turn: Turn) -> Place | None:
        """Return where a turn stands; None when it has come."""
        if turn in self._running:
            return None
        position = [*self._waiting, *self._aside].index(turn) + 1
        return Place(position, _whole(self._wait_s(position)))

    def leave(self, turn: Turn, *, is_whole: bool = False) -> None:
        """Give a turn back, whether it came or not; the next one starts. `is_whole`: an answer was made in it."""
        if turn in self._running:
            self._running.remove(turn)
            self._learn(self._clock() - turn.started_at, is_whole=is_whole)
        elif turn in self._waiting:
            self._waiting.remove(turn)
        elif turn in self._aside:
            self._aside.remove(turn)
        self._start_next()
        for other in (*self._waiting, *self._aside):
            other.moved.set()

    def _learn(self, spent_s: float, *, is_whole: bool) -> None:
        # Who left early says nothing of how long an answer takes, unless it took longer already.
        if is_whole or spent_s > self._answer_s:
            self._answer_s += (1.0 if self._is_guess else LATEST_SHARE) * (spent_s - self._answer_s)
            self._is_guess = False

    def _start_next(self) -> None:
        for line in (self._waiting, self._aside):
            while line and len(self._running) < self._limits.slots:
                self._start(line.popleft())

    def _start(self, turn: Turn) -> None:
        turn.started_at = self._clock()
        self._running.add(turn)
        turn.moved.set()

    def _wait_s(self, position: int) -> float:
        """Seconds until the turn of that position comes; what is under way has been for a while."""
        now_s = self._clock()
        left_s = sum(max(0.0, self._answer_s - (now_s - turn.started_at)) for turn in self._running)
        return max(0.0, left_s + self._answer_s * (position - 1)) / self._limits.slots

    def _first_answer_s(self, caller: str) -> float:
        """Seconds until the first of this caller's questions has its answer."""
        if any(turn.caller == caller for turn in self._running):
            return self._wait_s(1)
        position = next(at for at, turn in enumerate(self._waiting, start=1) if turn.caller == caller)
        return self._wait_s(position) + self._answer_s


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))


class Turn:
    """One question's place. `async for place in turn` tells each move until its turn has come."""

    def __init__(self, queue: TurnQueue, caller: str, *, is_aside: bool = False) -> None:
        self.caller = caller
        self.is_aside = is_aside
        self.was_queued = is_aside
        self.started_at = 0.0
        self.moved = asyncio.Event()
        self._queue = queue

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.leave(self, is_whole=kind is None)

    async def __aiter__(self) -> AsyncIterator[Place]:
        while (place := self._queue.place(self)) is not None:
            self.moved.clear()
            yield place
            await self.moved.wait()
        # The model may have died of the question before: whoever stood behind it is not to fail for that.
        if self.was_queued and self._queue.model_is_up is not None:
            await self._queue.model_is_up()

    async def come(self) -> None:
        """Wait until it is this one's turn."""
        async for _ in self:
            pass
