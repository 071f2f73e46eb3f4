"""The run in MLflow, where that is installed; the only module that knows it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from evaluation.report import Report

EXPERIMENT = "znayka"
_PARAM_MAX_CHARS = 500


def track(report: Report, folder: Path) -> bool:
    """Log parameters, figures and the files in `folder` to MLflow; False when it is not installed.

    Where to is MLflow's own setting, MLFLOW_TRACKING_URI.
    """
    return log_run(f"evaluate {report.origin.model}", parameters(report), metrics(report), folder)


def log_run(name: str, parameters: Mapping[str, str], figures: Mapping[str, float], folder: Path) -> bool:
    """Log a run of any kind with the files in `folder`; False when MLflow is not installed."""
    if find_spec("mlflow") is None:
        return False
    import mlflow

    mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT))
    with mlflow.start_run(run_name=name):
        mlflow.log_params(parameters)
        mlflow.log_metrics(figures)
        mlflow.log_artifacts(str(folder))
    return True


def parameters(report: Report) -> Mapping[str, str]:
    """What was measured, flat, cut to what MLflow keeps."""
    origin = report.origin
    flat = {"model": origin.model, "encoder": origin.encoder, "seed": f"{report.plan.seed}"}
    for kind, values in (("version", origin.versions), ("setting", origin.settings), ("model", origin.model_details)):
        flat |= {f"{kind}.{name}": value[:_PARAM_MAX_CHARS] for name, value in values.items()}
    return flat


def metrics(report: Report) -> Mapping[str, float]:
    """Every figure with the ends of its interval, as `group.measure`, `….low` and `….high`."""
    found: dict[str, float] = {}
    for figure in report.figures:
        name, estimate = f"{figure.group}.{figure.measure}", figure.estimate
        found |= {name: estimate.value, f"{name}.low": estimate.low, f"{name}.high": estimate.high}
    return found
