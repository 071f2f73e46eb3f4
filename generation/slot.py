"""One slot and the queue before it: llama.cpp is entered from one thread, by one request at a time."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from core.errors import ServiceError, TryLater

log = logging.getLogger(__name__)

FIRST_GUESS_S = 10.0
OUT_OF_MEMORY = 12  # the exit code: ENOMEM

Produce = Callable[[Callable[[], bool]], Iterable[str]]


class Job:
    """A request for text: iterate to hear it, `cancel` when nobody listens any more."""

    def __init__(self, produce: Produce) -> None:
        """`produce` is called in the model's thread with a question to ask often: is this cancelled?"""
        self._produce = produce
        self._loop = asyncio.get_running_loop()
        self._said: asyncio.Queue[str | ServiceError | None] = asyncio.Queue()
        self._cancelled = threading.Event()

    async def __aiter__(self) -> AsyncIterator[str]:
        """Text as it comes, until the end; raises the `ServiceError` that the model met."""
        while (said := await self._said.get()) is not None:
            if isinstance(said, ServiceError):
                raise said
            yield said

    def cancel(self) -> None:
        """Ask the model to stop; harmless when it has already."""
        self._cancelled.set()

    def drop(self) -> None:
        """End without having run, for one who waited in vain."""
        self._said.put_nowait(TryLater("model_stopped", "Запрос снят с очереди. Повторите его.", retry_after_s=5))

    def run(self) -> None:
        """Produce, in the calling thread. Whatever breaks, the one who listens is told and the thread lives on.

        Only a lack of memory ends the process, which breaks the stream.
        """
        end: ServiceError | None = None
        try:
            for text in self._produce(self._cancelled.is_set):
                self._tell(text)
        except ServiceError as exc:
            end = exc
        except MemoryError:
            # What of the model's state is still whole cannot be known; the supervisor starts another process.
            log.critical("out of memory: this process ends")
            os._exit(OUT_OF_MEMORY)
        except Exception:
            log.exception("generation failed")
            end = TryLater("model_failed", "Модель прервала работу. Повторите вопрос.", retry_after_s=5)
        if end is not None:
            self._tell(end)
        self._tell(None)

    def _tell(self, said: str | ServiceError | None) -> None:
        self._loop.call_soon_threadsafe(self._said.put_nowait, said)


class Slot:
    """Runs jobs in order of arrival. All methods belong to the event loop; only jobs run in `executor`'s one thread."""

    def __init__(self, executor: ThreadPoolExecutor, *, queue_max: int) -> None:
        self._executor = executor
        self._queue_max = queue_max
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._started = 0.0
        self._mean_s = FIRST_GUESS_S

    @property
    def waiting(self) -> int:
        """How many requests wait for the slot."""
        return len(self._waiting)

    @property
    def is_busy(self) -> bool:
        """Whether the model works for someone."""
        return self._running is not None

    def submit(self, produce: Produce) -> Job:
        """Queue a job. Raises `TryLater` when as many wait as may."""
        if self._running and len(self._waiting) >= self._queue_max:
            raise TryLater(
                "model_busy",
                f"Модель занята, в очереди уже {len(self._waiting)}. Повторите немного позже.",
                retry_after_s=math.ceil(self._mean_s),
            )
        job = Job(produce)
        self._waiting.append(job)
        self._advance()
        return job

    def cancel(self, job: Job) -> None:
        """Take a waiting job out of the queue, or stop a running one; harmless for one that has ended."""
        job.cancel()
        if job in self._waiting:
            self._waiting.remove(job)
            job.drop()

    def close(self) -> None:
        """Drop who waits and stop who speaks."""
        while self._waiting:
            self._waiting.popleft().drop()
        if self._running:
            self._running.cancel()

    def _advance(self) -> None:
        if self._running or not self._waiting:
            return
        self._running = self._waiting.popleft()
        self._started = time.monotonic()
        future = asyncio.get_running_loop().run_in_executor(self._executor, self._running.run)
        future.add_done_callback(self._finished)

    def _finished(self, _future: asyncio.Future[None]) -> None:
        self._mean_s += 0.2 * (time.monotonic() - self._started - self._mean_s)
        self._running = None
        self._advance()
