"""How much of a question stands together in a passage: in one sentence, in two, as the same phrase. Pure.

A passage that has the question's words in different corners has the same BM25 as one that answers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A query's terms in order, repetitions included, and how rare each is in the base: weights (n), positive."""

    terms: tuple[str, ...]
    weights: dict[str, float]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Shares of the query's weight for each passage, (n), 0..1.

    `sentence` holds what stands in the best sentence, `neighbours` in the best two that follow one another,
    `phrase` the pairs of words that stand side by side in both.
    """

    sentence: Shares
    neighbours: Shares
    phrase: Shares


def weigh(wanted: Wanted, passages: Sequence[str]) -> Evidence:
    """Judge passages as the keyword index holds them: a line a sentence, terms joined by spaces."""
    sentence, neighbours, phrase = (np.zeros(len(passages), np.float32) for _ in range(3))
    terms = tuple(dict.fromkeys(wanted.terms))
    total = sum(wanted.weights[term] for term in terms)
    if total:
        weights = np.array([wanted.weights[term] / total for term in terms])
        pairs = _pairs(wanted)
        rows = {term: row for row, term in enumerate(terms)}
        for at, passage in enumerate(passages):
            lines = [line.split() for line in passage.split("\n")]
            held = _held(rows, lines)
            sentence[at] = (weights @ held).max()
            neighbours[at] = (weights @ (held[:, :-1] | held[:, 1:])).max() if len(lines) > 1 else sentence[at]
            phrase[at] = sum(pairs[pair] for pair in _repeated(pairs, lines))
    return Evidence(sentence, neighbours, phrase)


def _held(rows: dict[str, int], lines: Sequence[Sequence[str]]) -> NDArray[np.bool_]:
    """Tell which term stands in which line, (terms, lines)."""
    held = np.zeros((len(rows), len(lines)), np.bool_)
    for column, line in enumerate(lines):
        for term in line:
            if (row := rows.get(term)) is not None:
                held[row, column] = True
    return held


def _pairs(wanted: Wanted) -> dict[tuple[str, str], float]:
    """Return the neighbouring terms of the query with their shares; a pair weighs as its more common word."""
    pairs = {pair: min(wanted.weights[term] for term in pair) for pair in pairwise(wanted.terms)}
    total = sum(pairs.values())
    return {pair: weight / total for pair, weight in pairs.items()}


def _repeated(pairs: dict[tuple[str, str], float], lines: Sequence[Sequence[str]]) -> set[tuple[str, str]]:
    return {pair for line in lines for pair in pairwise(line) if pair in pairs}
