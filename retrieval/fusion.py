"""One ranking of several: by meaning (cosine of vectors), by words (BM25), by where in a passage those stand. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrieval.evidence import Evidence

Scores = NDArray[np.float32]

# What all of a question's words in one sentence, in two, or in its own order weigh against BM25's standard deviation.
# One number for the three: on both question sets a wide plain of weights is equally good
# (docs/decisions/0011-roots-in-the-keyword-index.md), and a smaller fit overfits less.
EVIDENCE_WEIGHT = 2.5


def fuse(dense: Scores, keyword: Scores, evidence: Evidence, *, dense_weight: float) -> Scores:
    """Return one score for each candidate, (n): the weighted sum of meaning and words.

    Cosine and BM25 come as z-scores over the candidates, so that neither's scale matters; shares of the question
    are comparable as they are. All are needed of every candidate, whichever search proposed it.
    """
    together = evidence.sentence + evidence.neighbours + evidence.phrase
    words = z_scores(keyword) + EVIDENCE_WEIGHT * together
    return (dense_weight * z_scores(dense) + (1 - dense_weight) * words).astype(np.float32)


def z_scores(values: Scores) -> Scores:
    """Distances from the mean in standard deviations; zeros where all values are equal."""
    deviation = values.std() if len(values) else 0.0
    if not deviation:
        return np.zeros_like(values)
    scores: Scores = (values - values.mean()) / deviation
    return scores
