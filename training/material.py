"""What is learnt from: passages, questions whose answers stand in them word for word, and questions they leave open."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the words that answer it, in order; more than one for a list or a comparison."""

    text: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Material:
    """A passage of `document` with its questions. `unanswered` sound as if it held their answer, but it does not."""

    id: str
    document: str
    title: str
    text: str
    questions: tuple[Question, ...]
    unanswered: tuple[str, ...] = ()


def read_materials(path: Path) -> Iterator[Material]:
    """Read JSON lines of `{id, title, text, qas: [{q, a: [words]}], none: [question]}`; `document` is the id up to «#».

    Raises `InvalidRequest` that names the line when one is not so, or an answer does not stand in its text.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            yield checked(material_of(json.loads(line)))
        except (ValueError, KeyError, TypeError) as exc:
            raise InvalidRequest("bad_material", f"{path.name}, строка {number}: {exc}") from exc


def checked(material: Material) -> Material:
    """The same material; raise `ValueError` when an answer does not stand in the text."""
    for question in material.questions:
        for answer in question.answers:
            if answer not in material.text:
                raise ValueError(f"ответа «{answer}» нет в тексте «{material.id}»")
    return material


def material_of(row: dict[str, Any]) -> Material:
    """A material of the row that `read_materials` describes. Raises `KeyError` or `TypeError` for another."""
    questions = tuple(Question(item["q"], tuple(item["a"])) for item in row["qas"])
    document = row["id"].partition("#")[0]
    return Material(row["id"], document, row["title"], row["text"], questions, tuple(row.get("none", ())))


def read_xquad(path: Path, titles: Iterable[str]) -> Iterator[Material]:
    """Read the articles named `titles` of a file in SQuAD's format, a material a paragraph."""
    wanted = set(titles)
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for position, paragraph in enumerate(article["paragraphs"]):
            if article["title"] in wanted:
                asked = tuple(Question(q["question"], (q["answers"][0]["text"],)) for q in paragraph["qas"])
                title = article["title"].replace("_", " ")
                yield Material(f"{article['title']}#{position}", article["title"], title, paragraph["context"], asked)
