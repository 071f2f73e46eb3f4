"""What a generation is asked for, and what it took: the words that the engine and those who call it share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from generation.constraint import Constraint

FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose tokens. `temperature` 0 takes the likeliest; `seed` None differs each time.

    `constraint` serves one answer: it follows the tokens as they are chosen. `alternatives` is how many of the
    likeliest tokens to report at each step, before any constraint; None reports nothing. `is_taught` says whether an
    adapter is to speak, or the model as it was without it.
    """

    max_tokens: int
    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    repeat_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    constraint: Constraint | None = None
    alternatives: int | None = None
    is_taught: bool = True


@dataclass(slots=True)
class Timings:
    """What one generation took; `reused_tokens` of the prompt stood in the context from the one before."""

    prompt_tokens: int
    reused_tokens: int
    prefill_ms: float = 0.0
    completion_tokens: int = 0
    decode_ms: float = 0.0
    finish_reason: FinishReason = "length"

    @property
    def tokens_per_s(self) -> float:
        """Speed of decoding, the first token (whose time is the prefill's) left out."""
        return (self.completion_tokens - 1) * 1000 / self.decode_ms if self.decode_ms else 0.0
