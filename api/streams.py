"""Streaming responses that hold a turn at the model."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.turns import Turn, TurnQueue


class TurnStream(StreamingResponse):
    """Server-sent events that give their turn back however they end, even before the first byte."""

    def __init__(self, events: AsyncIterator[bytes], queue: TurnQueue, turn: Turn) -> None:
        # Proxies must hand events on as they come.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._queue = queue
        self._turn = turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send, then leave the queue."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._queue.leave(self._turn)
