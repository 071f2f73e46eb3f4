"""The scale of confidence of an adapter: how its signals must be weighed so that they say how often it is right.

`python -m training.calibration DATA` asks the lessons kept from the training, with the model that the settings choose,
and prints the weights for `generation.spans` with what each threshold would refuse.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from core.settings import load_settings
from core.types import Passage
from evaluation.measures import token_f1
from generation.language_model import LanguageModel
from generation.model_choice import server_of
from generation.spans import Scale, Signals, SpansWriter
from retrieval.embedding.encoder import make_encoder
from training.lessons import Lesson, read_lessons

RIGHT_F1 = 0.5  # an answer that shares half of its words with the right one is taken for right
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


@dataclass(frozen=True, slots=True)
class Observation:
    """One question: its signals, whether the passages hold its answer, and how near the model's words came to it."""

    signals: Signals
    is_answerable: bool
    f1: float

    @property
    def is_right(self) -> bool:
        """Whether these words should be said."""
        return self.is_answerable and self.f1 >= RIGHT_F1


async def observe(writer: SpansWriter, lessons: Sequence[Lesson]) -> AsyncIterator[Observation]:
    """Ask every task of the lessons; questions on the same passages follow each other, which the model reads once."""
    for lesson in lessons:
        passages = tuple(
            Passage(n, f"{n:03}", shown.title, None, None, shown.text, 0, len(shown.text))
            for n, shown in enumerate(lesson.passages, start=1)
        )
        for task in lesson.tasks:
            found, signals = await writer.propose(task.question, passages)
            said = " ".join(part.words.text for part in found)
            right = " ".join(span.text for span in task.answer)
            yield Observation(signals, bool(task.answer), token_f1(said, right) if right else 0.0)


def fit(observations: Sequence[Observation], labels: Sequence[bool]) -> Scale:
    """The scale under which these labels are likeliest, slightly held towards zero."""
    features = np.array([seen.signals.features() for seen in observations])
    fitted = LogisticRegression(C=10.0, max_iter=2000).fit(features, labels)
    return Scale(tuple(round(float(w), 3) for w in fitted.coef_[0]), round(float(fitted.intercept_[0]), 3))


def refusals(scale: Scale, observations: Sequence[Observation]) -> list[tuple[float, float, float, float]]:
    """For each threshold: it, the share refused of unanswerable and of answerable, and F1 over the answerable."""
    probabilities = np.array([scale.probability(seen.signals) for seen in observations])
    answerable = np.array([seen.is_answerable for seen in observations])
    f1 = np.array([seen.f1 for seen in observations])
    table = []
    for threshold in THRESHOLDS:
        refused = probabilities < threshold
        kept = float((f1 * ~refused)[answerable].mean())
        table.append((threshold, float(refused[~answerable].mean()), float(refused[answerable].mean()), kept))
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with dev.jsonl, as `znayka train dataset` writes it")
    parser.add_argument("--json", type=Path, default=Path("calibration.json"))
    asked = parser.parse_args(arguments)
    observations = asyncio.run(_observed(asked.data / "dev.jsonl"))
    answerable = fit(observations, [seen.is_answerable for seen in observations])
    right = fit(observations, [seen.is_right for seen in observations])
    table = refusals(answerable, observations)
    kept = {"answerable": asdict(answerable), "right": asdict(right), "table": table}
    seen = [asdict(one) for one in observations]
    asked.json.write_text(json.dumps({**kept, "seen": seen}, indent=1), encoding="utf-8")
    rows = "".join(f"{t:9}{u:12.3f}{a:12.3f}{f:8.3f}\n" for t, u, a, f in table)
    sys.stdout.write(
        f"ANSWERABLE {answerable}\nRIGHT {right}\n{'threshold':9}{'unanswered':>12}{'answered':>12}{'F1':>8}\n{rows}"
    )


async def _observed(path: Path) -> list[Observation]:
    settings = load_settings()
    encoder = make_encoder(
        settings.embedding_model, backend=settings.embedding_backend, cache_dir=settings.cache_dir, threads=1
    )
    model = LanguageModel(server_of(settings))
    try:
        with ThreadPoolExecutor(1) as executor:
            writer = SpansWriter(model, encoder, executor)
            return [seen async for seen in observe(writer, tuple(read_lessons(path)))]
    finally:
        await model.aclose()


if __name__ == "__main__":
    main()
