"""The two question sets that retrieval is measured on, as documents in collections and questions that may see them."""

from __future__ import annotations

import json
import re
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from core.settings import Settings
from ingest.chunking import chunk, embedded_text
from ingest.limits import Limits
from ingest.readers import markdown

_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?\}|[*_`]")
_WORD = re.compile(r"\w+")
_HEADING = re.compile(r"\s*(#{1,6}\s|\*\*)")


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage at `start:end` of its document's text; `embedded` is what finds it."""

    section: str | None
    start: int
    end: int
    embedded: str


@dataclass(frozen=True, slots=True)
class Source:
    """A document of one page, cut into passages."""

    name: str
    collection: str
    text: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """Answered by the document called `answer`; `hidden` are the collections it may not see."""

    text: str
    answer: str
    hidden: frozenset[str]


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Documents and the questions about them."""

    name: str
    sources: tuple[Source, ...]
    questions: tuple[Question, ...]


def load_xquad(data: Path) -> QuestionSet:
    """XQuAD in Russian: 1,190 questions, and each of the 240 paragraphs a document of one passage, without a title."""
    articles = json.loads((data / "xquad" / "xquad.ru.json").read_text(encoding="utf-8"))["data"]
    sources, questions = [], []
    for number, paragraph in enumerate(p for article in articles for p in article["paragraphs"]):
        text = paragraph["context"]
        sources.append(Source(str(number), "default", text, (Piece(None, 0, len(text), text),)))
        questions += [Question(qa["question"], str(number), frozenset()) for qa in paragraph["qas"]]
    return QuestionSet("xquad", tuple(sources), tuple(questions))


def load_kb(data: Path, settings: Settings, *, is_verbatim: bool = False) -> QuestionSet:
    """The product knowledge base: 128 unambiguous questions, 2,886 files.

    A question stands as a heading in its own file: it sees that file without this heading, all others as they are.
    `is_verbatim` leaves those headings that hold template marks, which the questions have lost, so that the question
    does not stand there to the letter: an easier set, on which earlier base lines of this data were taken.
    """
    lines = (data / "kb" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [row for row in map(json.loads, lines) if row["clean"]]
    by_file = defaultdict(list)
    for row in asked:
        by_file[row["path"]].append(row["question"])
    variants = {(row["path"], row["question"]): f"without {number}" for number, row in enumerate(asked)}
    left: set[tuple[str, str]] = set()
    sources: list[Source] = []
    for path, content in _archived(data / "kb" / "yandex_cloud_ru.tar.xz"):
        editions = {f"whole {path}" if path in by_file else "default": content}
        editions |= {variants[path, question]: _without(content, question) for question in by_file.get(path, ())}
        left |= {(path, question) for question in by_file.get(path, ()) if is_verbatim and question not in content}
        sources += [_cut(path, collection, text, settings) for collection, text in editions.items()]
    seen = {key: f"whole {key[0]}" if key in left else variant for key, variant in variants.items()}
    questions = tuple(
        Question(question, path, (frozenset(variants.values()) | {f"whole {path}"}) - {edition})
        for (path, question), edition in seen.items()
    )
    return QuestionSet("kb", tuple(sources), questions)


def load_kb_asked(data: Path, settings: Settings) -> QuestionSet:
    """Only the files of that knowledge base that the 128 questions are about, without any of their headings."""
    lines = (data / "kb" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [row for row in map(json.loads, lines) if row["clean"]]
    by_file = defaultdict(list)
    for row in asked:
        by_file[row["path"]].append(row["question"])
    sources = []
    for path, content in _archived(data / "kb" / "yandex_cloud_ru.tar.xz"):
        if path in by_file:
            bare = reduce(_without, by_file[path], content)
            sources.append(_cut(path, path, bare, settings))
    questions = tuple(Question(row["question"], row["path"], frozenset()) for row in asked)
    return QuestionSet("kb", tuple(sources), questions)


def _cut(name: str, collection: str, content: str, settings: Settings) -> Source:
    """Read and cut a Markdown file as the worker does."""
    with tempfile.NamedTemporaryFile("w", suffix=".md", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        parsed = markdown.read(Path(file.name), Limits.of(settings), lambda _done, _total: None)
    chunks = chunk(parsed, max_chars=settings.passage_max_chars, overlap_chars=settings.passage_overlap_chars)
    pieces = tuple(Piece(one.section, one.start, one.end, embedded_text(name, one)) for one in chunks)
    return Source(name, collection, parsed.pages[0].text, pieces)


def _archived(path: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda one: one.name):
            file = archive.extractfile(member) if member.name.endswith(".md") else None
            if file is not None:
                yield member.name.removeprefix("./"), file.read().decode("utf-8")


def _without(content: str, question: str) -> str:
    heading = _words(question)
    return "\n".join(line for line in content.splitlines() if not (_HEADING.match(line) and _words(line) == heading))


def _words(text: str) -> list[str]:
    return _WORD.findall(_TEMPLATE.sub("", text).casefold())
