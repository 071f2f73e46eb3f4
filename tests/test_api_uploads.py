"""How many uploads are received at once, and what becomes of the others."""

from __future__ import annotations

import asyncio
import threading

import anyio
import pytest

from api.uploads import UploadDesk
from core.errors import TryLater


async def test_uploads_have_threads_of_their_own() -> None:
    anyio.to_thread.current_default_thread_limiter().total_tokens = 1
    desk, free = UploadDesk(3, wait_max_s=5), threading.Event()
    held = [asyncio.create_task(desk.run(free.wait)) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert await asyncio.wait_for(anyio.to_thread.run_sync(lambda: "served"), 2) == "served"
    free.set()
    assert all(await asyncio.gather(*held))


async def test_one_too_many_waits_and_is_refused_in_the_end() -> None:
    desk, free = UploadDesk(1, wait_max_s=0.2), threading.Event()
    held = asyncio.create_task(desk.run(free.wait))
    await asyncio.sleep(0.05)
    with pytest.raises(TryLater, match="too_many_uploads") as refused:
        await desk.run(lambda: None)
    assert refused.value.retry_after_s > 0
    free.set()
    await held
    assert await desk.run(lambda: "taken") == "taken"


async def test_an_upload_that_fails_makes_room() -> None:
    desk = UploadDesk(1, wait_max_s=0.2)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await desk.run(lambda: 1 // 0)
    assert await desk.run(lambda: "taken") == "taken"
