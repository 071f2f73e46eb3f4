"""A Gemma of two layers with random weights and lessons for it, so that whole courses take seconds."""

from __future__ import annotations

from pathlib import Path

from generation.model_file import sha256_of
from generation.span_prompt import Shown, Span
from tests import tiny_gguf
from training.card import DEV, TRAIN, Card, SourceCount, count_part
from training.course import Listener, Plan
from training.lessons import Lesson, Task, write_lessons
from training.record import Base
from training.run import Course
from training.weights import Lora

LESSONS = tuple(
    Lesson(
        (Shown("Положение", f"Отпуск длится {days} дней."), Shown("Приказ", "Лимит прежний.")),
        (Task("Сколько длится отпуск?", (Span(1, f"{days} дней"),)), Task("Какова премия?", ())),
    )
    for days in (14, 28, 35, 7)
)
SILENT = Listener(lambda outlook: None, lambda progress: None, lambda step, loss: None)


def tiny_base(folder: Path) -> tuple[Base, Path]:
    """A model's file and what a record says of it."""
    path = tiny_gguf.write_model(folder / "tiny.gguf", tiny_gguf.gemma_tokens(), arch="gemma3")
    return Base("tiny", path.name, sha256_of(path)), path


def data_set(folder: Path) -> Path:
    """Four lessons to learn and one to check by, with their card."""
    folder.mkdir(exist_ok=True)
    counts = []
    for name, lessons in ((TRAIN, LESSONS), (DEV, LESSONS[:1])):
        write_lessons(lessons, folder / name)
        counts.append(count_part(lessons, folder / name))
    sources = (SourceCount("проба", "Apache-2.0", 8, 4, 4),)
    Card("проба", sources, counts[0], counts[1], {}, seed=7, passes=1, encoder="проба").write(folder)
    return folder


def plan_of(folder: Path, run: str, **changes: object) -> Plan:
    """A course of two passes that keeps a checkpoint after every step."""
    settings = {"passes": 2, "lora": Lora(rank=4, alpha=4), "course": Course(checkpoint_s=0.0), "device": "cpu"}
    return Plan(data_set(folder / "data"), folder / run, **(settings | changes))  # type: ignore[arg-type]
