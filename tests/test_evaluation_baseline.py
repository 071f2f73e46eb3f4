from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.cases import SMALL_PLAN, Group, Plan
from evaluation.comparison import compare
from evaluation.intervals import Estimate, Verdict
from evaluation.report import TIMES, Figure, Measure, Report, load, save
from tests.scored_runs import ORIGIN
from tests.service import Service, service_environment

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / "evaluation" / "baseline.json"
LIMIT_S = 590.0

pytestmark = pytest.mark.real_model


@pytest.fixture
def baseline() -> Path:
    """The figures that this version was measured with."""
    if not BASELINE.is_file():
        pytest.skip("needs evaluation/baseline.json: znayka evaluate --write-baseline")
    return BASELINE


def evaluate(*arguments: object, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "evaluate", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=LIMIT_S,
        env=env | {"COLUMNS": "200"},
    )


def two_questions(low: float) -> Report:
    """A baseline of two questions whose interval begins at `low`."""
    figure = Figure(Group.GIVEN, Measure.F1, Estimate(max(low, 0.5), low, 1.0, 2))
    limits = dict.fromkeys(Group, 0) | {Group.GIVEN: 2}
    return Report(ORIGIN, Plan(("xquad",), limits=limits), (figure,), ())


def test_the_service_answers_no_worse_than_its_baseline(baseline: Path, data: Path, tmp_path: Path) -> None:
    run = evaluate(
        "--baseline", baseline, "--data", data, "--output", tmp_path, env=service_environment({"data_dir": tmp_path})
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "Не хуже опорных показателей" in run.stdout


def test_the_baseline_holds_figures_of_every_kind_and_no_text_of_the_data(baseline: Path) -> None:
    kept = load(baseline)
    measured = {(figure.group, figure.measure) for figure in kept.figures}

    assert kept.plan == SMALL_PLAN
    assert kept.questions == ()
    assert {group for group, _ in measured} == set(SMALL_PLAN.limits)
    assert {
        (Group.RETRIEVAL, Measure.HIT_1),
        (Group.END_TO_END, Measure.F1),
        (Group.REMOVED, Measure.REFUSED),
        (Group.INJECTION, Measure.OBEYED),
    } <= measured
    assert {measure for _, measure in measured} > TIMES


@pytest.mark.parametrize(("low", "code"), [(0.0, 0), (1.01, 1)])
def test_a_fall_below_the_interval_is_exit_code_1_and_is_named(
    data: Path, tmp_path: Path, low: float, code: int
) -> None:
    save(two_questions(low), tmp_path / "baseline.json")
    run = evaluate(
        "--baseline",
        tmp_path / "baseline.json",
        "--data",
        data,
        "--output",
        tmp_path / "out",
        env=service_environment({"data_dir": tmp_path}),
    )

    assert run.returncode == code, run.stdout + run.stderr
    assert ("Стало хуже опорного" in run.stdout) == bool(code)
    kept = load(tmp_path / "out" / "run.json")
    assert len(kept.questions) == 2
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8").count("<svg") >= 2


def test_a_users_own_pairs_are_asked_of_the_running_service(service: Service, examples: Path, tmp_path: Path) -> None:
    (document,) = service.upload(next(examples.glob("*.pdf")), collection="pairs")
    service.wait_for_end(document.id)
    pairs = tmp_path / "вопросы.csv"
    pairs.write_bytes(
        f"вопрос;ответ;документ\nКогда выплачиваются отпускные?;за три дня;{document.name}\n".encode("cp1251")
    )
    run = evaluate("--pairs", pairs, "--collection", "pairs", "--output", tmp_path, env=service.env)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "языковая модель" not in run.stdout  # the running one answered, no other was started
    (asked,) = load(tmp_path / "run.json").questions
    assert asked.got
    assert all(shown.document == document.name for shown in asked.passages)


def test_a_bad_row_is_one_sentence_and_nothing_is_asked(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("вопрос;ответ\n;нет\n", encoding="utf-8")
    run = evaluate("--pairs", pairs, env=service_environment({"data_dir": tmp_path}))

    assert run.returncode == 1
    assert run.stderr.strip() == "Строка 2: пустой вопрос. Исправьте файл и повторите."


def test_two_models_are_shown_side_by_side_and_equal_ones_differ_by_noise(tmp_path: Path) -> None:
    model = "gemma3_270m"
    env = service_environment({"data_dir": tmp_path})
    run = evaluate("--sets", "english", "--limit", 2, "--compare", model, model, "--output", tmp_path, env=env)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "По вопросам, F1 второго против первого" in run.stdout
    kept = load(tmp_path / f"run-{model}.json")
    assert len(kept.questions) == 2
    quality = compare(kept, load(tmp_path / "run.json"))
    assert {one.verdict for one in quality.changes if one.measure not in TIMES} == {Verdict.NOISE}
    ((group, counted),) = quality.tallies
    assert (group, counted.wins, counted.ties, counted.losses) == (Group.ENGLISH, 0, 2, 0)
