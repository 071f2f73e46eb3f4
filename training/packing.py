"""Many questions on the same passages as one sequence: the passages are read once, each question sees only them.

A tree of one trunk (passages) and branches (question and answer) gives the same loss as one sequence a question, for
about a fifth of the arithmetic: each token attends to the trunk and to its own branch before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Branch:
    """Token ids of a question and of its answer; only the answer is learnt."""

    question: tuple[int, ...]
    answer: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """Token ids of the passages, BOS included, and of every question on them."""

    trunk: tuple[int, ...]
    branches: tuple[Branch, ...]

    def __len__(self) -> int:
        return len(self.trunk) + sum(len(branch.question) + len(branch.answer) for branch in self.branches)


@dataclass(frozen=True, slots=True)
class Packed:
    """A tree as tensors of n tokens, of which k predict a token of an answer.

    `ids`, `positions` (1, n); `full`, `sliding` (1, 1, n, n) bool, true where a row may look; `predicting` (k),
    `labels` (k), `weights` (k) sum to 1.
    """

    ids: Tensor
    positions: Tensor
    full: Tensor
    sliding: Tensor
    predicting: Tensor
    labels: Tensor
    weights: Tensor


def pack(tree: Tree, *, window: int) -> Packed:
    """Lay a tree out; `window` is how many tokens back the model's sliding layers look.

    Every answer weighs the same, however long it is: within it, each token the same.
    """
    ids, positions, owners = list(tree.trunk), list(range(len(tree.trunk))), [0] * len(tree.trunk)
    predicting: list[int] = []
    labels: list[int] = []
    weights: list[float] = []
    for owner, branch in enumerate(tree.branches, start=1):
        start = len(ids)
        tokens = (*branch.question, *branch.answer)
        ids += tokens
        positions += range(len(tree.trunk), len(tree.trunk) + len(tokens))
        owners += [owner] * len(tokens)
        first = start + len(branch.question) - 1  # the token before an answer's token predicts it
        predicting += range(first, first + len(branch.answer))
        labels += branch.answer
        weights += [1 / len(branch.answer) / len(tree.branches)] * len(branch.answer)
    full, sliding = _masks(torch.tensor(positions), torch.tensor(owners), window)
    return Packed(
        torch.tensor([ids]),
        torch.tensor([positions]),
        full,
        sliding,
        torch.tensor(predicting),
        torch.tensor(labels),
        torch.tensor(weights),
    )


def _masks(positions: Tensor, owners: Tensor, window: int) -> tuple[Tensor, Tensor]:
    distance = positions[:, None] - positions[None, :]
    is_seen = (distance >= 0) & ((owners[None, :] == 0) | (owners[:, None] == owners[None, :]))
    return is_seen[None, None], (is_seen & (distance < window))[None, None]


def shares(trees: Sequence[Tree]) -> float:
    """How many tokens of separate sequences one token of the trees stands for: the arithmetic saved."""
    alone = sum(len(t.trunk) + len(b.question) + len(b.answer) for t in trees for b in t.branches)
    return alone / max(1, sum(map(len, trees)))
