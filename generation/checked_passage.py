"""A passage taken apart once, to hold many sentences against it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.types import Passage
from generation.citations import Quote, shorten
from generation.facts import NAME, facts, offered
from generation.nearness import Nearness
from generation.prompt import title
from generation.script import is_cyrillic, sounds_like
from generation.statements import Reason
from retrieval.query.russian import is_common
from retrieval.sentences import split_sentences
from retrieval.stems import stem_text

_PAIR_GAIN = 0.15  # a second sentence is quoted when it covers this much more
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Source:
    """One or two sentences of a passage that may say what a claim says; `held` are their stems."""

    quote: Quote
    held: frozenset[str]


class CheckedPassage:
    """What a passage and its title offer: facts, stems, sentences."""

    def __init__(self, passage: Passage) -> None:
        named = title(passage)
        self.is_russian = is_cyrillic(passage.text)
        self.facts = offered(passage.text) | facts(f"и {named}")
        self.title_stems = stems(named)
        self._passage = passage
        self._sentences = split_sentences(passage.text)
        self._held = [stems(sentence.text) for sentence in self._sentences]
        self.stems = frozenset().union(*self._held)
        self._words = frozenset(_WORD.findall(f"{passage.text} {named}"))

    def names(self, stem: str, word: str) -> bool:
        """Whether a name, given as its stem and as it was written, stands here in either alphabet."""
        if stem in self.stems or stem in self.title_stems:
            return True
        # «Европейская комиссия» is translated, not spelt in other letters: whether rightly, nearness tells.
        if not self.is_russian and is_common(word):
            return True
        foreign = [known for known in self._words if is_cyrillic(known) != is_cyrillic(stem)]
        return any(sounds_like(spelt, known) for known in foreign for spelt in (stem, word))

    def by_words(self, wanted: frozenset[str]) -> Source | None:
        """The sentence, or two in a row, that hold most of `wanted`."""
        if not self._sentences:
            return None
        best = max(range(len(self._held)), key=lambda i: len(wanted & self._held[i]))
        single = self._source(best, best)
        pairs = [self._source(i, i + 1) for i in (best - 1, best) if 0 <= i < len(self._held) - 1]
        pair = max(pairs, key=lambda source: len(wanted & source.held), default=single)
        gain = len(wanted & pair.held) - len(wanted & single.held)
        return pair if gain and gain >= _PAIR_GAIN * len(wanted) else single

    def by_meaning(self, claim: str, nearness: Nearness) -> Source | None:
        """The sentence nearest to a claim in another language."""
        if not self._sentences:
            return None
        best = int(nearness(claim, [sentence.text for sentence in self._sentences]).argmax())
        return self._source(best, best)

    def _source(self, first: int, last: int) -> Source:
        start, end = self._sentences[first].start, self._sentences[last].end
        return Source(Quote(self._passage, start, end), frozenset().union(*self._held[first : last + 1]))


def stems(text: str) -> frozenset[str]:
    """The stems of a text, each once."""
    return frozenset(stem_text(text))


def missing(claim: str, passages: Sequence[CheckedPassage]) -> Reason | None:
    """The kind of fact that `claim` states and none of `passages` has; None when they have them all."""
    wanted = facts(claim)
    held = frozenset().union(*(passage.facts for passage in passages))
    if {fact for fact in wanted if not fact.startswith(NAME)} - held:
        return Reason.NUMBER
    written = {stem: word for word in _WORD.findall(claim) for stem in stem_text(word)}
    for name in (fact.removeprefix(NAME) for fact in wanted if fact.startswith(NAME)):
        if not any(passage.names(name, written.get(name, name)) for passage in passages):
            return Reason.NAME
    return None


def shown(sources: Iterable[Source], wanted: frozenset[str]) -> tuple[Quote, ...]:
    """The quotes of `sources`, cut to what a citation may hold, around the words that are wanted."""
    return tuple(shorten(source.quote, place_of(source.quote, wanted)) for source in sources)


def place_of(quote: Quote, wanted: frozenset[str]) -> int:
    """Offset in the passage of the middle one of the words of `quote` whose stems are wanted; its start without any."""
    words = _WORD.finditer(quote.passage.text, quote.start, quote.end)
    places = [word.start() for word in words if wanted & stems(word.group())]
    return places[len(places) // 2] if places else quote.start
