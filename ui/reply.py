"""An answer on its way. It belongs to the visitor's session, not to one run of the script: clicks do not end it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from core.types import Interpretation
from ui.client import UNREACHED
from ui.wire import Answered, ClientError, Event, Found, Queued, Sources, Token

logger = logging.getLogger(__name__)

UNWATCHED_S = 180.0
BROKEN = ClientError("broken_stream", "Ответ оборвался на полуслове. Задайте вопрос ещё раз.")


@dataclass(frozen=True, slots=True)
class ReplyState:
    """All that is known so far. `answer` is set once the whole answer is there, `error` when there will be none."""

    text: str = ""
    queued: Queued | None = None
    passages: tuple[Found, ...] | None = None
    interpretation: Interpretation | None = None
    answer: Answered | None = None
    error: ClientError | None = None
    stopped: bool = False

    @property
    def is_over(self) -> bool:
        """Nothing more will come."""
        return self.stopped or self.answer is not None or self.error is not None


def advance(state: ReplyState, event: Event) -> ReplyState:
    """Fold one event into the state."""
    match event:
        case Queued():
            return replace(state, queued=event)
        case Sources(passages, interpretation):
            return replace(state, queued=None, passages=passages, interpretation=interpretation)
        case Token(text):
            return replace(state, queued=None, text=state.text + text)
        case Answered():
            return replace(state, queued=None, text=event.answer, answer=event)


class Reply:
    """Reads a stream of events in a thread of its own; `state` is a whole snapshot at any moment.

    `stop` closes the connection, which is how the service learns that nobody waits. The same happens
    when `state` has not been looked at for `unwatched_s` seconds: the tab was closed.
    """

    def __init__(self, events: Callable[[], AsyncIterator[Event]], *, unwatched_s: float = UNWATCHED_S) -> None:
        self._events = events
        self._unwatched_s = unwatched_s
        self._state = ReplyState()
        self._seen_s = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="reply", daemon=True)
        self._thread.start()

    @property
    def state(self) -> ReplyState:
        """The snapshot; looking at it keeps the reply alive."""
        self._seen_s = time.monotonic()
        return self._state

    def stop(self) -> None:
        """Close the stream and keep what has come. Returns when the connection is closed."""
        self._stopping.set()
        self._thread.join(timeout=2.0)

    async def _run(self) -> None:
        reading = asyncio.create_task(self._read())
        while not reading.done():
            await asyncio.wait([reading], timeout=0.1)
            if self._stopping.is_set() or time.monotonic() - self._seen_s > self._unwatched_s:
                reading.cancel()
        if not self._state.is_over:
            self._state = replace(self._state, queued=None, stopped=True)

    async def _read(self) -> None:
        try:
            async for event in self._events():
                self._state = advance(self._state, event)
            if not self._state.is_over:
                self._state = replace(self._state, error=BROKEN)
        except ClientError as exc:
            # Beside half an answer it matters first that it is half.
            is_cut = bool(self._state.text) and exc.code in UNREACHED
            self._state = replace(self._state, queued=None, error=BROKEN if is_cut else exc)
        except Exception:
            logger.exception("reply failed")
            self._state = replace(self._state, queued=None, error=BROKEN)
