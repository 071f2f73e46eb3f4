"""Where in the passages a value of a JSON answer stands, however the document writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from core.types import Passage
from generation.citations import Quote, shorten
from generation.json_schema import Schema
from generation.written_values import dates, numbers
from retrieval.sentences import Sentence, split_sentences
from retrieval.stems import stem_text

MIN_SHARE = 0.5
_PLAIN = str.maketrans({"ё": "е", "«": '"', "»": '"', "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "−": "-"})


class Ground:
    """Passages in which the values of one answer are looked for."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._sentences = [(p, s) for p in passages for s in split_sentences(p.text)]

    def find(self, value: Any, node: Schema, label: str) -> Quote | None:
        """The sentence that holds `value`, the one nearest to `label` when several do; None when none does.

        A choice (`enum`, `const`, true or false) need not stand verbatim: the sentence that speaks of `label` will do.
        """
        held = [
            (passage, sentence, at) for passage, sentence in self._sentences for at in _places(sentence, value, node)
        ]
        if held:
            asked = frozenset(stem_text(label))
            passage, sentence, at = max(held, key=lambda place: len(asked & frozenset(stem_text(place[1].text))))
            return shorten(Quote(passage, sentence.start, sentence.end), sentence.start + at)
        return self._about(label) if isinstance(value, bool) or "enum" in node else None

    def _about(self, label: str) -> Quote | None:
        """The sentence with most of the words of `label`, if it has half of them."""
        asked = frozenset(stem_text(label))
        shares = [len(asked & frozenset(stem_text(each.text))) / max(1, len(asked)) for _, each in self._sentences]
        best = max(range(len(shares)), key=shares.__getitem__, default=None)
        if best is None or shares[best] < MIN_SHARE:
            return None
        passage, sentence = self._sentences[best]
        return shorten(Quote(passage, sentence.start, sentence.end), sentence.start)


def _places(sentence: Sentence, value: Any, node: Schema) -> Iterator[int]:
    """Offsets in the sentence where the value is written."""
    text = sentence.text
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        wanted = Decimal(str(value))
        yield from (found.start for found in numbers(text) if found.value == wanted)
    elif node.get("format") == "date" and (day := _iso(value)):
        yield from (found.start for found in dates(text) if found.day == day)
    elif words := plain(value).split():
        between = r"\s+".join(re.escape(word) for word in words)
        yield from (found.start() for found in re.finditer(rf"(?<!\w){between}(?!\w)", plain(text)))


def plain(text: str) -> str:
    """`text` in one case, with one kind of quotes and dashes, every character at its place."""
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text).translate(_PLAIN)


def _iso(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
