"""A whole course: from a data set's folder to a trained adapter, in a folder of its own that can be taken up again."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from core.errors import InvalidRequest
from training.card import DEV, TRAIN, read_card
from training.checkpoint import CHECKPOINT, read_adapter
from training.hardware import DeviceName, PrecisionName, device_of, precision_of
from training.lessons import read_lessons, tree_of
from training.outlook import Outlook, outlook
from training.packing import Tree, pack
from training.record import Base, Record, read_record
from training.run import Course, Outcome, Progress, Teacher
from training.tokens import ModelTokenizer, Tokenizer
from training.weights import Lora, Student

_LOG = "log.jsonl"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train and how long.

    `lessons` ends the course after so many of the passes' lessons, 0 after all; `start` is the folder of an earlier run
    whose adapter the course begins with.
    """

    data: Path
    folder: Path
    passes: int = 1
    lessons: int = 0
    lora: Lora = field(default_factory=Lora)
    course: Course = field(default_factory=Course)
    device: DeviceName = "auto"
    precision: PrecisionName = "auto"
    dev_every_s: float = 1800.0
    start: Path | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told: `outlook` before the first lesson, `progress` after every step, `dev` of every dev loss."""

    outlook: Callable[[Outlook], None]
    progress: Callable[[Progress], None]
    dev: Callable[[int, float], None]


@dataclass(frozen=True, slots=True)
class Finished:
    """A course that was gone through, and the mean loss on the documents kept for checking, nats a token."""

    outcome: Outcome
    dev_loss: float


def conduct(plan: Plan, base: Base, model: Path, listener: Listener) -> Finished:
    """Train an adapter over `model`, or go on where a killed run of the same plan stopped.

    Raises `InvalidRequest` when the folder holds another run or the data are not a data set.
    """
    record = _record(plan, base)
    tokenizer = ModelTokenizer.of(model)
    train = tuple(trees(plan.data / TRAIN, tokenizer))
    dev = tuple(trees(plan.data / DEV, tokenizer))
    device = device_of(plan.device)
    student = Student(model, plan.lora, device, precision_of(plan.precision, device))
    if plan.start:
        student.load_adapter(_adapter(plan.start, record))
    record.write(plan.folder)
    lessons = repeated(train, plan)
    listener.outlook(outlook(lessons, student))
    examiner = Examiner(student, dev, plan, listener)
    outcome = Teacher(student, plan.course, plan.folder).teach(lessons, examiner.hear)
    return Finished(outcome, examiner.examine(outcome.steps, outcome.loss))


class Examiner:
    """Measures the dev loss every so often between the steps of a course, and keeps the figures in `log.jsonl`."""

    def __init__(self, student: Student, dev: Sequence[Tree], plan: Plan, listener: Listener) -> None:
        self._student = student
        self._dev = dev
        self._plan = plan
        self._listener = listener
        self._examined_s = time.monotonic()

    def hear(self, progress: Progress) -> None:
        """Pass a step on; examine when it is time, unless the course is over anyway."""
        self._listener.progress(progress)
        is_due = time.monotonic() - self._examined_s > self._plan.dev_every_s
        if is_due and progress.step < progress.steps:
            self.examine(progress.step, progress.loss)
            self._examined_s = time.monotonic()

    def examine(self, step: int, train_loss: float) -> float:
        """The mean loss over the dev lessons, dropout off; the student goes on learning afterwards."""
        self._student.train(is_training=False)
        with torch.no_grad():
            losses = [float(self._student.loss(pack(tree, window=self._student.window))) for tree in self._dev]
        self._student.train()
        loss = sum(losses) / len(losses)
        row = {"step": step, "train_loss": train_loss, "dev_loss": loss}
        with (self._plan.folder / _LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self._listener.dev(step, loss)
        return loss


def trees(path: Path, tokenizer: Tokenizer) -> Iterator[Tree]:
    """The lessons of a file as token ids; those without a question teach nothing and are left out."""
    return (tree_of(lesson, tokenizer) for lesson in read_lessons(path) if lesson.tasks)


def repeated(lessons: Sequence[Tree], plan: Plan) -> list[Tree]:
    """The lessons once a pass, first in their own order, then in others that the seed decides; as many as planned."""
    order = list(lessons)
    shuffled = random.Random(plan.course.seed)
    passes = list(order)
    for _ in range(plan.passes - 1):
        shuffled.shuffle(order)
        passes += order
    return passes[: plan.lessons or None]


def _record(plan: Plan, base: Base) -> Record:
    card = read_card(plan.data)
    record = Record(
        base, plan.lora.rank, plan.lora.alpha, card.name, card.train.sha256, plan.passes, licences=card.licences
    )
    plan.folder.mkdir(parents=True, exist_ok=True)
    if (plan.folder / CHECKPOINT).exists() and read_record(plan.folder) != record:
        detail = (
            f"В {plan.folder} лежит обучение на других данных, другой модели или с другими настройками. "
            "Укажите другую папку или удалите эту."
        )
        raise InvalidRequest("other_course", detail)
    return record


def _adapter(folder: Path, record: Record) -> dict[str, torch.Tensor]:
    earlier = read_record(folder)
    if (earlier.base, earlier.rank, earlier.alpha) != (record.base, record.rank, record.alpha):
        detail = (
            f"Адаптер в {folder} учили над моделью {earlier.base.name} с --rank {earlier.rank} "
            f"--alpha {earlier.alpha}: продолжить можно только с теми же."
        )
        raise InvalidRequest("other_adapter", detail)
    return read_adapter(folder)
