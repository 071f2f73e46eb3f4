"""How near two sentences are in meaning, whatever their languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Encoder


class Nearness(Protocol):
    """Compares a sentence with others. Blocking: a few milliseconds a text that it has not seen."""

    def __call__(self, claim: str, sources: Sequence[str]) -> NDArray[np.float32]:
        """Cosines of `claim` and each of `sources`, (n)."""


class EncoderNearness:
    """By the vectors of the search's encoder. One object serves one answer: it keeps what it has encoded."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def __call__(self, claim: str, sources: Sequence[str]) -> NDArray[np.float32]:
        """Both sides are encoded as queries, as the E5 models want it of texts that stand on equal terms."""
        new = [text for text in dict.fromkeys((claim, *sources)) if text not in self._vectors]
        if new:
            self._vectors |= zip(new, self._encoder.encode_queries(new), strict=True)
        if not sources:
            return np.zeros(0, np.float32)
        return np.stack([self._vectors[text] for text in sources]) @ self._vectors[claim]
