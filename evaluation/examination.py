"""Runs a set of cases to its report; the one call that the command and the service share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing

from evaluation.asking import Examiner, ask_all
from evaluation.cases import Case, Plan
from evaluation.pairs import Pair
from evaluation.report import Origin, Report, Scored, make_report
from evaluation.scoring import score

OnAsked = Callable[[int, int], None]


async def examine(cases: Sequence[Case], examiner: Examiner, on_asked: OnAsked) -> tuple[Scored, ...]:
    """Ask and score; `on_asked` hears after each question how many are done, and of how many."""
    scored: list[Scored] = []
    async with aclosing(ask_all(cases, examiner)) as asked:
        async for one in asked:
            scored.append(score(one))
            on_asked(len(scored), len(cases))
    return tuple(scored)


async def examine_pairs(
    pairs: Sequence[Pair], examiner: Examiner, origin: Origin, on_asked: OnAsked, *, seed: int = 7
) -> Report:
    """Ask a user's own pairs of the base and the model that `examiner` has. Closing the task that runs it ends it."""
    scored = await examine([pair.case for pair in pairs], examiner, on_asked)
    # Resampling a thousand questions takes seconds, in which a service has others to answer.
    return await asyncio.to_thread(make_report, origin, Plan(("pairs",), seed), scored)
