"""Answers by the model that was taught to answer with words of the passages: it chooses, a measured scale judges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from statistics import fmean

from core.types import Citation, Passage
from generation.citations import Numbering, Quote, shorten
from generation.language import is_russian
from generation.language_model import Completion, LanguageModel
from generation.marks import harmless, harmless_line
from generation.prompt import estimate_tokens, stable_order, title
from generation.request import AnswerRequest
from generation.scales import Scales, Signals
from generation.span_prompt import (
    END,
    REFUSAL,
    Shown,
    Span,
    answer_grammar,
    context_text,
    places_in,
    question_text,
    read_answer,
)
from generation.statements import Statement
from retrieval.embedding.encoder import Encoder
from retrieval.sentences import split_sentences
from retrieval.stems import stem_text

PASSAGES_READ = 3  # at once
MAX_TOKENS = 64
ALTERNATIVES = 10

_FOREIGN = "В документе на другом языке сказано: "


@dataclass(frozen=True, slots=True)
class Found:
    """Words of a passage that the model chose, and the sentence they stand in."""

    words: Quote
    sentence: Quote


# Passages are read one by one, the best first: side by side they mislead a model so small. Below these probabilities
# the next one is read, and in the end the service refuses; a passage that search ranks lower must be surer.
MIN_ANSWERABLE = (0.5, 0.9, 0.9)


class SpansWriter:
    """Answers with the words of the passages that the model chooses, or not at all."""

    def __init__(self, model: LanguageModel, encoder: Encoder, executor: Executor, scales: Scales) -> None:
        """`executor` runs the encoder, beside the model; `scales` are those of the model's adapter."""
        self._model = model
        self._encoder = encoder
        self._executor = executor
        self._scales = scales

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._model.server.name

    async def write(
        self, request: AnswerRequest, passages: tuple[Passage, ...], heard: Callable[[], None]
    ) -> AsyncGenerator[Statement]:
        """Give one statement, or none when it would probably be wrong."""
        question = request.question
        for passage, enough in zip(passages, MIN_ANSWERABLE, strict=False):
            found, signals = await self.propose(question, (passage,))
            heard()
            if found and self._scales.answerable.probability(signals) >= enough:
                yield state(found, self._scales.right.probability(signals))
                return

    async def propose(self, question: str, passages: Sequence[Passage]) -> tuple[tuple[Found, ...], Signals]:
        """The words the model would answer with, whether or not they should be said, and what speaks for them."""
        shown = readable(passages, question, self._model.server.context_tokens)
        seen = tuple(as_shown(passage) for passage in shown)
        completion = await self._model.complete(
            context_text(seen) + question_text(harmless(question)),
            grammar=answer_grammar(seen),
            stop=END,
            max_tokens=MAX_TOKENS,
            alternatives=ALTERNATIVES,
        )
        found = locate(read_answer(completion.text), shown, question)
        call = asyncio.get_running_loop().run_in_executor
        return found, await call(self._executor, weigh, question, found, completion, self._encoder)


def readable(passages: Sequence[Passage], question: str, context_tokens: int) -> tuple[Passage, ...]:
    """The best passages in a stable order, as many as the model has the time and the context to read; one at least."""
    kept = passages[:PASSAGES_READ]
    while len(kept) > 1 and _tokens(kept, question) > context_tokens - MAX_TOKENS:
        kept = kept[:-1]
    return stable_order(kept)


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


def weigh(question: str, found: Sequence[Found], completion: Completion, encoder: Encoder) -> Signals:
    """What speaks for the first and weightiest of the words found."""
    words = [
        p for t, p in zip(completion.tokens, completion.logprobs, strict=True) if t.strip() and t.strip() not in "[]"
    ]
    least_listed = min(completion.first.values(), default=0.0)
    answering = completion.first.get(" [", least_listed) - completion.first.get(REFUSAL, least_listed)
    if not found:
        return Signals(answering, fmean(words or [0.0]), min(words, default=0.0), 0.0, 0.0)
    sentence = found[0].sentence
    near = float(encoder.encode_passages([sentence.text])[0] @ encoder.encode_queries([question])[0])
    asked = frozenset(stem_text(question))
    held = frozenset(stem_text(f"{title(sentence.passage)} {sentence.text}"))
    shared = len(asked & held) / len(asked) if asked else 0.0
    return Signals(answering, fmean(words or [0.0]), min(words, default=0.0), near, shared)


def state(found: Sequence[Found], confidence: float) -> Statement:
    """The words as a sentence with the numbers of their citations: «28 календарных дней [1].»

    Words in another language are a quotation in a Russian sentence: the model cannot translate. A few words say too
    little of their language («гуру», a firm's name): the sentence they stand in must be in another one, too.
    """
    numbering = Numbering()
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


def _tokens(passages: Sequence[Passage], question: str) -> int:
    return estimate_tokens([context_text(map(as_shown, passages)) + question_text(question)])[0]
