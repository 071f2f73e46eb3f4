"""A plain model in memory of what should be there: what was taken in, what was deleted, what was already seen."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from tests.crash_plan import canary


@dataclass(frozen=True, slots=True)
class Taken:
    """An upload that was answered 202, or found listed after its answer was lost."""

    edition: int
    document_id: str


@dataclass(slots=True)
class Page:
    """All that is known of one name, times being of the monotonic clock.

    `gone` says since when an edition may not be returned; `alone`, since when an edition that can be found has taken
    those before it out.
    """

    taken: list[Taken] = field(default_factory=list)
    newest: int = 0
    gone: dict[int, float] = field(default_factory=dict)
    alone: dict[int, float] = field(default_factory=dict)

    def drop(self, editions: Collection[int]) -> None:
        """Note that these may never be returned again, whoever asks from now on."""
        for edition in editions:
            self.gone.setdefault(edition, time.monotonic())


class Ledger:
    """By name of document; one client changes a name, one operation after another, while all hear of it."""

    def __init__(self) -> None:
        self._pages: defaultdict[str, Page] = defaultdict(Page)
        self._lock = threading.RLock()

    @property
    def names(self) -> list[str]:
        """Every name that was ever used."""
        with self._lock:
            return sorted(self._pages)

    def attempt(self, name: str, edition: int, *, replaces: bool) -> None:
        """Note that an edition may come to exist from now on, again perhaps, whatever is answered."""
        with self._lock:
            page = self._pages[name]
            page.newest = max(page.newest, edition)
            page.gone.pop(edition, None)
            if replaces:
                page.alone.setdefault(edition, time.monotonic())

    def take(self, name: str, edition: int, document_id: str) -> None:
        """Note an upload; the same bytes again are the same document."""
        with self._lock:
            page = self._pages[name]
            page.newest = max(page.newest, edition)
            known = {one.edition: one.document_id for one in page.taken}
            assert known.get(edition, document_id) == document_id, f"{name}: the same bytes became another document"
            if edition not in known:
                page.taken.append(Taken(edition, document_id))

    def insist(self, name: str, edition: int, listed: Collection[str]) -> None:
        """Note that a known edition was made the newest one; `listed` are the ids that stand after it.

        Those before it that were not ready yet have gone with that.
        """
        with self._lock:
            page = self._pages[name]
            page.alone.setdefault(edition, time.monotonic())
            stays = [one for one in page.taken if one.edition == edition or one.document_id in listed]
            page.drop({one.edition for one in page.taken} - {one.edition for one in stays})
            page.taken = stays

    def refuse(self, name: str, edition: int) -> None:
        """Note that an upload came to nothing."""
        with self._lock:
            self._pages[name].drop([edition])

    def delete(self, name: str) -> None:
        """Note that nothing of this name may ever be returned again, but what comes later."""
        with self._lock:
            page = self._pages[name]
            page.taken.clear()
            page.drop(range(1, page.newest + 1))

    def ids(self, name: str) -> list[str]:
        """The documents that may stand under this name."""
        with self._lock:
            return [one.document_id for one in self._pages[name].taken]

    def hear(self, said: str, *, began: float) -> dict[str, list[int]]:
        """Check all that one look at the base returned to a request that began then; return the editions heard.

        Of no name anything that was gone before, nor what gives way together with what it gave way to.
        """
        with self._lock:
            said = said.casefold()
            return {name: seen for name in self._pages if (seen := self._heard(name, said, began))}

    def _heard(self, name: str, said: str, began: float) -> list[int]:
        page = self._pages[name]
        seen = [edition for edition in range(1, page.newest + 1) if canary(name, edition) in said]
        for edition in seen:
            is_gone = page.gone.get(edition, math.inf) <= began
            assert not is_gone, f"I4: edition {edition} of {name} is gone, and was returned"
            if page.alone.get(edition, math.inf) <= began:
                assert edition == seen[0], f"I4: old and new text of {name} at once: editions {seen}"
                page.drop(range(1, edition))
        return seen

    def settle(self, name: str, ends: dict[str, str]) -> list[int]:
        """Check the listing of one name when the queue is empty; `ends` are states by id. Return what is in force.

        Editions are told in the order of their uploads: a replacement that came to a good end takes those before it
        out, and what was uploaded beside them stays.
        """
        with self._lock:
            page = self._pages[name]
            expected: list[Taken] = []
            for one in page.taken:
                if one.edition in page.alone and ends.get(one.document_id) in ("ready", "partial"):
                    expected = []
                expected.append(one)
            listed = {one.document_id for one in expected}
            assert set(ends) == listed, f"I1: {name}: listed {sorted(ends)}, expected {sorted(listed)}"
            page.taken = expected
            page.drop(set(range(1, page.newest + 1)) - {one.edition for one in expected})
            return [one.edition for one in expected if ends[one.document_id] in ("ready", "partial")]
