"""How far a mean may be from the truth, and whether two runs differ by more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

# SciPy is loaded by the functions that need it: it costs the service 70 MB, and most of its days know no evaluation.

CONFIDENCE = 0.95
RESAMPLES = 2000
SIGNIFICANT = 1 - CONFIDENCE
FEWEST = 6  # questions of which the sign test can be sure: five wins of five are one chance in sixteen


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `count` questions with the ends of its 95 % interval."""

    value: float
    low: float
    high: float
    count: int


class Verdict(StrEnum):
    """What a difference is worth; the value is the word shown."""

    NOISE = "в пределах шума"
    BETTER = "лучше"
    WORSE = "хуже"


@dataclass(frozen=True, slots=True)
class Tally:
    """Questions that the second run answered better, as well, and worse; `p_value` is that of the sign test."""

    wins: int
    ties: int
    losses: int
    p_value: float


def estimate(values: Sequence[float], seed: int) -> Estimate:
    """Mean and percentile bootstrap interval of at least one value (Efron, 1979).

    Where every value is 0, or every one 1, resampling would see no doubt at all: there it is Wilson's interval.
    """
    from scipy import stats

    sample = np.asarray(values, dtype=np.float64)
    mean = float(sample.mean())
    if len(sample) > 1 and np.ptp(sample) > 0:
        low, high = _bootstrap(sample, seed)
    elif mean in (0.0, 1.0):
        interval = stats.binomtest(int(sample.sum()), len(sample)).proportion_ci(CONFIDENCE, method="wilson")
        low, high = float(interval.low), float(interval.high)
    else:
        low, high = mean, mean
    return Estimate(mean, low, high, len(sample))


def difference(before: Sequence[float], after: Sequence[float], seed: int) -> Estimate:
    """Mean of `after - before` over the same questions, in the same order, with its paired bootstrap interval."""
    changes = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    mean = float(changes.mean())
    low, high = _bootstrap(changes, seed) if len(changes) > 1 and np.ptp(changes) > 0 else (mean, mean)
    return Estimate(mean, low, high, len(changes))


def judge(change: Estimate, signs: Tally, *, is_higher_better: bool) -> Verdict:
    """Name a difference of six questions at least, whose interval excludes zero, and which the sign test confirms.

    The interval alone would be sure of one question, or of few that moved alike: it has no width there.
    """
    if change.count < FEWEST or change.low <= 0 <= change.high or not _is_confirmed(change, signs):
        return Verdict.NOISE
    return Verdict.BETTER if (change.value > 0) == is_higher_better else Verdict.WORSE


def tally(before: Sequence[float], after: Sequence[float]) -> Tally:
    """Win, tie and loss of `after` against `before`, question by question, and the two-sided sign test without ties."""
    from scipy import stats

    wins = sum(b > a for a, b in zip(before, after, strict=True))
    losses = sum(b < a for a, b in zip(before, after, strict=True))
    decided = wins + losses
    p_value = float(stats.binomtest(wins, decided).pvalue) if decided else 1.0
    return Tally(wins, len(after) - decided, losses, p_value)


def _is_confirmed(change: Estimate, signs: Tally) -> bool:
    return signs.p_value <= SIGNIFICANT and (signs.wins > signs.losses) == (change.value > 0)


def _bootstrap(sample: np.typing.NDArray[np.float64], seed: int) -> tuple[float, float]:
    from scipy import stats

    found = stats.bootstrap(
        (sample,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
