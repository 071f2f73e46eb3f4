"""Holds a model's stream back until a sentence is whole, its `[n]` included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from retrieval.sentences import split_sentences

_LEADING_MARKS = re.compile(r"(?:[\[【][\d,; ]*[\]】]\s*)+[.!?;:]?(?:\s+|$)")
_OPEN_MARK = re.compile(r"(?:[\[【][\d,; ]*[\]】]\s*)*[\[【][\d,; ]*$")


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of the model with its marks, and whether a new line came before it."""

    text: str
    starts_line: bool


class SentenceGate:
    """Pieces of text in, whole sentences out: what has been let out is never changed by what comes."""

    def __init__(self) -> None:
        self._buffer = ""

    def feed(self, piece: str) -> Iterator[Said]:
        """Take the next piece, give the sentences that are complete by now."""
        self._buffer += piece
        spans = _spans(self._buffer)
        held = 2 if len(spans) > 1 and _OPEN_MARK.match(self._buffer[spans[-1][0] :]) else 1
        yield from self._release(spans[: len(spans) - held])

    def finish(self) -> Iterator[Said]:
        """Give what is left: the model has ended."""
        yield from self._release(_spans(self._buffer))

    def _release(self, spans: list[tuple[int, int]]) -> Iterator[Said]:
        taken = 0
        for start, end in spans:
            yield Said(self._buffer[start:end], "\n" in self._buffer[taken:start])
            taken = end
        self._buffer = self._buffer[taken:]


def _spans(text: str) -> list[tuple[int, int]]:
    """Sentences of `text`, the marks that a model puts after a full stop drawn to the sentence they belong to."""
    spans: list[tuple[int, int]] = []
    for sentence in split_sentences(text):
        start = sentence.start
        marks = _LEADING_MARKS.match(sentence.text)
        if marks and spans:
            start += marks.end()
            spans[-1] = (spans[-1][0], sentence.start + len(marks.group().rstrip()))
        if start < sentence.end:
            spans.append((start, sentence.end))
    return spans
