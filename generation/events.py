"""What an answer in the making tells, in order: one `Sources`, any number of `Token`, one `Done`."""

from __future__ import annotations

from dataclasses import dataclass

from core.types import Answer, Interpretation, Passage


@dataclass(frozen=True, slots=True)
class Sources:
    """What the search found, best first, in `search_ms`; `asked_s` is the clock's reading when the question came."""

    passages: tuple[Passage, ...]
    search_ms: float
    asked_s: float
    interpretation: Interpretation


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer that is checked and will not be taken back."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The whole answer; its text is the tokens before it, joined. `retries`: how often the model began anew."""

    answer: Answer
    retries: int = 0


AnswerEvent = Sources | Token | Done
