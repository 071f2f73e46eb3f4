"""What other documents say differently of the same: another number, day or name, a denial, or that a document is void.

A sentence of another document is held against the sentence that an answer cites. Both must speak of what was asked:
a word of the question that only the cited sentence has («вредные условия», «за границей») tells them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from core.types import Citation, Passage
from generation.citations import Quote
from generation.nearness import Nearness
from generation.polarity import contradicts
from generation.quantities import DATE, YEAR, Quantity, quantities
from generation.replacement import Replacement, replacement
from retrieval.query.russian import forms
from retrieval.sentences import split_sentences
from retrieval.terms import root_text

# Chosen on the even ones of `evaluation/data/editions.jsonl` and XQuAD's `train` articles, seen on the odd ones
# (`python -m evaluation.contradictions`).
MIN_NEAR = 0.92  # cosine of the sentences, their quantities taken out
MIN_SHARED = 0.45  # of the cited sentence's words, in the other one
MIN_SHARED_THERE = 0.35  # of the other sentence's words, in the cited one
_MIN_COMMON = 2  # words that both have, before anything else is looked at
_MIN_NEAR_WORDS = 0.92
_MIN_SHARED_WORDS = 0.75  # of the shorter sentence, where one denies what the other says
_NAME_WORDS = 4
_CONTEXT = 5  # words on either side of a quantity that tell which one of the other sentence is meant

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_VOID = re.compile(
    r"\b(?:утра[тч]\w+ силу|взамен|отмен(?:я\w+|и\w+|[её]н\w*)|не (?:действу\w+|применя\w+))\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Told:
    """A piece of an answer, without its marks, and a citation it rests on."""

    text: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Other words on what an answer told: `said` there, `found` elsewhere, both as the documents write them.

    `kind` is `value`, `words`, `negation` or `void`; `quote` is the other sentence.
    """

    kind: str
    said: str
    found: str
    quote: Quote


class Place:
    """A sentence, and what its document's name and heading add."""

    def __init__(self, quote: Quote) -> None:
        self.quote = quote
        self.text = quote.text

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """What the sentence measures."""
        return quantities(self.text)

    @cached_property
    def masked(self) -> str:
        """The sentence with its quantities taken out."""
        text = self.text
        for one in reversed(self.quantities):
            text = f"{text[: one.start]}…{text[one.end :]}"
        return text

    @cached_property
    def words(self) -> frozenset[str]:
        """Roots of the sentence's words, numbers left out."""
        return frozenset(root for root in root_text(self.masked) if not root[0].isdigit())

    @cached_property
    def names(self) -> frozenset[str]:
        """Every word here, in the heading and in the document's name, in the forms of `_alike`."""
        passage = self.quote.passage
        return _names(f"{self.text} {passage.section or ''} {passage.document.replace('_', ' ')}")

    @cached_property
    def years(self) -> frozenset[str]:
        """Years that the sentence is about."""
        dated = (
            one.value.rpartition(".")[2] if one.unit == DATE else one.value
            for one in self.quantities
            if one.unit in (DATE, YEAR)
        )
        return frozenset(year for year in dated if year)


class Contrast:
    """Passages taken apart once, to hold the pieces of one answer against them."""

    def __init__(self, question: str, passages: Sequence[Passage], nearness: Nearness) -> None:
        self._asked = tuple(_asked(question))
        self._passages = passages
        self._nearness = nearness

    def contradictions(self, told: Sequence[Told]) -> Iterator[Contradiction]:
        """What other documents say differently, one for each of them, in the order of the passages.

        A document that the same answer cites for the other words has had its say.
        """
        heard = {(one.citation.document_id) for one in told}
        answer = " ".join(one.text for one in told)
        found: dict[str, Contradiction] = {}
        for one in told:
            for document, places in self._others(one.citation.document_id).items():
                if document in found or (home := self._home(one.citation)) is None:
                    continue
                contradiction = self._against(one.text, Place(home), places)
                if contradiction and not (document in heard and _holds(answer, contradiction.found)):
                    found[document] = contradiction
        yield from found.values()

    def _others(self, document_id: str) -> dict[str, list[Place]]:
        """The sentences of each other document."""
        others: dict[str, list[Place]] = {}
        for passage in self._passages:
            if passage.document_id != document_id:
                sentences = (Quote(passage, one.start, one.end) for one in split_sentences(passage.text))
                others.setdefault(passage.document_id, []).extend(map(Place, sentences))
        return others

    def _home(self, citation: Citation) -> Quote | None:
        """Where a citation's words stand among the passages."""
        for passage in self._passages:
            start = passage.text.find(citation.quote) if passage.document_id == citation.document_id else -1
            if start >= 0:
                return Quote(passage, start, start + len(citation.quote))
        return None

    def _against(self, text: str, home: Place, places: Sequence[Place]) -> Contradiction | None:
        void = next((place for place in places if _voids(place.text, home.quote.passage)), None)
        if void:
            return Contradiction("void", home.quote.passage.document, _VOID.search(void.text)[0], void.quote)  # type: ignore[index]
        asked = [place for place in places if self._is_asked(home, place)]
        return self._by_value(text, home, asked) or self._by_words(text, home, asked)

    def _is_asked(self, home: Place, place: Place) -> bool:
        """Whether both speak of what was asked and of the same time."""
        if len(home.words & place.words) < _MIN_COMMON or (home.years and place.years and not home.years & place.years):
            return False
        return not any(names & home.names and not names & place.names for names in self._asked)

    def _is_alike(self, home: Place, place: Place) -> bool:
        """Whether both say much the same, their quantities aside, and not of two different things."""
        shared = len(home.words & place.words)
        if shared < MIN_SHARED * len(home.words) or shared < MIN_SHARED_THERE * len(place.words):
            return False
        if _names_another(replacement(home.masked, place.masked)):
            return False
        return self._near(home.masked, place.masked) >= MIN_NEAR

    def _by_value(self, text: str, home: Place, asked: Sequence[Place]) -> Contradiction | None:
        said = quantities(text)
        for value in home.quantities:
            if not value.unit or not any(_is_said(value, one) for one in said):
                continue
            measured = [(place, one) for place in asked for one in _comparable(value, place)]
            if any(value.agrees(one) for _, one in measured):
                continue
            new = [(place, one) for place, one in measured if not any(one.agrees(other) for other in home.quantities)]
            new = [(place, one) for place, one in new if self._is_alike(home, place)]
            if new:
                place, other = max(new, key=lambda pair: len(_around(home, value) & _around(*pair)))
                return Contradiction("value", value.text, other.text, place.quote)
        return None

    def _by_words(self, text: str, home: Place, asked: Sequence[Place]) -> Contradiction | None:
        for place in asked:
            common = len(home.words & place.words)
            replaced = replacement(home.text, place.text)
            if replaced and self._is_answer(text, replaced) and not _is_measured(replaced, home, place):
                return Contradiction("words", replaced.old, replaced.new, place.quote)
            is_near = common >= _MIN_SHARED_WORDS * min(len(home.words), len(place.words))
            if is_near and contradicts(home.text, place.text) and self._near(home.text, place.text) >= _MIN_NEAR_WORDS:
                return Contradiction("negation", home.text, place.text, place.quote)
        return None

    def _near(self, sentence: str, other: str) -> float:
        return float(self._nearness(sentence, [other])[0])

    def _is_answer(self, text: str, replaced: Replacement) -> bool:
        """Whether the words replaced are the answer's, and not what was asked about."""
        is_asked = any(names & _names(replaced.old) for names in self._asked)
        return _holds(text, replaced.old) and not is_asked


def _is_measured(replaced: Replacement, home: Place, place: Place) -> bool:
    """Whether both words belong to quantities, which are compared as such: 28 days beside 56 of a teacher's."""
    ends = ((home, replaced.start, replaced.old), (place, replaced.new_start, replaced.new))
    return all(
        any(one.unit and one.start < start + len(words) and start < one.end for one in side.quantities)
        for side, start, words in ends
    )


def _names_another(replaced: Replacement | None) -> bool:
    """Whether a noun stands where another one stood: «срок гарантии насоса» is not that of «станка»."""
    return replaced is not None and all(_is_name(_WORD.findall(words)) for words in (replaced.old, replaced.new))


def _is_name(words: Sequence[str]) -> bool:
    """Whether a noun is among so few words; one in the locative is where, not what («в шкафу»)."""
    return len(words) <= _NAME_WORDS and any(_is_noun(word) for word in words)


def _is_noun(word: str) -> bool:
    read = forms(word)
    return read[0].part == "NOUN" and not any(form.case == "loct" for form in read)


def _is_said(value: Quantity, said: Quantity) -> bool:
    """Whether an answer says a value of its source, with the unit or, in short, without it."""
    return value.agrees(said) or (not said.unit and said.value == value.value)


def _comparable(value: Quantity, place: Place) -> list[Quantity]:
    """What a sentence measures in the unit of `value`; only where there is none, what measures the same otherwise."""
    measured = [one for one in place.quantities if value.is_comparable(one)]
    return [one for one in measured if one.unit == value.unit] or measured


def _around(place: Place, value: Quantity) -> frozenset[str]:
    before = _WORD.findall(place.text[: value.start])[-_CONTEXT:]
    after = _WORD.findall(place.text[value.end :])[:_CONTEXT]
    return frozenset(root_text(" ".join([*before, *after])))


def _holds(text: str, words: str) -> bool:
    return set(root_text(words)) <= set(root_text(text))


def _asked(question: str) -> Iterator[frozenset[str]]:
    """What each thing in a question may be called; verbs are told in too many ways to count."""
    for word in _WORD.findall(question):
        if root_text(word) and forms(word)[0].part not in ("VERB", "INFN", "PRTS", "COMP", "GRND"):
            yield _names(word)


@lru_cache(maxsize=1024)
def _names(text: str) -> frozenset[str]:
    """Roots of words and of their first forms: «станка» and «станок» have no root of five letters in common."""
    first = (forms(word)[0].lemma for word in _WORD.findall(text) if word[0].isalpha())
    return frozenset(root_text(text)) | frozenset(root_text(" ".join(first)))


def _voids(sentence: str, passage: Passage) -> bool:
    """Whether a sentence says of the document of `passage` that it is no longer in force: it must name all of it."""
    if not _VOID.search(sentence):
        return False
    name = passage.document.rpartition(".")[0] or passage.document
    dates = {one.value for one in quantities(name) if one.unit == DATE}
    numbers = set(re.findall(r"(?<![\d.])\d+(?![\d.]\d)", name)) if not dates else set()
    if not dates <= {one.value for one in quantities(sentence) if one.unit == DATE}:
        return False
    called = {root for root in root_text(name) if not root[0].isdigit()}
    said = set(root_text(sentence))
    return bool(called) and len(called) > 1 and called <= said and numbers <= set(re.findall(r"\d+", sentence))
