"""A lesson: some passages as retrieval would show them, and questions on them with their answers or none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from generation.span_prompt import Shown, Span, answer_pieces, context_text, question_text
from training.packing import Branch, Tree
from training.tokens import Tokenizer


@dataclass(frozen=True, slots=True)
class Task:
    """A question on a lesson's passages; no `answer` where they hold none."""

    question: str
    answer: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """Passages in the order of the prompt, and the questions asked of exactly these."""

    passages: tuple[Shown, ...]
    tasks: tuple[Task, ...]


def tree_of(lesson: Lesson, tokenizer: Tokenizer) -> Tree:
    """Token ids of a lesson, exactly as the model process makes them of the same texts."""
    trunk = (tokenizer.bos, *tokenizer.ids(context_text(lesson.passages)))
    return Tree(trunk, tuple(_branch(task, tokenizer) for task in lesson.tasks))


def _branch(task: Task, tokenizer: Tokenizer) -> Branch:
    answer = (token for piece in answer_pieces(task.answer) for token in tokenizer.ids(piece))
    return Branch(tokenizer.ids(question_text(task.question)), tuple(answer))


def write_lessons(lessons: Iterable[Lesson], path: Path) -> int:
    """Write JSON lines `{passages: [{title, text}], tasks: [{question, answer: [{n, text}]}]}`; return how many."""
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for lesson in lessons:
            file.write(json.dumps(_row(lesson), ensure_ascii=False) + "\n")
            written += 1
    return written


def read_lessons(path: Path) -> Iterator[Lesson]:
    """Read what `write_lessons` wrote."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            passages = tuple(Shown(p["title"], p["text"]) for p in row["passages"])
            tasks = (Task(t["question"], tuple(Span(s["n"], s["text"]) for s in t["answer"])) for t in row["tasks"])
            yield Lesson(passages, tuple(tasks))


def _row(lesson: Lesson) -> dict[str, object]:
    return {
        "passages": [{"title": p.title, "text": p.text} for p in lesson.passages],
        "tasks": [
            {"question": t.question, "answer": [{"n": s.n, "text": s.text} for s in t.answer]} for t in lesson.tasks
        ],
    }
