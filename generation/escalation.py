"""When a person should take over: the service is unsure, or silent where the documents do speak of the matter."""

from __future__ import annotations

from core.types import Answer, Verdict
from retrieval.stems import stem_text

# Share of the question's words in one passage: 73 % of XQuAD's `train` questions have it in their own paragraph, 4 % in
# the best paragraph of another article.
_NEAR = 0.6


def needs_person(question: str, answer: Answer, *, below: float) -> bool:
    """Whether `answer` should be passed on: its confidence is under `below`, half of its sentences were held back, or
    another document contradicts it.

    A refusal is passed on when a passage speaks of what was asked: it may be wrong.
    """
    if answer.refused:
        return _is_near(question, answer)
    dropped = sum(check.verdict is Verdict.DROPPED for check in answer.checks)
    return bool(answer.conflicts) or answer.confidence < below or dropped * 2 >= max(1, len(answer.checks))


def _is_near(question: str, answer: Answer) -> bool:
    asked = frozenset(stem_text(question))
    shares = (len(asked & frozenset(stem_text(passage.text))) for passage in answer.passages)
    return bool(asked) and max(shares, default=0) >= _NEAR * len(asked)
