"""How many uploads are received at once: each holds a thread for as long as its sender takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import CapacityLimiter

from core.errors import TryLater

T = TypeVar("T")
RETRY_AFTER_S = 30


class UploadDesk:
    """Threads for uploads alone, so that slow senders keep nobody else waiting. Lives in one event loop."""

    def __init__(self, size: int, *, wait_max_s: float) -> None:
        """Receive `size` uploads at once; the next waits `wait_max_s` at most."""
        self._free = asyncio.Semaphore(size)
        self._wait_max_s = wait_max_s
        self._size = size
        self._threads: CapacityLimiter | None = None

    async def run(self, receive: Callable[[], T]) -> T:
        """Run `receive` in a thread of its own; raise `TryLater` when none came free in time."""
        if self._threads is None:
            self._threads = CapacityLimiter(self._size)  # belongs to the loop that it is made in
        try:
            async with asyncio.timeout(self._wait_max_s):
                await self._free.acquire()
        except TimeoutError:
            raise TryLater(
                "too_many_uploads",
                "Сейчас принимается слишком много файлов. Повторите загрузку через полминуты.",
                retry_after_s=RETRY_AFTER_S,
            ) from None
        try:
            return await anyio.to_thread.run_sync(receive, limiter=self._threads)
        finally:
            self._free.release()
