"""The tables of a run on the console."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from evaluation.cases import GROUP_TITLES
from evaluation.comparison import Comparison, Drop
from evaluation.intervals import Estimate
from evaluation.report import CONSTANT_BRIER, MEASURE_TITLES, TIMES, Figure, Measure, Report


def shown_value(value: float, measure: Measure) -> str:
    """A share in per cent, a time in milliseconds, in Russian spelling."""
    text = f"{value:.0f}" if measure in TIMES else f"{100 * value:.1f}"
    return text.replace(".", ",").replace("-", "−")


def shown_interval(estimate: Estimate, measure: Measure) -> str:
    """«90,1–96,4»"""
    return f"{shown_value(estimate.low, measure)}–{shown_value(estimate.high, measure)}"


def shown_target(figure: Figure) -> str:
    """«≥ 60,0 ✓», empty without a target."""
    if figure.target is None:
        return ""
    sign = "≥" if figure.is_higher_better else "≤"
    return f"{sign} {shown_value(figure.target, figure.measure)} {'✓' if figure.is_met else '✗'}"


def figures_table(report: Report, comparison: Comparison | None = None) -> Table:
    """Every figure with its interval and target, and how it moved since the run compared with."""
    headers = ["показатель", "значение, %", "интервал 95 %", "вопросов", "цель"]
    headers += ["было", "изменение"] if comparison else []
    table = Table(*headers, title=f"{report.origin.title} · {report.origin.measured_at:%d.%m.%Y %H:%M}")
    group = None
    for figure in report.figures:
        if figure.group is not group:
            group = figure.group
            table.add_section()
            table.add_row(f"[bold]{GROUP_TITLES[group]}")
        table.add_row(*_cells(figure), *(_moved(figure, comparison) if comparison else ()))
        guess = report.constant_brier(group) if figure.measure is Measure.BRIER else None
        if guess is not None:
            table.add_row(f"  {CONSTANT_BRIER}", shown_value(guess, figure.measure))
    return table


def comparison_table(comparison: Comparison) -> Table:
    """Each figure before and after over the questions that both runs asked, with what the difference is worth."""
    table = Table("показатель", "было", "стало", "разница", "интервал 95 %", "вывод", title=_title(comparison))
    for one in comparison.changes:
        table.add_row(
            f"{GROUP_TITLES[one.group]}: {MEASURE_TITLES[one.measure]}",
            shown_value(one.before, one.measure),
            shown_value(one.after, one.measure),
            shown_value(one.change.value, one.measure),
            shown_interval(one.change, one.measure),
            one.verdict,
        )
    return table


def tallies_table(comparison: Comparison) -> Table:
    """Win, tie and loss by token F1, with the sign test."""
    table = Table("вопросы", "лучше", "так же", "хуже", "p", title="По вопросам, F1 второго против первого")
    for group, one in comparison.tallies:
        p_value = f"{one.p_value:.3f}".replace(".", ",")
        table.add_row(GROUP_TITLES[group], f"{one.wins}", f"{one.ties}", f"{one.losses}", p_value)
    return table


def drops_table(fallen: Sequence[Drop]) -> Table:
    """Figures that fell below their baseline."""
    table = Table("показатель", "опорное", "граница", "сейчас", title="Стало хуже опорного больше, чем допустимо")
    for drop in fallen:
        before = drop.before
        table.add_row(
            f"{GROUP_TITLES[before.group]}: {MEASURE_TITLES[before.measure]}",
            shown_value(before.estimate.value, before.measure),
            shown_value(drop.edge, before.measure),
            "нет" if drop.after is None else shown_value(drop.after.estimate.value, before.measure),
        )
    return table


def _cells(figure: Figure) -> tuple[str, ...]:
    return (
        f"  {MEASURE_TITLES[figure.measure]}",
        shown_value(figure.estimate.value, figure.measure),
        shown_interval(figure.estimate, figure.measure),
        f"{figure.estimate.count}",
        shown_target(figure),
    )


def _moved(figure: Figure, comparison: Comparison) -> tuple[str, str]:
    change = comparison.of(figure)
    return ("", "") if change is None else (shown_value(change.before, change.measure), str(change.verdict))


def _title(comparison: Comparison) -> str:
    return f"{comparison.before} → {comparison.after}"
