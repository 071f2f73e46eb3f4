"""What a question is answered with, as JSON."""

from __future__ import annotations

from typing import Self

from api.wire import CitationOut, InterpretationOut, Out, PassageOut, TimingsOut
from core.types import Answer, Conflict, Verdict


class ConflictOut(Out):
    """What another document says otherwise: `value` there, `said` in what the answer cites; `notice` is Russian."""

    kind: str
    said: str
    value: str
    notice: str
    citation: CitationOut

    @classmethod
    def of(cls, conflict: Conflict) -> Self:
        """Build from the service's own type."""
        return cls.model_validate(conflict)


class CheckOut(Out):
    """A sentence of the model's and what the check made of it; what was dropped is not in the answer."""

    sentence: str
    verdict: Verdict
    reason: str


class AnswerOut(Out):
    """An answer and what it rests on."""

    answer: str
    refused: bool
    citations: list[CitationOut]
    model: str
    timings: TimingsOut
    confidence: float
    escalate: bool
    checks: list[CheckOut]
    interpretation: InterpretationOut | None
    conflicts: list[ConflictOut]

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """Build from the service's own type."""
        return cls.model_validate(answer)


class SourcesOut(Out):
    """The passages an answer is made from, sent before its text."""

    passages: list[PassageOut]
    interpretation: InterpretationOut


class QueuedOut(Out):
    """The place in the queue, 1 being next, and the expected wait in seconds."""

    position: int
    eta_s: int


class TokenOut(Out):
    """A piece of the answer's text."""

    text: str
