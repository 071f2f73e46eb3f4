"""One ranking of several: by meaning (cosines), by words (BM25), by where in a passage those stand. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.evidence import Evidence
from retrieval.sentence_vectors import Nearness

Scores = NDArray[np.float32]

# What all of a question's words in one sentence, in two, or in its own order weigh, and what BM25's standard deviation
# weighs beside them. One number for the three shares: on both question sets a wide plain of weights is equally good
# (docs/decisions/0011-roots-in-the-keyword-index.md), and a smaller fit overfits less.
EVIDENCE_WEIGHT = 5 / 3
KEYWORD_WEIGHT = 1 / 3
# Meaning is a passage's own cosine, that of its nearest sentence, and that of the middle of its sentences
# (docs/decisions/0020-vectors-of-sentences.md).
PASSAGE_SHARE, NEAREST_SHARE, MIDDLE_SHARE = 0.2, 0.4, 0.4


@dataclass(frozen=True, slots=True)
class Meaning:
    """Cosines of the question with each candidate as a whole, (n), and with its sentences."""

    passage: Scores
    sentences: Nearness

    @classmethod
    def unknown(cls, count: int) -> Meaning:
        """Where vectors cannot be compared: no passage is nearer than another."""
        return cls(np.zeros(count, np.float32), Nearness.unknown(count))


def fuse(meaning: Meaning, keyword: Scores, evidence: Evidence, *, dense_weight: float) -> Scores:
    """Return one score for each candidate, (n): the weighted sum of meaning and words.

    Cosines and BM25 come as z-scores over the candidates, so that neither's scale matters; shares of the question
    are comparable as they are. All are needed of every candidate, whichever search proposed it; only for missing
    cosines of sentences the passage's own stands in.
    """
    together = evidence.sentence + evidence.neighbours + evidence.phrase
    words = KEYWORD_WEIGHT * z_scores(keyword) + EVIDENCE_WEIGHT * together
    return (dense_weight * _combined(meaning) + (1 - dense_weight) * words).astype(np.float32)


def _combined(meaning: Meaning) -> Scores:
    whole = z_scores(meaning.passage)
    nearest, middle = (_filled(part, whole) for part in (meaning.sentences.nearest, meaning.sentences.middle))
    combined: Scores = PASSAGE_SHARE * whole + NEAREST_SHARE * nearest + MIDDLE_SHARE * middle
    return combined


def _filled(cosines: Scores, otherwise: Scores) -> Scores:
    """Return z-scores of the cosines that are known, and `otherwise` for those that are not."""
    is_known = ~np.isnan(cosines)
    filled = otherwise.copy()
    filled[is_known] = z_scores(cosines[is_known])
    return filled


def z_scores(values: Scores) -> Scores:
    """Distances from the mean in standard deviations; zeros where all values are equal."""
    deviation = values.std() if len(values) else 0.0
    if not deviation:
        return np.zeros_like(values)
    scores: Scores = (values - values.mean()) / deviation
    return scores
