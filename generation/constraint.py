"""What may hold the model's choice of tokens: a grammar, words to be copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]


class Constraint(Protocol):
    """Follows one answer; both calls come from the model's thread."""

    def allowed(self, size: int) -> NDArray[np.bool_]:
        """Which of the vocabulary's `size` tokens may come next, (size,). Must not raise: llama.cpp calls it."""

    def advance(self, token: int) -> None:
        """Note the token that was chosen, the end too; raise `ServiceError` when the answer cannot go on."""


def masking(constraint: Constraint) -> Callable[[Any, Logits], Logits]:
    """A logits processor that leaves only what the constraint allows."""

    def masked(_tokens: Any, logits: Logits) -> Logits:
        return np.where(constraint.allowed(len(logits)), logits, np.float32("-inf"))

    return masked
