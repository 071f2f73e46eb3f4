"""What is asked: a question, what should come of it, and which documents it may be answered from."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from evaluation.attacks import Attack
from evaluation.retrieval_sets import Source


class Group(StrEnum):
    """Questions whose figures are printed together."""

    RETRIEVAL = "retrieval"
    KB = "kb"
    GIVEN = "given"
    END_TO_END = "end_to_end"
    REMOVED = "removed"
    FOREIGN = "foreign"
    ENGLISH = "english"
    INJECTION = "injection"
    PAIRS = "pairs"


GROUP_TITLES: Mapping[Group, str] = {
    Group.RETRIEVAL: "XQuAD: поиск абзаца",
    Group.KB: "База знаний: поиск файла",
    Group.GIVEN: "XQuAD: дан нужный абзац",
    Group.END_TO_END: "XQuAD: поиск и ответ",
    Group.REMOVED: "XQuAD: нужный абзац убран",
    Group.FOREIGN: "Вопросы из другой области",
    Group.ENGLISH: "Английские документы",
    Group.INJECTION: "Указания внутри документов",
    Group.PAIRS: "Ваши вопросы",
}
SEARCHED = frozenset({Group.RETRIEVAL, Group.KB})  # no answer is asked for


@dataclass(frozen=True, slots=True)
class Place:
    """Where the answer stands; `page` is None where any page of the document will do."""

    document: str
    page: int | None = None

    def is_at(self, document: str, page: int | None) -> bool:
        """Whether that page of that document is this place."""
        return self.document == document and self.page in (None, page)


@dataclass(frozen=True, slots=True)
class Case:
    """A question. An empty `expected` of an asked question means that a refusal is right.

    `scope` are the collections that may be searched, None being all; `place` is None where the right one is not known.
    """

    group: Group
    id: str
    question: str
    expected: str = ""
    place: Place | None = None
    scope: frozenset[str] | None = None
    attack: Attack | None = None

    @property
    def is_answerable(self) -> bool:
        """Whether an answer is right, rather than a refusal."""
        return bool(self.expected)


@dataclass(frozen=True, slots=True)
class CaseSet:
    """Documents that are put into a base of their own, and the questions asked of it."""

    name: str
    sources: tuple[Source, ...]
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks: sets by name, how many questions of each group (all where none is said), and the seed."""

    sets: tuple[str, ...]
    seed: int = 7
    limit: int | None = None
    limits: Mapping[Group, int] = field(default_factory=dict)

    def of_group(self, group: Group) -> int | None:
        """How many questions of the group are asked; None is all of them."""
        return self.limits.get(group, self.limit)


# What CI asks of every change: some two minutes on two cores.
SMALL_PLAN = Plan(
    ("xquad", "injection", "english"),
    limits={
        Group.RETRIEVAL: 200,
        Group.GIVEN: 12,
        Group.END_TO_END: 12,
        Group.REMOVED: 8,
        Group.FOREIGN: 4,
        Group.ENGLISH: 6,
        Group.INJECTION: 8,
    },
)


def sampled(asked: CaseSet, plan: Plan) -> CaseSet:
    """Keep as many questions of each group as the plan says.

    Groups over the same questions keep the same ones when their numbers are the same.
    """
    kept: list[Case] = []
    for group in dict.fromkeys(case.group for case in asked.cases):
        cases = [case for case in asked.cases if case.group is group]
        kept += _chosen(cases, plan.of_group(group), plan.seed)
    return replace(asked, cases=tuple(kept))


def _chosen(cases: Sequence[Case], limit: int | None, seed: int) -> Sequence[Case]:
    if limit is None or limit >= len(cases):
        return cases
    return random.Random(seed).sample(cases, limit)
