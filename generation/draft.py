"""An answer as it grows: what has been said, what was held back, and what both say of its worth."""

from __future__ import annotations

from core.types import Answer, Check, Conflict, Timings, Verdict
from generation.events import Sources
from generation.refusal import NO_DOCUMENTS, NOT_FOUND
from generation.statements import Contradicted, Dropped, Retried, Statement, Written


class Draft:
    """Collects what a writer tells and makes the answer of it."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._statements: list[Statement] = []
        self._checks: list[Check] = []
        self._conflicts: list[Conflict] = []
        self.retries = 0

    def take(self, written: Written) -> None:
        """Note what the writer told next."""
        match written:
            case Statement(text):
                self._statements.append(written)
                self._checks.append(Check(text.strip(), Verdict.SUPPORTED))
            case Dropped(sentence, reason):
                self._checks.append(Check(sentence, Verdict.DROPPED, reason))
            case Retried():
                self.retries += 1
            case Contradicted(conflict):
                self._conflicts.append(conflict)

    @property
    def refusal(self) -> str:
        """What is said instead of an answer; empty when there is one."""
        if self._statements:
            return ""
        return NOT_FOUND if self._sources.passages else NO_DOCUMENTS

    def answer(self, model: str, timings: Timings) -> Answer:
        """The whole answer, by `model`."""
        return Answer(
            answer=self.refusal or "".join(statement.text for statement in self._statements),
            refused=bool(self.refusal),
            citations=tuple(citation for statement in self._statements for citation in statement.citations),
            model=model,
            timings=timings,
            passages=self._sources.passages,
            confidence=min((statement.confidence for statement in self._statements), default=0.0),
            checks=tuple(self._checks),
            interpretation=self._sources.interpretation,
            conflicts=tuple(self._conflicts),
        )
