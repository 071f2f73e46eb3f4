"""`znayka evaluate`: measures, shows, keeps and compares."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from cli.console import say
from cli.model_process import free_port, model_process
from core.errors import Misconfigured
from core.settings import Settings
from evaluation.cases import SEARCHED, SMALL_PLAN, Plan
from evaluation.comparison import Comparison, compare, drops
from evaluation.page import write_page
from evaluation.pairs import read_pairs
from evaluation.report import Report, load, save
from evaluation.session import Session
from evaluation.table import comparison_table, drops_table, figures_table, tallies_table
from evaluation.tracking import track
from generation.adapters import adapter_of
from generation.catalogue import load_catalogue
from generation.embedded import TAUGHT
from generation.hub import chosen
from ingest.limits import Limits
from retrieval.chosen_models import chosen_encoder, chosen_reranker

BASELINE = Path("evaluation/baseline.json")
ADAPTER_ENDING = ".gguf"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asked for. `compared` are two models of the catalogue, or files of adapters (.gguf)."""

    plan: Plan
    data: Path
    output: Path
    pairs: Path | None = None
    collection: str | None = None
    against: Path | None = None
    compared: tuple[str, str] | None = None
    baseline: Path | None = None
    writes_baseline: bool = False


def evaluate(settings: Settings, wanted: Wanted) -> bool:
    """Measure what is wanted, show and keep it; False when a figure fell below the baseline."""
    if wanted.compared:
        before, report = _two_models(settings, wanted, wanted.compared)
    elif wanted.writes_baseline:
        before, report = None, _measured(settings, replace(wanted, plan=SMALL_PLAN))
        _write_baseline(report, wanted.baseline or BASELINE)
    elif wanted.baseline:
        return _holds_baseline(settings, wanted, load(wanted.baseline))
    else:
        before = load(wanted.against) if wanted.against else None
        report = _measured(settings, wanted)
    _present(report, compare(before, report) if before else None, wanted.output)
    return True


def _two_models(settings: Settings, wanted: Wanted, models: tuple[str, str]) -> tuple[Report, Report]:
    """Ask both the same questions; what is searched does not depend on the model."""
    plan = replace(wanted.plan, limits=dict.fromkeys(SEARCHED, 0))
    reports = []
    for name, side in [(name, side_of(settings, name)) for name in models]:
        say(f"Модель {name}" + (f", адаптер {side.adapter}" if side.adapter else ""))
        report = _measured(side, replace(wanted, plan=plan))
        save(report, wanted.output / f"run-{_file_name(name, report)}.json")
        reports.append(report)
    return reports[0], reports[1]


def side_of(settings: Settings, name: str) -> Settings:
    """Settings that serve one side of a comparison: a model of the catalogue, or the embedded one with this adapter.

    ZNAYKA_ADAPTER goes with the models that take one, so that the bare base can stand beside it.
    Raises `NotFound` for an unknown model, `Misconfigured` for an adapter that is not there or cannot be had.
    """
    if settings.llm_url:
        if name.endswith(ADAPTER_ENDING):
            detail = f"Адаптер {name} не подключить к серверу ZNAYKA_LLM_URL. Уберите эту настройку и повторите."
            raise Misconfigured("adapter_misplaced", detail)
        return settings.model_copy(update={"model": name})
    is_file = name.endswith(ADAPTER_ENDING)
    model = load_catalogue().find(TAUGHT if is_file else name)
    own = Path(name) if is_file else settings.adapter if model.adapter else None
    adapter_of(model, own)
    return _apart(settings.model_copy(update={"model": name if not is_file else TAUGHT, "adapter": own}))


def _apart(settings: Settings) -> Settings:
    """A process that runs does not say which adapter it has: a model that takes one gets a process of its own."""
    if settings.llm_url or not load_catalogue().find(chosen(settings)).adapter:
        return settings
    return settings.model_copy(update={"llm_port": free_port()})


def _file_name(name: str, report: Report) -> str:
    if not name.endswith(ADAPTER_ENDING):
        return name.replace(":", "-")
    return f"{Path(name).stem}-{report.origin.model_details['adapter_sha256'][:8]}"


def _holds_baseline(settings: Settings, wanted: Wanted, baseline: Report) -> bool:
    """Ask the baseline's own questions and compare with its intervals."""
    report = _measured(settings, replace(wanted, plan=baseline.plan))
    _present(report, None, wanted.output)
    fallen = drops(baseline, report)
    if fallen:
        Console().print(drops_table(fallen))
    else:
        say("Не хуже опорных показателей.")
    return not fallen


def _write_baseline(report: Report, path: Path) -> None:
    """Keep the figures without the questions, which belong to the data."""
    save(replace(report, questions=()), path)
    say(f"Опорные показатели записаны: {path}")


def _measured(settings: Settings, wanted: Wanted) -> Report:
    pairs = read_pairs(wanted.pairs, Limits.of(settings))[: wanted.plan.limit] if wanted.pairs else ()
    encoder = chosen_encoder(settings)
    with model_process(_apart(settings) if settings.adapter else settings) as served, _progress() as bar:
        session = Session(served, encoder, chosen_reranker(settings), bar)
        if pairs:
            return asyncio.run(session.measure_pairs(pairs, wanted.collection, wanted.plan.seed))
        return asyncio.run(session.measure(wanted.plan, wanted.data))


class _Bars:
    """A line for each stage, with the time that is left."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._tasks[stage], completed=done)


@contextmanager
def _progress() -> Iterator[_Bars]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield _Bars(progress)


def _present(report: Report, comparison: Comparison | None, folder: Path) -> None:
    save(report, folder / "run.json")
    write_page(report, comparison, folder / "report.html")
    console = Console()
    console.print(figures_table(report, comparison))
    if comparison:
        console.print(comparison_table(comparison))
        console.print(tallies_table(comparison))
    tracked = ", записан в MLflow" if track(report, folder) else ""
    say(f"Отчёт: {folder / 'report.html'}, данные: {folder / 'run.json'}{tracked}")
