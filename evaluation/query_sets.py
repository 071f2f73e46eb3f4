"""Questions as they are typed beside what was meant, over documents of several kinds in one base."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from core.settings import Settings
from evaluation.retrieval_sets import Piece, QuestionSet, Source
from evaluation.spoiling import Spoiling, spoil
from evaluation.xquad import load_paragraphs
from ingest import readers
from ingest.chunking import chunk, embedded_text
from ingest.limits import Limits

CLEAN = "clean"
REFERENCE = "reference"
_OFFICIAL = (
    "law/gpk_rf.cp1251.txt",
    "dedoc/laws/minsport_24.12.2013_1112.txt",
    "dedoc/laws/doctypes/постановление.txt",
    "dedoc/laws/doctypes/приказ.txt",
    "dedoc/laws/doctypes/инструкция.txt",
)
_EXAMPLES = (".pdf", ".docx", ".md")


@dataclass(frozen=True, slots=True)
class Typed:
    """A query as typed and as meant; the right passage is of `document` and holds the words `holds`.

    Without a document there is nothing to find: such a query only must not be changed. What is asked of a reference is
    `meant` in words of the place itself, which names no number.
    """

    kind: str
    typed: str
    meant: str
    document: str = ""
    holds: str = ""


def read_rows(name: str) -> list[dict[str, Any]]:
    """Read a file of JSON lines that the package carries."""
    lines = files("evaluation").joinpath(f"data/{name}").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def load_written() -> tuple[Typed, ...]:
    """Those that the package carries, written by hand over the examples, its own orders and official texts."""
    return tuple(Typed(**row) for row in read_rows("queries.jsonl"))


def load_spoilt(asked: Sequence[Typed], *, each: int, seed: int) -> Iterator[Typed]:
    """Spoil `each` of the clean questions in every way; one that a way leaves as it is, is not taken."""
    chance = random.Random(seed)
    for how in Spoiling:
        spoilt = (
            Typed(how, spoil(one.meant, how, chance), one.meant, one.document) for one in _shuffled(asked, chance)
        )
        changed = (one for one in spoilt if one.typed != one.meant)
        yield from (one for one, _ in zip(changed, range(each), strict=False))


def load_clean(data: Path, kb: QuestionSet) -> tuple[Typed, ...]:
    """Questions as their authors typed them: XQuAD's `train` articles, and the product knowledge base."""
    paragraphs = (one for one in load_paragraphs(data) if not one.is_dev)
    xquad = [
        Typed(CLEAN, one.text, one.text, paragraph.name) for paragraph in paragraphs for one in paragraph.questions
    ]
    return (*xquad, *(Typed(CLEAN, one.text, one.text, one.answer) for one in kb.questions))


def load_documents(data: Path, examples: Path, kb: QuestionSet, settings: Settings) -> tuple[Source, ...]:
    """XQuAD's paragraphs, files of the knowledge base that are asked about, examples, orders and official texts."""
    ours = [path for path in sorted(examples.iterdir()) if path.suffix in _EXAMPLES]
    official = [data / "documents" / name for name in _OFFICIAL]
    read = [_read(path, settings) for path in (*ours, *official)]
    paragraphs = (one.source for one in load_paragraphs(data))
    return (*paragraphs, *kb.sources, *(_order(row) for row in read_rows("orders.jsonl")), *read)


def _shuffled(asked: Sequence[Typed], chance: random.Random) -> Sequence[Typed]:
    return chance.sample(asked, len(asked))


def _order(row: dict[str, str]) -> Source:
    name, text = row["document"], row["text"]
    return Source(name, name, text, (Piece(None, 0, len(text), f"{Path(name).stem}\n{text}"),))


def _read(path: Path, settings: Settings) -> Source:
    """Read a file as the worker does; its pages become one."""
    parsed = readers.read(path, path.name, Limits.of(settings), lambda _done, _total: None)
    starts = [sum(len(page.text) + 1 for page in parsed.pages[:at]) for at in range(len(parsed.pages))]
    chunks = chunk(parsed, max_chars=settings.passage_max_chars, overlap_chars=settings.passage_overlap_chars)
    pieces = tuple(
        Piece(one.section, starts[one.page_position] + one.start, starts[one.page_position] + one.end,
              embedded_text(path.name, one))
        for one in chunks
    )  # fmt: skip
    return Source(path.name, path.name, "\n".join(page.text for page in parsed.pages), pieces)
