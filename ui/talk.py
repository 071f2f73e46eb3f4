"""A conversation: questions with their replies, in the order asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.types import Turn
from ui.reply import Reply

HISTORY_TURNS = 4
EXACT = "exact"  # the question that the visitor wants asked in exactly those words, in the session


@dataclass(slots=True)
class Exchange:
    """One question and its reply. `n` is its place in the conversation, `is_plain` says that no document was asked.

    `thumb` is the verdict that the service has kept: 0 down, 1 up.
    """

    n: int
    question: str
    reply: Reply
    is_plain: bool = False
    thumb: int | None = None
    is_commented: bool = False


def history(exchanges: Sequence[Exchange], *, is_plain: bool) -> tuple[Turn, ...]:
    """The last finished turns that a follow-up may refer to.

    The plain model may be asked about any of them; an answer from documents must not lean on what no document says.
    """
    turns = [
        Turn(exchange.question, answer.answer)
        for exchange in exchanges
        if (answer := exchange.reply.state.answer) is not None
        and answer.answer.strip()
        and (is_plain or not exchange.is_plain)
    ]
    return tuple(turns[-HISTORY_TURNS:])
