"""What lies between the thread that prepares documents and the one that embeds them: little, so that little is lost."""

from __future__ import annotations

import threading
from collections import deque

from ingest.pipeline import Prepared


class Buffer:
    """Prepared documents, first in, first out. Bounded by passages, because documents differ a thousandfold."""

    def __init__(self, max_passages: int, max_documents: int) -> None:
        self._max_passages = max_passages
        self._max_documents = max_documents
        self._waiting: deque[Prepared] = deque()
        self._in_hand = 0
        self._changed = threading.Condition()

    def put(self, prepared: Prepared) -> None:
        """Add a document, waiting while there are enough; one that is large by itself is let in when none waits."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting or self._has_room(prepared))
            self._waiting.append(prepared)
            self._changed.notify_all()

    def take(self, passages: int, *, timeout_s: float) -> list[Prepared]:
        """Take the oldest documents up to `passages` in all, but at least one; none when none came in time.

        The taker calls `done` when it has dealt with them.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, timeout=timeout_s)
            taken: list[Prepared] = []
            while self._waiting and (not taken or _size(taken) + len(self._waiting[0].chunks) <= passages):
                taken.append(self._waiting.popleft())
            self._in_hand += len(taken)
            self._changed.notify_all()
            return taken

    def done(self, documents: int) -> None:
        """Note that so many taken documents are at their end."""
        with self._changed:
            self._in_hand -= documents
            self._changed.notify_all()

    def drain(self) -> None:
        """Wait until every document that was put is at its end."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._in_hand)

    def _has_room(self, prepared: Prepared) -> bool:
        is_short = len(self._waiting) < self._max_documents
        return is_short and _size(self._waiting) + len(prepared.chunks) <= self._max_passages


def _size(documents: deque[Prepared] | list[Prepared]) -> int:
    return sum(len(prepared.chunks) for prepared in documents)
