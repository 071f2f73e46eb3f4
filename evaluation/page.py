"""The report as one HTML page that asks nothing of any other address."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from evaluation.cases import GROUP_TITLES
from evaluation.comparison import Comparison
from evaluation.plots import failures_plot, figures_plot, times_plot
from evaluation.report import CONSTANT_BRIER, MEASURE_TITLES, Measure, Report
from evaluation.table import shown_interval, shown_target, shown_value

TEMPLATE = "report.html"


def render_page(report: Report, comparison: Comparison | None = None) -> str:
    """The page's text; with a comparison, its changes too."""
    environment = Environment(
        loader=PackageLoader("evaluation", "data"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"value": shown_value, "interval": shown_interval, "target": shown_target}
    return environment.get_template(TEMPLATE).render(
        report=report,
        comparison=comparison,
        groups=[(group, list(figures)) for group, figures in groupby(report.figures, lambda figure: figure.group)],
        group_titles=GROUP_TITLES,
        measure_titles=MEASURE_TITLES,
        brier=Measure.BRIER,
        constant_brier=CONSTANT_BRIER,
        # matplotlib escapes what it writes into an SVG; the template must not do so again.
        plots=[Markup(plot) for plot in _plots(report, comparison) if plot],  # noqa: S704 - of ours
    )


def write_page(report: Report, comparison: Comparison | None, path: Path) -> None:
    """Write the page, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(report, comparison), encoding="utf-8")


def _plots(report: Report, comparison: Comparison | None) -> tuple[str, ...]:
    return figures_plot(report, comparison), failures_plot(report), times_plot(report)
