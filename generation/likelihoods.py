"""How likely the model found what it chose, before anything held its choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Choice:
    """A token that was chosen, its natural log-probability, and the likeliest tokens with theirs, best first."""

    token: int
    logprob: float
    likeliest: tuple[tuple[int, float], ...]


class Likelihoods:
    """Listens to the model's scores at each step; both calls come from the model's thread."""

    def __init__(self, alternatives: int) -> None:
        """`alternatives` of the likeliest tokens are told at each step."""
        self._alternatives = alternatives
        self._logprobs: Logits = np.zeros(0, np.float32)

    def note(self, _tokens: Any, logits: Logits) -> Logits:
        """Take the scores of one step, (vocabulary,), and pass them on; a logits processor."""
        shifted = logits - logits.max()
        self._logprobs = shifted - np.log(np.exp(shifted).sum())
        return logits

    def of(self, token: int) -> Choice:
        """What the last scores say of the token that was chosen."""
        best = np.argpartition(-self._logprobs, self._alternatives)[: self._alternatives]
        ranked = best[np.argsort(-self._logprobs[best])]
        likeliest = tuple((int(id_), float(self._logprobs[id_])) for id_ in ranked)
        return Choice(token, float(self._logprobs[token]), likeliest)
