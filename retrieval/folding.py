"""Passages that say the same in several documents take one place. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from core.types import Passage
from retrieval.stems import plain_text

SAME = 0.9  # of the runs of three words that two texts have together
_RUN_WORDS = 3
_WORD = re.compile(r"[^\W_]+")
_TELLING = re.compile(r"[0-9a-z]")  # a number, a code, a product's name: texts that differ in one say another thing

Run = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Content:
    runs: frozenset[Run]
    names: frozenset[str]

    @classmethod
    def of(cls, text: str) -> _Content:
        words = _WORD.findall(plain_text(text))
        runs = frozenset(tuple(words[at : at + _RUN_WORDS]) for at in range(max(1, len(words) - _RUN_WORDS + 1)))
        return cls(runs, frozenset(word for word in words if _TELLING.search(word)))

    def is_like(self, other: _Content) -> bool:
        if self.names != other.names:
            return False
        shared = len(self.runs & other.runs)
        return shared >= SAME * (len(self.runs) + len(other.runs) - shared)


def fold(found: Iterable[Passage], limit: int) -> tuple[Passage, ...]:
    """Return the first `limit` passages of different content, in their order.

    One that repeats, nearly word for word, an earlier one of another document goes into that one's `also_in`.
    Numbers, codes and Latin names must be the same in both. Every passage in `found` is the caller's to read.
    """
    kept: list[tuple[Passage, _Content]] = []
    for passage in found:
        content = _Content.of(passage.text)
        at = _place_of(passage, content, kept)
        if at is not None:
            first, known = kept[at]
            kept[at] = replace(first, also_in=_with(first.also_in, passage.document)), known
        elif len(kept) < limit:
            kept.append((passage, content))
    return tuple(passage for passage, _ in kept)


def _place_of(passage: Passage, content: _Content, kept: Sequence[tuple[Passage, _Content]]) -> int | None:
    alike = (
        at
        for at, (first, known) in enumerate(kept)
        if first.document_id != passage.document_id and content.is_like(known)
    )
    return next(alike, None)


def _with(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return names if name in names else (*names, name)
