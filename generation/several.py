"""Questions that want several answers, for a model that says words of one passage: sides of a comparison, a list."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath

from core.types import Passage
from generation.citations import QUOTE_MAX_CHARS, Numbering, Quote, with_marks
from generation.found_words import Found, state
from generation.language import is_russian
from generation.prompt import title
from generation.statements import Statement
from retrieval.sentences import split_sentences
from retrieval.stems import stem_text

PASSAGES_A_SIDE = 2
PASSAGES_A_LIST = 4
_MIN_SIDE = 0.5  # of a side's own words, in what is said of it; and of the probability that it is an answer
_MIN_LISTED = 0.9  # one wrong item spoils a list: what search ranks lower must be surer
_LIST = re.compile(
    r"\b(?:перечисл(?:и|ите|ить)|(?:назови|назовите|укажи|укажите|какие|каковы)\s+все|(?:полный\s+)?список\s+всех)\b",
    re.IGNORECASE,
)
_ITEM_NUMBER = re.compile(r"^\s*(?:\d+(?:\.\d+)*[.)]\s+)+")


@dataclass(frozen=True, slots=True)
class Judged:
    """What the model would say, and the probabilities that the passage holds an answer and that this is it."""

    found: tuple[Found, ...]
    answerable: float
    right: float


Judge = Callable[[str, Passage], Awaitable[Judged]]


def wants_list(question: str) -> bool:
    """Whether a question asks for all there is: «Перечислите…», «Назовите все…»."""
    return bool(_LIST.search(question))


async def compare(sides: Sequence[str], passages: Sequence[Passage], judge: Judge) -> tuple[Statement, ...]:
    """A sentence of the documents for each side, in the order of the question; none when there is none for any.

    A side of which nothing is found is named, and takes the answer's confidence: half a comparison is no answer.
    """
    numbering = Numbering()
    told = [await _told_of(side, _own_stems(side, sides), passages, judge, numbering) for side in sides]
    if not any(told):
        return ()
    said = [one or _nothing_of(side) for side, one in zip(sides, told, strict=True)]
    return _separated(_each_once(said), " ")


async def enumerate_found(question: str, passages: Sequence[Passage], judge: Judge) -> tuple[Statement, ...]:
    """What each of the first passages adds to a list; the document is named before its items when there are several."""
    kept: list[Judged] = []
    for rank, passage in enumerate(passages[:PASSAGES_A_LIST]):
        judged = await judge(question, passage)
        enough = _MIN_LISTED if rank else _MIN_SIDE
        is_sure = judged.answerable >= enough and (judged.right >= _MIN_SIDE or not rank)
        if judged.found and is_sure and not _is_said(judged, kept):
            kept.append(judged)
    numbering = Numbering()
    said = [_item(judged, numbering, is_named=len(kept) > 1) for judged in kept]
    return _separated(said, "\n")


async def _told_of(
    side: str, own: frozenset[str], passages: Sequence[Passage], judge: Judge, numbering: Numbering
) -> Statement | None:
    for passage in _nearest(side, own, passages):
        judged = await judge(f"{side}?", passage)
        quote = _sentence(side, own, passage, judged.found)
        if quote and judged.answerable >= _MIN_SIDE:
            said = _quoted(side, quote, judged, numbering)
            is_named = _share(own, frozenset(stem_text(quote.text))) >= _MIN_SIDE
            return said if is_named else _of_document(passage, said)
    return None


def _own_stems(side: str, sides: Sequence[str]) -> frozenset[str]:
    """What tells a side from the others."""
    others = frozenset(stem for other in sides if other != side for stem in stem_text(other))
    return frozenset(stem_text(side)) - others


def _nearest(side: str, own: frozenset[str], passages: Sequence[Passage]) -> Sequence[Passage]:
    """The passages that have most of the side's words, its own first of all; the search's order among equals."""
    whole = frozenset(stem_text(side))

    def held(passage: Passage) -> tuple[float, float]:
        stems = frozenset(stem_text(f"{title(passage)} {passage.text}"))
        return -_share(own, stems), -_share(whole, stems)

    return sorted(passages, key=held)[:PASSAGES_A_SIDE]


def _sentence(side: str, own: frozenset[str], passage: Passage, found: Sequence[Found]) -> Quote | None:
    """The model's sentence when it speaks of this side, else the one with most of the side's words."""
    if found and _share(own, frozenset(stem_text(f"{title(passage)} {found[0].sentence.text}"))) >= _MIN_SIDE:
        return found[0].sentence
    whole = frozenset(stem_text(side))
    quotes = [Quote(passage, sentence.start, sentence.end) for sentence in split_sentences(passage.text)]
    stems = {quote: frozenset(stem_text(quote.text)) for quote in quotes}
    speaking = [quote for quote in quotes if own and _share(own, stems[quote]) >= _MIN_SIDE]
    return max(speaking, key=lambda quote: _share(whole, stems[quote]), default=None)


def _quoted(side: str, quote: Quote, judged: Judged, numbering: Numbering) -> Statement:
    """The sentence as it stands; the words alone where it is a table's row, too long, or in another language."""
    text = " ".join(_ITEM_NUMBER.sub("", quote.text).split())
    is_sayable = len(text) <= QUOTE_MAX_CHARS and "|" not in text and is_russian(text)
    if not is_sayable and judged.found:
        said = state(judged.found[:1], judged.right, numbering)
        return Statement(f"{_capital(side)}: {said.text}", said.citations, said.confidence)
    (number, *_), citations = numbering.cite([quote])
    return Statement(_capital(with_marks(f"{text.rstrip('.;,:')}.", (number,))), citations, judged.right)


def _each_once(said: Sequence[Statement]) -> list[Statement]:
    """One sentence may speak of both sides."""
    return list({one.text: one for one in reversed(said)}.values())[::-1]


def _nothing_of(side: str) -> Statement:
    return Statement(f"Для сравнения не хватает сведений: {side} — об этом в найденных документах не сказано.", (), 0.0)


def _item(judged: Judged, numbering: Numbering, *, is_named: bool) -> Statement:
    said = state(judged.found, judged.right, numbering)
    return _of_document(judged.found[0].words.passage, said) if is_named else said


def _of_document(passage: Passage, said: Statement) -> Statement:
    """«Положение об отпусках завода: за 30 дней [1].»"""
    text = said.text[0].lower() + said.text[1:] if said.text[1:2].islower() else said.text
    return Statement(f"{PurePath(passage.document).stem}: {text}", said.citations, said.confidence)


def _is_said(judged: Judged, kept: Sequence[Judged]) -> bool:
    """Whether the same words of the same document are in the list: neighbours share their edges."""

    def words(one: Judged) -> set[tuple[str, str]]:
        return {(part.words.passage.document_id, part.words.text.casefold()) for part in one.found}

    return any(words(judged) <= words(other) for other in kept)


def _separated(said: Sequence[Statement], by: str) -> tuple[Statement, ...]:
    follow = (Statement(f"{by}{one.text}", one.citations, one.confidence) for _, one in pairwise(said))
    return (*said[:1], *follow)


def _share(wanted: frozenset[str], held: frozenset[str]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 1.0


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
