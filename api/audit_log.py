"""Writes down who searched, asked and opened, off the path of the request: reading must not wait for a writer."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from core.errors import ServiceError, TryLater
from core.types import Principal, Reach
from retrieval.store import audit, policies
from retrieval.store.audit import Action, Event
from retrieval.store.database import Database

log = logging.getLogger(__name__)

WAITING_MAX = 10_000
BATCH_S = 0.2  # events of this time are one transaction
RETRY_S = 1.0
FLUSH_S = 5.0
CLOSE_S = 5.0
RETRY_AFTER_S = 10


class AuditLog:
    """A bounded queue and the thread that empties it; what changes the base is written with that change instead.

    An event is lost only when the process is killed within the moment before it is written. While none can be
    written (disk full, database locked) they wait; when too many do, `note` refuses, and so the request is.
    """

    def __init__(self, database: Database, clock: Callable[[], float], *, keeps_questions: bool = False) -> None:
        """`clock` gives seconds since the epoch; without `keeps_questions` no text of a question is written."""
        self.clock = clock
        self.keeps_questions = keeps_questions
        self._database = database
        self._waiting: queue.Queue[Event | None] = queue.Queue(WAITING_MAX)
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def note(self, event: Event) -> None:
        """Have an event written soon; raise `TryLater` when too many wait."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            raise TryLater(
                "audit_stuck",
                "Журнал доступа не записывается (на диске нет места или база занята), поэтому запрос не выполнен. "
                "Сообщите администратору.",
                retry_after_s=RETRY_AFTER_S,
            ) from None

    def note_refusal(self, reason: str, address: str) -> None:
        """Have a refused sign-in written; when too many events wait, it is not: it was refused anyway."""
        try:
            self._waiting.put_nowait(
                Event(self.clock(), "", Action.SIGN_IN_REFUSED, detail={"reason": reason}, address=address)
            )
        except queue.Full:
            log.warning("a refused sign-in was not written down")

    def is_masked(self, principal: Principal, collection: str | None) -> bool:
        """Whether what a question is asked of hides personal data, which the question may then name."""
        reach = principal.reads if collection is None else Reach(frozenset({collection}))
        with self._database.read() as conn:
            return policies.is_any_masked(conn, reach)

    def flush(self) -> None:
        """Wait until what was noted before is written, a few seconds at most."""
        deadline = time.monotonic() + FLUSH_S
        while self._waiting.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(BATCH_S / 10)

    def close(self) -> None:
        """Write what waits and end the thread."""
        self._is_closing.set()
        try:
            self._waiting.put(None, timeout=CLOSE_S)
        except queue.Full:
            log.critical("the audit log is stuck: %d events are lost", self._waiting.qsize())
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        is_over = False
        while not is_over:
            batch = [self._waiting.get()]
            if batch[0] is not None:
                self._is_closing.wait(BATCH_S)
            while not self._waiting.empty():
                batch.append(self._waiting.get())
            is_over = None in batch
            self._write([event for event in batch if event is not None])
            for _ in batch:
                self._waiting.task_done()

    def _write(self, events: list[Event]) -> None:
        while True:
            try:
                with self._database.write() as conn:
                    audit.write(conn, _merged(events))
            except ServiceError as exc:
                log.warning("the audit log waits for the database: %s", exc.code)
                if self._is_closing.wait(RETRY_S):
                    log.critical("the audit log lost %d events", len(events))
                    return
            else:
                return


def _merged(events: list[Event]) -> list[Event]:
    """Equal refusals of one moment as one event with their number: a flood of bad keys must not fill the disk."""
    refusals = [event for event in events if event.action is Action.SIGN_IN_REFUSED]
    counts = Counter((event.detail["reason"], event.address) for event in refusals)
    first = {(event.detail["reason"], event.address): event for event in reversed(refusals)}
    kept = [event for event in events if event.action is not Action.SIGN_IN_REFUSED]
    for which, event in first.items():
        kept.append(replace(event, detail={**event.detail, "times": str(counts[which])}))
    return sorted(kept, key=lambda event: event.at)


@dataclass(frozen=True, slots=True)
class Witness:
    """One request's caller, who tells the log what they did."""

    principal: Principal
    address: str
    log: AuditLog = field(repr=False)

    def note(self, action: Action, what: str = "", **detail: str) -> None:
        """Have it written soon; what changes the base is written by `event` and `audit.write` with the change."""
        self.log.note(self.event(action, what, **detail))

    def note_question(self, action: Action, question: str, what: str = "", *, collection: str | None = None) -> None:
        """Note a question or a search, its text only where the log is to keep it and nothing asked may hide any.

        Without a `collection` all that the caller reads is asked.
        """
        keeps = self.log.keeps_questions and not self.log.is_masked(self.principal, collection)
        self.note(action, what, **({"question": question} if keeps else {}))

    def event(self, action: Action, what: str = "", **detail: str) -> Event:
        """Return the event, for the transaction of the change."""
        return Event(self.log.clock(), self.principal.name, action, what, detail, self.address)
