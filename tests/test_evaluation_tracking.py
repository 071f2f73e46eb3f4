from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.report import Measure, save
from evaluation.tracking import metrics, parameters, track
from tests.scored_runs import f1


def test_every_figure_goes_with_the_ends_of_its_interval() -> None:
    logged = metrics(f1(1.0, 0.0, 0.5))

    assert logged["end_to_end.f1"] == 0.5
    assert logged["end_to_end.f1.low"] < 0.5 < logged["end_to_end.f1.high"]
    assert all(Measure.F1 in name for name in logged)
    assert parameters(f1(1.0)) == {
        "model": "gemma",
        "encoder": "e5",
        "seed": "7",
        "version.numpy": "2.4",
        "setting.top_k": "6",
    }


def test_without_mlflow_nothing_is_tracked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.tracking.find_spec", lambda _name: None)

    assert track(f1(1.0), tmp_path) is False


@pytest.mark.filterwarnings("ignore")  # MLflow's own, of its libraries
def test_a_run_stands_in_mlflow_with_its_figures_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    run = f1(1.0, 0.0)
    save(run, tmp_path / "out" / "run.json")

    assert track(run, tmp_path / "out") is True
    (kept,) = mlflow.search_runs(experiment_names=["znayka"], output_format="list")
    assert kept.data.metrics["end_to_end.f1"] == 0.5
    assert kept.data.params["model"] == "gemma"
    assert [one.path for one in mlflow.MlflowClient().list_artifacts(kept.info.run_id)] == ["run.json"]
