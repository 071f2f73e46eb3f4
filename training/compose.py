"""Lessons of materials: each passage among others that retrieval would bring with it, its questions, and open ones."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from generation.span_prompt import Shown, Span
from training import open_questions
from training.lessons import Lesson, Task
from training.material import Material, Question

T = TypeVar("T")
Neighbours = Mapping[str, Sequence[str]]  # of a material's id, the ids that retrieval ranks next to it, nearest first


@dataclass(frozen=True, slots=True)
class Mixture:
    """How lessons are mixed. `passages` are weights of 1, 2, … passages a lesson; the limits count questions.

    The service shows the model one passage at a time, so most lessons do.
    """

    passages: tuple[float, ...] = (0.9, 0.07, 0.03)
    near: int = 8  # distractors are drawn from so many neighbours
    questions_per_passage: int = 10
    unanswered_per_passage: int = 3
    foreign_per_lesson: int = 8  # questions of neighbours that nothing shown answers
    chars_max: int = 3000  # of all passages together
    nameless: float = 0.3  # share of passages shown under a file's name that says nothing


class Composer:
    """Makes passes over materials; each pass shows every material once, in other company than the pass before."""

    def __init__(self, materials: Sequence[Material], neighbours: Neighbours, mixture: Mixture, seed: int) -> None:
        self._materials = {material.id: material for material in materials}
        self._neighbours = neighbours
        self._mixture = mixture
        self._random = random.Random(seed)

    def lessons(self, passes: int) -> Iterator[Lesson]:
        """Give the lessons of `passes` passes, shuffled within each."""
        for _ in range(passes):
            left = dict.fromkeys(self._random.sample(sorted(self._materials), len(self._materials)))
            while left:
                first = next(iter(left))
                shown = self._company(first)
                for id_ in shown:
                    left.pop(id_, None)
                yield self._lesson(shown)

    def _company(self, first: str) -> list[str]:
        wanted = 1 + self._random.choices(range(len(self._mixture.passages)), self._mixture.passages)[0]
        near = [id_ for id_ in self._neighbours[first] if id_ in self._materials][: self._mixture.near]
        shown, room = [first], self._mixture.chars_max - len(self._materials[first].text)
        for id_ in self._random.sample(near, len(near)):
            if len(shown) < wanted and len(self._materials[id_].text) <= room:
                shown.append(id_)
                room -= len(self._materials[id_].text)
        # The service shows passages by document and place, not by rank; ids of documents are random there.
        self._random.shuffle(shown)
        return shown

    def _lesson(self, shown: Sequence[str]) -> Lesson:
        mixture = self._mixture
        tasks: list[Task] = []
        for n, id_ in enumerate(shown, start=1):
            material = self._materials[id_]
            tasks += [_task(n, q) for q in self._some(material.questions, mixture.questions_per_passage)]
            tasks += [Task(q, ()) for q in self._some(material.unanswered, mixture.unanswered_per_passage)]
        tasks += [Task(question.text, ()) for question in self._foreign(shown)]
        self._random.shuffle(tasks)
        passages = (Shown.of(self._title(id_), self._materials[id_].text) for id_ in shown)
        return Lesson(tuple(passages), tuple(tasks))

    def _title(self, id_: str) -> str:
        is_nameless = self._random.random() < self._mixture.nameless
        return f"Документ {self._random.randint(1, 999)}" if is_nameless else self._materials[id_].title

    def _foreign(self, shown: Sequence[str]) -> list[Question]:
        """Questions that the search might bring these passages for; those of their own documents first."""
        visible = [self._materials[id_] for id_ in shown]
        documents, page = {material.document for material in visible}, open_questions.Shown(visible)
        hidden = [self._materials[id_] for id_ in self._neighbours[shown[0]] if id_ in self._materials]
        kin: list[Question] = []
        strangers: list[Question] = []
        for material in (material for material in hidden if material.id not in shown):
            found = kin if material.document in documents else strangers
            found += [question for question in material.questions if page.leaves_open(question, material)]
        most = self._mixture.foreign_per_lesson
        taken = self._some(kin, most - most // 4)
        return taken + self._some(strangers, min(most // 4, most - len(taken)))

    def _some(self, among: Sequence[T], most: int) -> list[T]:
        return self._random.sample(list(among), min(most, len(among)))


def _task(n: int, question: Question) -> Task:
    return Task(question.text, tuple(Span(n, " ".join(answer.split())) for answer in question.answers))
