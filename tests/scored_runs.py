"""Runs of an evaluation made of scores alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from evaluation.cases import Group, Plan
from evaluation.report import Measure, Origin, Report, Scored, make_report

ORIGIN = Origin(datetime(2026, 5, 4, 12, 30, tzinfo=UTC), "gemma", "e5", "abc", {"numpy": "2.4"}, {"top_k": "6"}, 0.5)


def report(scores: Sequence[Mapping[Measure, float]], group: Group = Group.END_TO_END, **changes: Any) -> Report:
    """A run of questions «Вопрос 0?», «Вопрос 1?», … with these scores."""
    questions = [Scored(group, f"{n}", f"Вопрос {n}?", "да", "нет", one, **changes) for n, one in enumerate(scores)]
    return make_report(ORIGIN, Plan(("xquad",)), questions)


def f1(*values: float) -> Report:
    return report([{Measure.F1: value} for value in values])
