"""How sure an answer of the taught model is: its signals, weighed by scales that were fitted to its adapter."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import Misconfigured
from generation.model_file import write_atomically


@dataclass(frozen=True, slots=True)
class Signals:
    """What speaks for an answer. Log-probabilities are natural and the model's own.

    `answering` is how much likelier the model found it to answer than to refuse; `mean` and `least` are of the words;
    `near` is the cosine of question and sentence, `shared` the share of the question's stems that the sentence and the
    passage's title hold.
    """

    answering: float
    mean: float
    least: float
    near: float
    shared: float

    def features(self) -> NDArray[np.float64]:
        """The five numbers, (5,), bounded so that none decides alone."""
        return np.array(
            [np.clip(self.answering, -8, 8), max(self.mean, -4.0), max(self.least, -8.0), self.near, self.shared]
        )


@dataclass(frozen=True, slots=True)
class Scale:
    """A logistic regression of `Signals.features`."""

    weights: tuple[float, ...]
    bias: float

    def probability(self, signals: Signals) -> float:
        """What the scale measures, 0..1."""
        return 1 / (1 + math.exp(-float(signals.features() @ np.array(self.weights) + self.bias)))


@dataclass(frozen=True, slots=True)
class Scales:
    """Of one adapter: whether the passages hold an answer, and whether the words are it.

    Two, because an answer may be wanting where the passages hold one: such a question is not to be refused.
    """

    answerable: Scale
    right: Scale

    def write(self, path: Path) -> None:
        """Keep them in a file, whole or not at all."""
        write_atomically(path, json.dumps(asdict(self), indent=1) + "\n")


def beside(adapter: Path) -> Path:
    """Where the scales of an adapter's file are."""
    return adapter.with_suffix(".scale.json")


def read_scales(path: Path) -> Scales:
    """Read what `Scales.write` wrote; raise `Misconfigured` when the file is missing or something else."""
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        answerable, right = (Scale(tuple(row[key]["weights"]), row[key]["bias"]) for key in ("answerable", "right"))
        scales = Scales(answerable, right)
        scales.answerable.probability(_NEUTRAL)
        scales.right.probability(_NEUTRAL)
    except (OSError, ValueError, TypeError, KeyError) as exc:
        detail = f"Шкала уверенности {path} не читается: {exc}. Подберите её снова: znayka train calibrate."
        raise Misconfigured("bad_scale", detail) from exc
    return scales


_NEUTRAL = Signals(0.0, 0.0, 0.0, 0.0, 0.0)
