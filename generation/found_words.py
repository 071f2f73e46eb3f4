"""Words of a passage that the taught model chose: where they stand, and how they are said with their citations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.types import Citation, Passage
from generation.citations import Numbering, Quote, shorten
from generation.language import is_russian
from generation.marks import harmless, harmless_line
from generation.prompt import title
from generation.span_prompt import Shown, Span, places_in
from generation.statements import Statement
from retrieval.sentences import split_sentences
from retrieval.stems import stem_text

_FOREIGN = "В документе на другом языке сказано: "


@dataclass(frozen=True, slots=True)
class Found:
    """Words of a passage that the model chose, and the sentence they stand in."""

    words: Quote
    sentence: Quote


def as_shown(passage: Passage) -> Shown:
    """A passage as the model is to see it: data without any mark of a chat format."""
    return Shown.of(harmless_line(title(passage)), harmless(passage.text))


def locate(spans: Sequence[Span], shown: Sequence[Passage], question: str) -> tuple[Found, ...]:
    """Where the words stand in the documents; of several places the one whose sentence has most of the question."""
    asked = frozenset(stem_text(question))
    found: list[Found] = []
    for span in spans:
        passage = shown[span.n - 1]
        places = (_around(Quote(passage, *place)) for place in places_in(passage.text, span.text))
        best = max(places, key=lambda f: len(asked & frozenset(stem_text(f.sentence.text))), default=None)
        found += [best] if best and best not in found else []
    return tuple(found)


def state(found: Sequence[Found], confidence: float, numbering: Numbering | None = None) -> Statement:
    """The words as a sentence with the numbers of their citations: «28 календарных дней [1].»

    Words in another language are a quotation in a Russian sentence: the model cannot translate. A few words say too
    little of their language («гуру», a firm's name): the sentence they stand in must be in another one, too.
    """
    numbering = numbering or Numbering()
    said = [" ".join(part.words.text.split()).rstrip(".,;:") for part in found]
    is_foreign = not all(map(is_russian, said)) and not all(is_russian(part.sentence.text) for part in found)
    marked: list[str] = []
    cited: list[Citation] = []
    for words, part in zip(said, found, strict=True):
        (number, *_), citations = numbering.cite([shorten(part.sentence, part.words.start)])
        marked.append(f"«{words}» [{number}]" if is_foreign else f"{words} [{number}]")
        cited += citations
    text = f"{_FOREIGN if is_foreign else ''}{'; '.join(marked)}."
    return Statement(text[0].upper() + text[1:], tuple(cited), confidence)


def _around(words: Quote) -> Found:
    sentences = [s for s in split_sentences(words.passage.text) if s.start < words.end and words.start < s.end]
    start, end = (sentences[0].start, sentences[-1].end) if sentences else (words.start, words.end)
    return Found(words, Quote(words.passage, min(start, words.start), max(end, words.end)))
