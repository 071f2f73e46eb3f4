"""One ranking of two: by meaning (cosine of vectors) and by words (BM25). Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]


def fuse(dense: Scores, keyword: Scores, *, dense_weight: float) -> Scores:
    """Return one score for each candidate, (n): the weighted sum of both, each as its z-score over the candidates.

    Both are needed of every candidate, whichever search proposed it.
    """
    return dense_weight * z_scores(dense) + (1 - dense_weight) * z_scores(keyword)


def z_scores(values: Scores) -> Scores:
    """Distances from the mean in standard deviations; zeros where all values are equal."""
    deviation = values.std() if len(values) else 0.0
    if not deviation:
        return np.zeros_like(values)
    scores: Scores = (values - values.mean()) / deviation
    return scores
