"""The scales of confidence of an adapter: how its signals must be weighed so that they say how often it is right.

The lessons kept from the training are asked as the service asks, by the model with the adapter over it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from core.errors import InvalidRequest
from core.types import Passage
from evaluation.measures import token_f1
from generation.scales import Scale, Scales, Signals
from generation.spans import SpansWriter
from training.lessons import Lesson

RIGHT_F1 = 0.5  # an answer that shares half of its words with the right one is taken for right
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(6, 19))


@dataclass(frozen=True, slots=True)
class Observation:
    """A question of the lesson with this number: signals, whether the passages answer it, how near the words came."""

    signals: Signals
    is_answerable: bool
    f1: float
    lesson: int = 0

    @property
    def is_right(self) -> bool:
        """Whether these words should be said."""
        return self.is_answerable and self.f1 >= RIGHT_F1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a threshold of `Scales.answerable` does: shares refused, and token F1 over answerable questions."""

    threshold: float
    refused_unanswerable: float
    refused_answerable: float
    f1: float


async def observe(
    writer: SpansWriter, lessons: Sequence[Lesson], on_asked: Callable[[int, int], None]
) -> list[Observation]:
    """Ask every task of the lessons; questions on the same passages follow each other, which the model reads once."""
    total = sum(len(lesson.tasks) for lesson in lessons)
    seen: list[Observation] = []
    for number, lesson in enumerate(lessons):
        passages = tuple(
            Passage(n, f"{n:03}", shown.title, None, None, shown.text, 0, len(shown.text))
            for n, shown in enumerate(lesson.passages, start=1)
        )
        for task in lesson.tasks:
            found, signals = await writer.propose(task.question, passages)
            said = " ".join(part.words.text for part in found)
            right = " ".join(span.text for span in task.answer)
            f1 = token_f1(said, right) if right else 0.0
            seen.append(Observation(signals, bool(task.answer), f1, number))
            on_asked(len(seen), total)
    return seen


def fit_scales(observations: Sequence[Observation]) -> Scales:
    """The scales under which these outcomes are likeliest.

    Raises `InvalidRequest` when all outcomes are alike: nothing can be told from them.
    """
    if not _is_varied(observations):
        detail = (
            "Шкалу не подобрать: среди проверочных нужны вопросы с ответом и без, а ответы модели должны быть и "
            "верными, и нет. Добавьте вопросов в набор или учите дольше."
        )
        raise InvalidRequest("nothing_to_fit", detail)
    answerable = [seen.is_answerable for seen in observations]
    return Scales(fit(observations, answerable), fit(observations, [seen.is_right for seen in observations]))


def held_out(observations: Sequence[Observation]) -> tuple[list[Outcome], int] | None:
    """What thresholds do to the questions of every second lesson under scales fitted to the others, and their number.

    None when there are too few, or too like each other, for halves.
    """
    fitted = [seen for seen in observations if seen.lesson % 2 == 0]
    rest = [seen for seen in observations if seen.lesson % 2]
    if not _is_varied(fitted) or not _is_varied(rest):
        return None
    return outcomes(fit_scales(fitted), rest), len(rest)


def _is_varied(observations: Sequence[Observation]) -> bool:
    return len({seen.is_answerable for seen in observations}) == len({seen.is_right for seen in observations}) == 2


def fit(observations: Sequence[Observation], labels: Sequence[bool]) -> Scale:
    """The scale under which these labels are likeliest, slightly held towards zero."""
    features = np.array([seen.signals.features() for seen in observations])
    fitted = LogisticRegression(C=10.0, max_iter=2000).fit(features, labels)
    return Scale(tuple(round(float(w), 3) for w in fitted.coef_[0]), round(float(fitted.intercept_[0]), 3))


def outcomes(scales: Scales, observations: Sequence[Observation]) -> list[Outcome]:
    """What each threshold would refuse."""
    probabilities = np.array([scales.answerable.probability(seen.signals) for seen in observations])
    answerable = np.array([seen.is_answerable for seen in observations])
    f1 = np.array([seen.f1 for seen in observations])
    table = []
    for threshold in THRESHOLDS:
        refused = probabilities < threshold
        kept = float((f1 * ~refused)[answerable].mean())
        table.append(Outcome(threshold, float(refused[~answerable].mean()), float(refused[answerable].mean()), kept))
    return table
