"""What a writer tells of an answer in the making: what is said, what was held back and why, and when it began anew."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.types import Citation, Conflict


class Reason(StrEnum):
    """Why a sentence of the model's was held back."""

    NUMBER = "number"  # a number, date, sum or code that the passages do not have
    NAME = "name"  # a name or foreign word that the passages do not have
    NEGATION = "negation"  # the passages say the opposite
    UNSUPPORTED = "unsupported"  # nothing of the kind is said
    NO_SOURCE = "no_source"  # it cites a passage that was not given, and no other supports it
    LANGUAGE = "language"  # not Russian


@dataclass(frozen=True, slots=True)
class Statement:
    """A piece of the answer, its `[n]` included, and the citations that it is the first to use.

    `confidence` is the measured probability, 0..1, that this piece is right; the answer takes the smallest.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Dropped:
    """A sentence of the model's that nobody is shown."""

    sentence: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Retried:
    """The model was asked once more, because it did not write Russian."""


@dataclass(frozen=True, slots=True)
class Contradicted:
    """Another document says otherwise than the statements so far."""

    conflict: Conflict


Written = Statement | Dropped | Retried | Contradicted
