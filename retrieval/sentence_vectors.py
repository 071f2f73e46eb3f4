"""A passage's sentences as vectors of bytes, and how near they are to a question. Pure.

A passage's own vector is a mean of all it says; a question is mostly answered by one sentence of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.sentences import split_sentences

Scores = NDArray[np.float32]
Vectors = NDArray[np.float32]

_TINY = 1e-12
WORDS_MIN = 3  # below that it is a label, a heading or a line of code: near to any question about its subject
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Nearness:
    """Cosines of a question with each passage's nearest sentence, and with the middle of all its sentences; both (n).

    NaN for a passage that has no sentences or whose sentences were not embedded yet.
    """

    nearest: Scores
    middle: Scores

    @classmethod
    def unknown(cls, count: int) -> Nearness:
        """Nothing is known of any of `count` passages."""
        return cls(np.full(count, np.nan, np.float32), np.full(count, np.nan, np.float32))


def telling(text: str) -> list[str]:
    """Return the sentences of a passage that are worth comparing with a question, in order, each once."""
    sentences = dict.fromkeys(sentence.text for sentence in split_sentences(text))
    return [sentence for sentence in sentences if len(_WORD.findall(sentence)) >= WORDS_MIN]


def pack(vectors: Vectors) -> bytes:
    """Store directions (n, dimension) as signed bytes, each scaled to its own greatest; length is not kept."""
    greatest = np.abs(vectors).max(axis=1, keepdims=True) if len(vectors) else np.ones((0, 1), np.float32)
    packed: NDArray[np.int8] = np.rint(vectors * (127 / np.maximum(greatest, 1e-12))).astype(np.int8)
    return packed.tobytes()


def nearness(query: Vectors, packed: Sequence[bytes | None]) -> Nearness:
    """Compare `query` (dimension) with the sentences of each passage, as `pack` stored them."""
    near = Nearness.unknown(len(packed))
    rows = [row for row, one in enumerate(packed) if one]
    if rows:
        held = [one for one in packed if one]
        counts = np.array([len(one) // len(query) for one in held])
        starts = np.cumsum([0, *counts[:-1]])
        vectors = np.frombuffer(b"".join(held), np.int8).reshape(-1, len(query)).astype(np.float32)
        vectors /= np.maximum(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)), _TINY)[:, np.newaxis]
        near.nearest[rows] = np.maximum.reduceat(vectors @ query, starts)
        middles = np.add.reduceat(vectors, starts)
        near.middle[rows] = middles @ query / np.maximum(np.linalg.norm(middles, axis=1), _TINY)
    return near
