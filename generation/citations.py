"""`[n]` in an answer and the words of a document behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.types import Citation, Passage
from retrieval.sentences import ends_in_abbreviation

QUOTE_MAX_CHARS = 300
_DOUBLED_STOP = re.compile(r"(?<!\.)(\.)\.(?=\s*$)")
_MARK = re.compile(r"\s*[\[【](?:\s*\d{1,3}\s*[,;]?)+[\]】]")


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a passage: `passage.text[start:end]`."""

    passage: Passage
    start: int
    end: int

    @property
    def text(self) -> str:
        """The words as they stand in the document."""
        return self.passage.text[self.start : self.end]


class Numbering:
    """Numbers citations from 1 in the order of their first use; the same words of the same page keep their number."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int | None, str], int] = {}

    def cite(self, quotes: Sequence[Quote]) -> tuple[tuple[int, ...], tuple[Citation, ...]]:
        """Numbers for `quotes`, and the citations among them that are new."""
        numbers: list[int] = []
        new: list[Citation] = []
        for quote in quotes:
            number, citation = self._number(quote)
            numbers.append(number)
            new += [citation] if citation else []
        return tuple(dict.fromkeys(numbers)), tuple(new)

    def _number(self, quote: Quote) -> tuple[int, Citation | None]:
        passage = quote.passage
        key = (passage.document_id, passage.page, quote.text)
        if key in self._numbers:
            return self._numbers[key], None
        n = self._numbers[key] = len(self._numbers) + 1
        return n, Citation(n, passage.document_id, passage.document, passage.page, passage.section, quote.text)


def marked_numbers(text: str) -> tuple[int, ...]:
    """The numbers in every `[1]`, `[1, 2]` of `text`, in order, each once."""
    found = (int(number) for mark in _MARK.findall(text) for number in re.findall(r"\d+", mark))
    return tuple(dict.fromkeys(found))


def without_marks(text: str) -> str:
    """`text` with every `[n]` and the space before it taken out, and the full stop that stood on both sides once."""
    return _DOUBLED_STOP.sub(r"\1", _MARK.sub("", text))


def with_marks(text: str, numbers: Sequence[int]) -> str:
    """`text` with `[n]` for each number before its last full stop: «Срок — пять дней [1].»"""
    marks = "".join(f"[{n}]" for n in numbers)
    body = text.rstrip()
    # The stop of an abbreviation or an initial belongs to its word.
    end = len(body) if ends_in_abbreviation(body) else len(body.rstrip(".!?…;:"))
    return f"{body[:end]} {marks}{body[end:]}" if marks else body


def shorten(quote: Quote, around: int) -> Quote:
    """Cut a quote to at most 300 characters, at words, keeping what stands at offset `around` of the passage."""
    if quote.end - quote.start <= QUOTE_MAX_CHARS:
        return quote
    text = quote.passage.text
    start = max(quote.start, min(around - QUOTE_MAX_CHARS // 3, quote.end - QUOTE_MAX_CHARS))
    end = start + QUOTE_MAX_CHARS
    if start > quote.start and (space := re.search(r"\s+", text[start:end])):
        start += space.end()
    if end < quote.end and (words := re.search(r"\s+\S*$", text[start:end])):
        end = start + words.start()
    return Quote(quote.passage, start, end)
