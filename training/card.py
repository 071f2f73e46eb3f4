"""The data card: what a data set is made of, for people (`card.md`) and programs (`card.json`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import InvalidRequest
from generation.model_file import sha256_of, write_atomically
from training.lessons import Lesson

TRAIN, DEV = "train.jsonl", "dev.jsonl"
_CARD = "card.json"


@dataclass(frozen=True, slots=True)
class SourceCount:
    """What one source gave after cleaning."""

    name: str
    licence: str
    passages: int
    questions: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class PartCount:
    """Lessons of one part, and their tasks by kind: one span, several, none in the passages shown."""

    lessons: int
    passages: int
    one_span: int
    several_spans: int
    no_answer: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that says what the data are and how to make them again."""

    name: str
    sources: tuple[SourceCount, ...]
    train: PartCount
    dev: PartCount
    dropped: Mapping[str, int]
    seed: int
    passes: int
    encoder: str

    @property
    def licences(self) -> tuple[str, ...]:
        """Terms of all sources, each once."""
        return tuple(dict.fromkeys(source.licence for source in self.sources))

    def write(self, folder: Path) -> None:
        """Write both forms beside the lessons."""
        write_atomically(folder / _CARD, json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n")
        write_atomically(folder / "card.md", _markdown(self))


def read_card(folder: Path) -> Card:
    """Read what `Card.write` wrote.

    Raises `InvalidRequest` when the folder holds no data set, or its lessons are not those that the card describes.
    """
    try:
        row = json.loads((folder / _CARD).read_text(encoding="utf-8"))
        sources = tuple(SourceCount(**source) for source in row["sources"])
        parts = {part: PartCount(**row[part]) for part in ("train", "dev")}
        card = Card(**{**row, "sources": sources, **parts})
        is_whole = all(sha256_of(folder / file) == part.sha256 for file, part in ((TRAIN, card.train), (DEV, card.dev)))
    except (OSError, ValueError, TypeError, KeyError) as exc:
        detail = f"В {folder} нет набора данных: {exc}. Соберите его: znayka train dataset --output {folder}"
        raise InvalidRequest("no_dataset", detail) from exc
    if not is_whole:
        detail = f"Файлы в {folder} изменились после сборки: хеши не те, что в {_CARD}. Соберите набор заново."
        raise InvalidRequest("changed_dataset", detail)
    return card


def count_part(lessons: Sequence[Lesson], file: Path) -> PartCount:
    """Count the lessons that were written to `file`."""
    spans = [len(task.answer) for lesson in lessons for task in lesson.tasks]
    return PartCount(
        lessons=len(lessons),
        passages=sum(len(lesson.passages) for lesson in lessons),
        one_span=sum(n == 1 for n in spans),
        several_spans=sum(n > 1 for n in spans),
        no_answer=sum(n == 0 for n in spans),
        sha256=sha256_of(file),
    )


def _markdown(card: Card) -> str:
    sources = [f"| {s.name} | {s.licence} | {s.passages} | {s.questions} | {s.unanswered} |" for s in card.sources]
    parts = [
        f"| {name} | {p.lessons} | {p.passages} | {p.one_span} | {p.several_spans} | {p.no_answer} | `{p.sha256}` |"
        for name, p in ((TRAIN, card.train), (DEV, card.dev))
    ]
    dropped = [f"* {why}: {n}" for why, n in card.dropped.items() if n] or ["* ничего"]
    return "\n".join(
        [
            f"# Набор данных «{card.name}»",
            "",
            f"Собран командой `znayka train dataset`: seed {card.seed}, проходов {card.passes}, кодировщик "
            f"{card.encoder}. Каждый ответ стоит в своём отрывке слово в слово.",
            "",
            "| источник | условия | отрывков | вопросов с ответом | без ответа |",
            "|---|---|---|---|---|",
            *sources,
            "",
            "| файл | уроков | отрывков | ответ — одно место | несколько мест | ответа нет | SHA-256 |",
            "|---|---|---|---|---|---|---|",
            *parts,
            "",
            "Отброшено:",
            "",
            *dropped,
            "",
        ]
    )
