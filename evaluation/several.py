"""How well questions that want several answers get them: comparisons and lists over one base of made-up documents.

`python -m evaluation.several`, with the model process up. A side or an item is right when its words stand in a
quotation of the document that says so. Documents and questions (`evaluation/data/several.jsonl`) are ours.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.settings import Settings, load_settings
from core.types import Answer
from evaluation.base import EVERYONE, open_base
from evaluation.retrieval_sets import Piece, Source
from generation.chain import Answerer, AnswerRequest, Search
from generation.language_model import LanguageModel
from generation.model_choice import server_of
from generation.writer import make_writer
from retrieval.chosen_models import chosen_encoder, chosen_reranker
from retrieval.embedding.encoder import Encoder

SEVERAL = Path(__file__).parent / "data" / "several.jsonl"


@dataclass(frozen=True, slots=True)
class Expected:
    """Words of a document that a side or an item must be answered with; empty words: anything of it."""

    document: str
    words: str

    def is_quoted(self, answer: Answer) -> bool:
        """Whether the answer cites the place."""
        return any(self.document == one.document and self.words in one.quote for one in answer.citations)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question of the kind `compare` or `list`, and all that its answer must hold."""

    kind: str
    question: str
    expected: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer: how many of its expected parts it cites, and how many citations are of none of their documents."""

    wanted: Wanted
    answer: Answer
    right: int
    foreign: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return self.right == len(self.wanted.expected)


def documents(path: Path = SEVERAL) -> tuple[Source, ...]:
    """The base: every document is one passage of its own collection's only text."""
    rows = [row for row in _rows(path) if "text" in row]
    return tuple(
        Source(
            row["document"],
            "default",
            row["text"],
            (Piece(None, 0, len(row["text"]), f"{row['document']}\n{row['text']}"),),
        )
        for row in rows
    )


def questions(path: Path = SEVERAL) -> tuple[Wanted, ...]:
    """What is asked of it."""
    return tuple(
        Wanted(row["kind"], row["question"], tuple(Expected(**one) for one in row["expected"]))
        for row in _rows(path)
        if "question" in row
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, path.read_text(encoding="utf-8").splitlines())


@contextmanager
def search_of(sources: Sequence[Source], settings: Settings, encoder: Encoder) -> Iterator[Search]:
    """The real search over the documents, as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        base = open_base(Path(folder) / "base", sources, encoder, lambda _done, _total: None)
        try:
            yield base.searcher(encoder, dense_weight=settings.dense_weight, reranker=chosen_reranker(settings)).search
        finally:
            base.close()


async def ask(wanted: Sequence[Wanted], answerer: Answerer) -> list[Outcome]:
    """Ask all of them, one after the other."""
    return [_outcome(one, await answerer.answer(AnswerRequest(one.question, EVERYONE))) for one in wanted]


def _outcome(wanted: Wanted, answer: Answer) -> Outcome:
    homes = {one.document for one in wanted.expected}
    foreign = sum(citation.document not in homes for citation in answer.citations)
    return Outcome(wanted, answer, sum(one.is_quoted(answer) for one in wanted.expected), foreign)


async def measure(settings: Settings, encoder: Encoder) -> list[Outcome]:
    """Ask the chosen model, whose process must be up."""
    model = LanguageModel(server_of(settings))
    try:
        with ThreadPoolExecutor(2) as executor, search_of(documents(), settings, encoder) as search:
            return await ask(questions(), Answerer(search, make_writer(model, encoder, executor), executor))
    finally:
        await model.aclose()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="print every answer")
    arguments = parser.parse_args()
    settings = load_settings()
    encoder = chosen_encoder(settings, threads=1)
    outcomes = asyncio.run(measure(settings, encoder))
    for outcome in outcomes if arguments.show else ():
        sys.stdout.write(f"{outcome.right}/{len(outcome.wanted.expected)} {outcome.wanted.question}\n")
        sys.stdout.write(f"      {outcome.answer.answer}\n")
    for kind in ("compare", "list"):
        of_kind = [outcome for outcome in outcomes if outcome.wanted.kind == kind]
        parts = sum(len(outcome.wanted.expected) for outcome in of_kind)
        sys.stdout.write(
            f"{kind:8}{sum(o.is_whole for o in of_kind):3} of {len(of_kind)} whole, {sum(o.right for o in of_kind):3} "
            f"of {parts} parts, {sum(o.foreign for o in of_kind)} citations of other documents\n"
        )


if __name__ == "__main__":
    main()
