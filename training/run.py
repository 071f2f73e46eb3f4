"""Teaching: AdamW, a cosine that warms up first; killed at any moment, it goes on from the last checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from core.errors import InvalidRequest
from training.checkpoint import CHECKPOINT, read_checkpoint
from training.packing import Tree, pack
from training.weights import Student


@dataclass(frozen=True, slots=True)
class Course:
    """How to teach. `lessons_per_step` gradients are averaged; `checkpoint_s` is seconds between checkpoints."""

    learning_rate: float = 5e-4
    warm_up: float = 0.05
    lessons_per_step: int = 1
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    checkpoint_s: float = 120.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the course is. `loss` is the running mean of recent lessons in nats a token, `left_s` the expected rest."""

    step: int
    steps: int
    loss: float
    left_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished course gave: its last running loss and the seconds it took, interruptions not counted."""

    steps: int
    loss: float
    seconds: float


class Teacher:
    """Runs a course over the trees of a data set's lessons, in their order."""

    def __init__(self, student: Student, course: Course, folder: Path) -> None:
        """`folder` keeps `checkpoint.pt`."""
        self._student = student
        self._course = course
        self._checkpoint = folder / CHECKPOINT
        self._optimizer = torch.optim.AdamW(
            student.parameters(), lr=course.learning_rate, weight_decay=course.weight_decay
        )
        self._step = 0
        self._loss = float("nan")
        self._seconds = 0.0

    def teach(self, trees: Sequence[Tree], tell: Callable[[Progress], None]) -> Outcome:
        """Go through all lessons once, from where a checkpoint left off; `tell` is called after every step."""
        self._resume(len(trees))
        self._student.train()
        steps = math.ceil(len(trees) / self._course.lessons_per_step)
        saved_s = started_s = time.monotonic()
        done_before, seconds_before = self._step, self._seconds
        while self._step < steps:
            self._learn(trees[self._step * self._course.lessons_per_step :][: self._course.lessons_per_step], steps)
            now_s = time.monotonic()
            self._seconds = seconds_before + now_s - started_s
            pace_s = (now_s - started_s) / (self._step - done_before)
            tell(Progress(self._step, steps, self._loss, pace_s * (steps - self._step)))
            if now_s - saved_s > self._course.checkpoint_s or self._step == steps:
                self._save(len(trees))
                saved_s = now_s
        return Outcome(steps, self._loss, self._seconds)

    def _learn(self, trees: Sequence[Tree], steps: int) -> None:
        torch.manual_seed(self._course.seed + self._step)  # dropout is the same after a resumption
        for group in self._optimizer.param_groups:
            group["lr"] = self._course.learning_rate * pace(self._step / steps, self._course.warm_up)
        loss = 0.0
        for tree in trees:
            of_lesson = self._student.loss(pack(tree, window=self._student.window)) / len(trees)
            of_lesson.backward()  # type: ignore[no-untyped-call]
            loss += float(of_lesson.detach())
        torch.nn.utils.clip_grad_norm_(self._student.parameters(), self._course.clip_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._loss = loss if math.isnan(self._loss) else 0.97 * self._loss + 0.03 * loss
        self._step += 1

    def _save(self, lessons: int) -> None:
        state = {
            "course": asdict(self._course),
            "lessons": lessons,
            "step": self._step,
            "loss": self._loss,
            "seconds": self._seconds,
            "adapter": self._student.adapter(),
            "optimizer": self._optimizer.state_dict(),
        }
        aside = self._checkpoint.with_suffix(".tmp")
        torch.save(state, aside)
        aside.replace(self._checkpoint)

    def _resume(self, lessons: int) -> None:
        if not self._checkpoint.exists():
            return
        state = read_checkpoint(self._checkpoint.parent)
        if (state["course"], state["lessons"]) != (asdict(self._course), lessons):
            raise InvalidRequest(
                "other_course",
                f"В {self._checkpoint.parent} лежит незаконченное обучение с другими данными или настройками. "
                "Укажите другую папку или удалите эту.",
            )
        self._student.load_adapter(state["adapter"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._step, self._loss, self._seconds = state["step"], state["loss"], state["seconds"]


def pace(done: float, warm_up: float) -> float:
    """Share of the full learning rate when `done` (0..1) of the course is over: up, then down in a cosine to 5 %."""
    if done < warm_up:
        return (done + 1e-3) / warm_up
    return 0.05 + 0.95 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up))) / 2
