"""Finds the tables of a page by place: a page may hold a hundred thousand, too many to try each for each line."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from core.types import Table


class TablePlaces:
    """Tables in the order of the page; they do not overlap."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = tables
        self._starts = [table.start for table in tables]

    def at(self, offset: int) -> Table | None:
        """The table that the character at `offset` stands in."""
        index = bisect_right(self._starts, offset) - 1
        if index < 0 or self._tables[index].end <= offset:
            return None
        return self._tables[index]

    def within(self, start: int, end: int) -> Sequence[Table]:
        """The tables of which something stands between `start` and `end`, in order."""
        first = bisect_right(self._starts, start) - 1
        first += first < 0 or self._tables[first].end <= start
        return self._tables[first : bisect_left(self._starts, end)]
