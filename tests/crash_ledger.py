"""A plain model in memory of what should be there: what was taken in, what was deleted, what was already seen."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from tests.crash_plan import canary


@dataclass(frozen=True, slots=True)
class Taken:
    """An upload that was answered 202, or found listed after its answer was lost."""

    edition: int
    document_id: str


@dataclass(slots=True)
class Page:
    """All that is known of one name. `floor` is the oldest edition that may still be returned."""

    taken: list[Taken] = field(default_factory=list)
    floor: int = 1
    newest: int = 0


class Ledger:
    """By name of document; each name belongs to one client, so that its operations come one after another."""

    def __init__(self) -> None:
        self._pages: defaultdict[str, Page] = defaultdict(Page)

    @property
    def names(self) -> list[str]:
        """Every name that was ever used."""
        return sorted(self._pages)

    def take(self, name: str, edition: int, document_id: str) -> None:
        """Note an upload; the same bytes again are the same document."""
        page = self._pages[name]
        page.newest = max(page.newest, edition)
        known = {one.edition: one.document_id for one in page.taken}
        assert known.get(edition, document_id) == document_id, f"{name}: the same bytes became another document"
        if edition not in known:
            page.taken.append(Taken(edition, document_id))

    def attempt(self, name: str, edition: int) -> None:
        """Note that an edition may come to exist from now on, whatever is answered."""
        self._pages[name].newest = max(self._pages[name].newest, edition)

    def delete(self, name: str) -> None:
        """Note that nothing of this name may ever be returned again, but what comes later."""
        page = self._pages[name]
        page.taken.clear()
        page.floor = page.newest + 1

    def revive(self, name: str, edition: int) -> None:
        """Note that a deleted edition is uploaded again."""
        self._pages[name].floor = min(self._pages[name].floor, edition)

    def ids(self, name: str) -> list[str]:
        """The documents that may stand under this name."""
        return [one.document_id for one in self._pages[name].taken]

    def see(self, name: str, said: str) -> None:
        """Check what was returned about a name: of one edition only, none deleted, none older than one seen before."""
        page = self._pages[name]
        seen = [edition for edition in range(1, page.newest + 1) if canary(name, edition) in said]
        assert len(seen) <= 1, f"I4: old and new text of {name} at once: editions {seen}"
        for edition in seen:
            assert edition >= page.floor, f"I4: edition {edition} of {name} is gone, and was returned"
            page.floor = edition

    def settle(self, name: str, ends: dict[str, str]) -> int:
        """Check the listing of one name when the queue is empty; `ends` are states by id. Return the edition in force.

        Editions are told in the order of their uploads: each that came to a good end takes those before it out.
        """
        page = self._pages[name]
        expected: list[Taken] = []
        for one in page.taken:
            if ends.get(one.document_id) in ("ready", "partial"):
                expected = []
            expected.append(one)
        listed = {one.document_id for one in expected}
        assert set(ends) == listed, f"I1: {name}: listed {sorted(ends)}, expected {sorted(listed)}"
        page.taken = expected
        ready = [one.edition for one in expected if ends[one.document_id] in ("ready", "partial")]
        if ready:
            page.floor = ready[-1]
        return ready[-1] if ready else 0
