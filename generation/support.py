"""Whether a passage says what a sentence of an answer says, and with which words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.types import Passage
from generation.citations import Quote, shorten
from generation.prompt import title
from retrieval.sentences import split_sentences
from retrieval.stems import stem_text

# Measured by `python -m evaluation.answers --support` on statements made of XQuAD questions and answers.
MIN_COVERAGE = 0.5
_PAIR_GAIN = 0.15  # a second sentence is quoted when it covers this much more

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_NUMBER = re.compile(r"\d{1,3}(?:[  ]\d{3})+(?!\d)(?:,\d+)?|\d+(?:[.,]\d+)*")
_DATE = re.compile(r"\b0?(\d{1,2})\.0?(\d{1,2})\.(\d{4})\b")
_MONTH = re.compile(
    r"\b(январ|феврал|март|апрел|ма[йяе]\b|июн|июл|август|сентябр|октябр|ноябр|декабр)\w*", re.IGNORECASE
)
_MONTHS = ("янв", "фев", "мар", "апр", "ма", "июн", "июл", "авг", "сен", "окт", "ноя", "дек")
_NAME = re.compile(r"(?<=[^\s.!?…:«\"(–—-])[\s«\"(]+([A-ZА-ЯЁ][^\W\d_]*(?:-[^\W_]+)*)|\b([A-Za-z]{2,})\b")


def facts(text: str) -> frozenset[str]:
    """What may not be invented: numbers, dates, months, names and foreign words, each in one form.

    The first word of a sentence is no name: its capital says nothing.
    """
    found = {_number(number) for number in _NUMBER.findall(_DATE.sub(" ", text))}
    found |= {f"month:{_month(name)}" for name in _MONTH.findall(text)}
    for day, month, year in _DATE.findall(text):
        named = _MONTHS[int(month) - 1] if 1 <= int(month) <= len(_MONTHS) else month
        found |= {day, year, f"month:{named}"}
    names = (first or second for first, second in _NAME.findall(text))
    return frozenset(found | {f"name:{stem}" for name in names for stem in stem_text(name)})


def _stem_set(text: str) -> frozenset[str]:
    return frozenset(stem_text(text))


def _number(digits: str) -> str:
    plain = re.sub(r"\s", "", digits).replace(",", ".")
    return plain.lstrip("0") or "0"


def _month(name: str) -> str:
    return next(month for month in sorted(_MONTHS, key=len, reverse=True) if name.lower().startswith(month))


@dataclass(frozen=True, slots=True)
class Match:
    """The words of a passage closest to a sentence, and the share of its meaningful stems that they hold."""

    quote: Quote
    coverage: float


class Evidence:
    """Passages taken apart once, to check the sentences of one answer against."""

    def __init__(self, passages: Sequence[Passage], *, min_coverage: float = MIN_COVERAGE) -> None:
        """`min_coverage` is the share of a sentence's meaningful words that the passage must hold."""
        self._min_coverage = min_coverage
        self._checked = [_CheckedPassage(passage) for passage in passages]

    def support(self, sentence: str, n: int) -> Match | None:
        """How passage `n`, counted from 1, supports the sentence; None when it does not, or there is no such passage.

        It does when it holds every number, date and name, and one or two sentences in a row hold most of the words.
        """
        if not 1 <= n <= len(self._checked):
            return None
        passage = self._checked[n - 1]
        if not passage.holds(facts(sentence)):
            return None
        match = passage.closest(_stem_set(sentence))
        return match if match and match.coverage >= self._min_coverage else None

    def find(self, sentence: str) -> Match | None:
        """The best support among all passages, the first of equals; None when none supports the sentence."""
        found = (self.support(sentence, n) for n in range(1, len(self._checked) + 1))
        return max((match for match in found if match), key=lambda match: match.coverage, default=None)


class _CheckedPassage:
    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        named = title(passage)
        self._title_stems = _stem_set(named)
        self._facts = facts(passage.text) | facts(f"и {named}")
        self._stems = _stem_set(f"{passage.text} {named}")
        self._sentences = [(sentence, _stem_set(sentence.text)) for sentence in split_sentences(passage.text)]

    def holds(self, wanted: frozenset[str]) -> bool:
        names = {fact.removeprefix("name:") for fact in wanted if fact.startswith("name:")}
        plain = {fact for fact in wanted if not fact.startswith("name:")}
        return plain <= self._facts and names <= self._stems

    def closest(self, wanted: frozenset[str]) -> Match | None:
        """The sentence, or two in a row, that hold most of `wanted`; words of the title need no support."""
        wanted -= self._title_stems - self._stems_of_text()
        if not wanted or not self._sentences:
            return None
        single = max(range(len(self._sentences)), key=lambda i: len(wanted & self._sentences[i][1]))
        best = self._match(single, single, wanted)
        pairs = (self._match(i, i + 1, wanted) for i in (single - 1, single) if 0 <= i < len(self._sentences) - 1)
        pair = max(pairs, key=lambda match: match.coverage, default=best)
        return pair if pair.coverage >= best.coverage + _PAIR_GAIN else best

    def _stems_of_text(self) -> frozenset[str]:
        return frozenset().union(*(held for _, held in self._sentences))

    def _match(self, first: int, last: int, wanted: frozenset[str]) -> Match:
        held = frozenset().union(*(stems_held for _, stems_held in self._sentences[first : last + 1]))
        start, end = self._sentences[first][0].start, self._sentences[last][0].end
        quote = Quote(self._passage, start, end)
        return Match(shorten(quote, place_of(quote, wanted)), len(wanted & held) / len(wanted))


def place_of(quote: Quote, wanted: frozenset[str]) -> int:
    """Offset in the passage of the middle one of the words of `quote` whose stems are wanted; its start without any."""
    words = _WORD.finditer(quote.passage.text, quote.start, quote.end)
    places = [word.start() for word in words if wanted & _stem_set(word.group())]
    return places[len(places) // 2] if places else quote.start
