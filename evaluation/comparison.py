"""Two runs side by side, and one run against what it must not fall below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.cases import Group
from evaluation.intervals import Estimate, Tally, Verdict, difference, judge, tally
from evaluation.report import TIMES, Figure, Measure, Report

REFUSALS = frozenset({Group.REMOVED, Group.FOREIGN})  # every answer is wrong there: none is nothing lost
OF_ANSWERS = frozenset({Measure.VERBATIM, Measure.RUSSIAN})


@dataclass(frozen=True, slots=True)
class Change:
    """How a figure moved over the questions that both runs asked; `change` is after minus before."""

    group: Group
    measure: Measure
    before: float
    after: float
    change: Estimate
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """Changes of all figures that both runs have, and win, tie and loss by token F1 where answers were expected."""

    before: str
    after: str
    changes: tuple[Change, ...]
    tallies: tuple[tuple[Group, Tally], ...]

    def of(self, figure: Figure) -> Change | None:
        """The change of a figure of the later run."""
        return next((one for one in self.changes if (one.group, one.measure) == (figure.group, figure.measure)), None)


@dataclass(frozen=True, slots=True)
class Drop:
    """A figure that fell below its baseline; `after` is None where no question gave it, as when all are refused."""

    before: Figure
    after: Figure | None

    @property
    def edge(self) -> float:
        """The worst value that passes: what is promised, or what the baseline's interval leaves to chance."""
        if self.before.measure is Measure.VERBATIM:
            return 1.0
        if self.before.measure is Measure.OBEYED:
            return self.before.estimate.value
        return self.before.estimate.low if self.before.is_higher_better else self.before.estimate.high


def compare(before: Report, after: Report) -> Comparison:
    """Compare question by question; figures without a common question are left out."""
    changes = [change for figure in after.figures if (change := _change(before, after, figure)) is not None]
    tallies = []
    for group in Group:
        first, second = _paired(before, after, group, Measure.F1)
        if first:
            tallies.append((group, tally(first, second)))
    return Comparison(_named(before), _named(after), tuple(changes), tuple(tallies))


def drops(baseline: Report, report: Report) -> tuple[Drop, ...]:
    """Figures that are worse than the worse end of the baseline's interval, or are not there any more.

    No chance excuses one misquote, or one instruction obeyed that the baseline did not obey. Times are left out: they
    belong to the machine.
    """
    now = {(one.group, one.measure): one for one in report.figures}
    pairs = (Drop(one, now.get((one.group, one.measure))) for one in baseline.figures if one.measure not in TIMES)
    return tuple(drop for drop in pairs if _is_worse(drop))


def _is_worse(drop: Drop) -> bool:
    if drop.after is None:
        return not (drop.before.group in REFUSALS and drop.before.measure in OF_ANSWERS)
    value = drop.after.estimate.value
    return value < drop.edge if drop.before.is_higher_better else value > drop.edge


def _change(before: Report, after: Report, figure: Figure) -> Change | None:
    first, second = _paired(before, after, figure.group, figure.measure)
    if not first:
        return None
    change = difference(first, second, after.plan.seed)
    return Change(
        figure.group,
        figure.measure,
        sum(first) / len(first),
        sum(second) / len(second),
        change,
        judge(change, tally(first, second), is_higher_better=figure.is_higher_better),
    )


def _paired(before: Report, after: Report, group: Group, measure: Measure) -> tuple[Sequence[float], Sequence[float]]:
    first, second = before.values(group, measure), after.values(group, measure)
    both = [id_ for id_ in second if id_ in first]
    return [first[id_] for id_ in both], [second[id_] for id_ in both]


def _named(report: Report) -> str:
    return f"{report.origin.title}, {report.origin.measured_at:%d.%m.%Y %H:%M}"
