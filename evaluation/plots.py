"""The plots of the report as SVG text to stand in a page: figures with intervals, reasons of failure, times."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from evaluation.cases import GROUP_TITLES, Group
from evaluation.comparison import Comparison
from evaluation.report import MEASURE_TITLES, Failure, Figure, Measure, Report

PLOTTED = frozenset(
    {
        Measure.HIT_1,
        Measure.HIT_5,
        Measure.F1,
        Measure.HOLDS,
        Measure.REFUSED,
        Measure.WRONGLY_REFUSED,
        Measure.CITED,
        Measure.VERBATIM,
        Measure.RUSSIAN,
        Measure.OBEYED,
    }
)
_COLOURS = ("#9d2a2a", "#d08a2e", "#c9b458", "#6b7fa3", "#7a5c8e", "#444444", "#3f8f8b")
_METADATA: Mapping[str, None] = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def figures_plot(report: Report, comparison: Comparison | None) -> str:
    """A point a figure with its interval, its target as a bar, and the earlier run as a hollow point."""
    shown = [figure for figure in report.figures if figure.measure in PLOTTED][::-1]
    if not shown:
        return ""
    with _style():
        canvas = Canvas(figsize=(8, 0.27 * len(shown) + 0.8))
        axes = canvas.subplots()
        for height, figure in enumerate(shown):
            _draw_figure(axes, height, figure)
            if comparison and (change := comparison.of(figure)):
                axes.plot(100 * change.before, height, "o", mfc="none", color="#888888")
        axes.set_yticks(range(len(shown)), [f"{GROUP_TITLES[f.group]}: {MEASURE_TITLES[f.measure]}" for f in shown])
        axes.set_xlim(-2, 102)
        axes.set_xlabel("%; чёрточка — цель, пустой кружок — прежняя проверка" if comparison else "%; чёрточка — цель")
        axes.grid(axis="x", alpha=0.3)
        return _svg(canvas)


def failures_plot(report: Report) -> str:
    """A bar a group of questions, cut by the reason why they failed; empty when none did."""
    counted: dict[Group, Counter[Failure | None]] = {}
    for one in report.questions:
        counted.setdefault(one.group, Counter())[one.failure] += 1
    groups = [group for group in Group if group in counted][::-1]
    if not report.failed:
        return ""
    with _style():
        canvas = Canvas(figsize=(8, 0.35 * len(groups) + 1.2))
        axes = canvas.subplots()
        _draw_reasons(axes, groups, counted)
        axes.set_yticks(range(len(groups)), [GROUP_TITLES[group] for group in groups])
        axes.set_xlabel("% вопросов")
        axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.35), ncols=3, frameon=False)
        return _svg(canvas)


def times_plot(report: Report) -> str:
    """How long the first word and the whole answer took, as shares of the questions; empty when none was answered."""
    times = {
        measure: sorted(one.scores[measure] / 1000 for one in report.questions if measure in one.scores)
        for measure in (Measure.FIRST_TOKEN, Measure.TOTAL)
    }
    if not times[Measure.TOTAL]:
        return ""
    with _style():
        canvas = Canvas(figsize=(8, 2.6))
        axes = canvas.subplots()
        for title, values in (("первое слово", times[Measure.FIRST_TOKEN]), ("весь ответ", times[Measure.TOTAL])):
            if values:
                axes.step(values, [100 * (n + 1) / len(values) for n in range(len(values))], where="post", label=title)
        axes.set_xlim(left=0)
        axes.set_ylim(0, 102)
        axes.set_xlabel("секунды")
        axes.set_ylabel("% ответов не дольше")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        return _svg(canvas)


def _style() -> AbstractContextManager[None]:
    # Text stays text, in the page's own font; the salt makes the same plot the same file.
    return mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "znayka", "font.size": 9})


def _draw_figure(axes: Axes, height: int, figure: Figure) -> None:
    estimate = figure.estimate
    colour = {True: "#2e7d4f", False: "#9d2a2a", None: "#33557a"}[figure.is_met]
    axes.plot([100 * estimate.low, 100 * estimate.high], [height, height], color=colour, linewidth=2)
    axes.plot(100 * estimate.value, height, "o", color=colour)
    if figure.target is not None:
        axes.plot(100 * figure.target, height, "|", color="black", markersize=11)


def _draw_reasons(axes: Axes, groups: Sequence[Group], counted: Mapping[Group, Counter[Failure | None]]) -> None:
    left = [0.0] * len(groups)
    for failure, colour in zip(Failure, _COLOURS, strict=True):
        shares = [100 * counted[group][failure] / counted[group].total() for group in groups]
        if any(shares):
            axes.barh(range(len(groups)), shares, left=left, color=colour, label=failure.value)
        left = [a + b for a, b in zip(left, shares, strict=True)]
    axes.set_xlim(0, 100)


def _svg(canvas: Canvas) -> str:
    """The `<svg>` element alone: the document type before it names a foreign address."""
    written = io.StringIO()
    canvas.savefig(written, format="svg", bbox_inches="tight", metadata=dict(_METADATA))
    text = written.getvalue()
    return text[text.index("<svg") :]
