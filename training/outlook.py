"""What a course will cost here, before it starts: memory by the sizes, the least time by a product timed then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.packing import Tree, shares
from training.weights import Student

_FLOAT_BYTES = 4
_OPERATIONS_PER_WEIGHT = 4  # a product is two; forward and backward through frozen weights take one product each
_SIDE = 1024
_SCORES = 3  # of each predicted token: scores, their softmax and its gradient
# Vectors as wide as the model that each layer keeps of a token for the way back: so many account for the 5.0 GB that a
# course over the embedded model took with lessons of up to 1,813 tokens.
_KEPT_PER_TOKEN = 22


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to be done, the memory it takes and the least `seconds`; `saved` is the factor that packing saves."""

    lessons: int
    tasks: int
    tokens: int
    longest: int
    saved: float
    memory_bytes: int
    seconds: float


def outlook(trees: Sequence[Tree], student: Student) -> Outlook:
    """Judge going through the trees once; repetitions stand among them."""
    tokens = sum(map(len, trees))
    work = _OPERATIONS_PER_WEIGHT * student.size.inner * tokens
    return Outlook(
        lessons=len(trees),
        tasks=sum(len(tree.branches) for tree in trees),
        tokens=tokens,
        longest=max(map(len, trees)),
        saved=shares(trees),
        memory_bytes=max(_memory_bytes(student, tree) for tree in trees),
        seconds=work / speed(student.device, student.precision),
    )


def speed(device: str, precision: torch.dtype) -> float:
    """Multiplications and additions a second of a product of square matrices, the best of four."""
    left = torch.rand(_SIDE, _SIDE, device=device).to(precision)
    best = 0.0
    for _ in range(4):
        started_s = time.perf_counter()
        (left @ left).sum().item()
        best = max(best, 2 * _SIDE**3 / (time.perf_counter() - started_s))
    return best


def _memory_bytes(student: Student, tree: Tree) -> int:
    """Weights, the adapter with its gradient and two moments, and what a lesson keeps for the way back."""
    size, tokens = student.size, len(tree)
    kept = tokens * size.layers * (_KEPT_PER_TOKEN * size.width + size.heads * tokens)
    scores = _SCORES * size.vocabulary * sum(len(branch.answer) for branch in tree.branches)
    return _FLOAT_BYTES * (size.all + 4 * size.adapter + kept + scores)
