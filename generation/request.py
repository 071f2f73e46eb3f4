"""What an answer is asked for with."""

from __future__ import annotations

from dataclasses import dataclass

from core.types import Principal, Turn


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A question and who asks it; `top_k` passages are searched for in `collection`, None being all.

    `exact` takes the question as it is typed: nothing is mended, nothing taken from `history`.
    """

    question: str
    principal: Principal
    collection: str | None = None
    history: tuple[Turn, ...] = ()
    top_k: int = 6
    exact: bool = False
