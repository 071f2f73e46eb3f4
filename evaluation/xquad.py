"""XQuAD in Russian: every question for the search, those of the `dev` articles for answers and refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluation.cases import Case, CaseSet, Group, Place
from evaluation.retrieval_sets import Piece, Source


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph that is a document in a collection of its own, so that it can be shown or hidden by itself."""

    name: str
    text: str
    questions: tuple[Question, ...]
    is_dev: bool

    @property
    def source(self) -> Source:
        """The paragraph as one passage, found by its text alone, without the title."""
        return Source(self.name, self.name, self.text, (Piece(None, 0, len(self.text), self.text),))


@dataclass(frozen=True, slots=True)
class Question:
    """A question with the words of its paragraph that answer it."""

    id: str
    text: str
    answer: str


def load_xquad_cases(data: Path) -> CaseSet:
    """All 240 paragraphs; 1,190 questions for the search, and the 270 of `dev` given, end to end and unanswerable."""
    paragraphs = load_paragraphs(data)
    everything = frozenset(paragraph.name for paragraph in paragraphs)
    asked = [(paragraph, question) for paragraph in paragraphs for question in paragraph.questions]
    dev = [(paragraph, question) for paragraph, question in asked if paragraph.is_dev]
    cases = [_case(Group.RETRIEVAL, paragraph, question, None) for paragraph, question in asked]
    cases += [_case(Group.GIVEN, paragraph, question, frozenset({paragraph.name})) for paragraph, question in dev]
    cases += [_case(Group.END_TO_END, paragraph, question, None) for paragraph, question in dev]
    cases += [
        Case(Group.REMOVED, question.id, question.text, scope=everything - {paragraph.name})
        for paragraph, question in dev
    ]
    cases += _foreign(data)
    return CaseSet("xquad", tuple(paragraph.source for paragraph in paragraphs), tuple(cases))


def load_paragraphs(data: Path) -> tuple[Paragraph, ...]:
    """The paragraphs in the file's order, named after their article and place in it."""
    folder = data / "xquad"
    dev = frozenset(json.loads((folder / "split.json").read_text(encoding="utf-8"))["dev"])
    return tuple(
        Paragraph(
            f"{article['title'].replace('_', ' ')}, {number}",
            paragraph["context"],
            tuple(Question(qa["id"], qa["question"].strip(), qa["answers"][0]["text"]) for qa in paragraph["qas"]),
            article["title"] in dev,
        )
        for article in json.loads((folder / "xquad.ru.json").read_text(encoding="utf-8"))["data"]
        for number, paragraph in enumerate(article["paragraphs"], start=1)
    )


def _case(group: Group, paragraph: Paragraph, question: Question, scope: frozenset[str] | None) -> Case:
    return Case(group, question.id, question.text, question.answer, Place(paragraph.name), scope)


def _foreign(data: Path) -> Iterator[Case]:
    """Questions about a cloud product, which no encyclopedia article answers."""
    for line in (data / "kb" / "questions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["clean"]:
            yield Case(Group.FOREIGN, row["id"], row["question"])
