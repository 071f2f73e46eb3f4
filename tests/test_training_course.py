"""A course learns, is taken up again after a kill as if nothing had happened, and refuses what is not its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.errors import InvalidRequest
from tests.tiny_course import SILENT, data_set, plan_of, tiny_base
from training.checkpoint import read_adapter
from training.course import Plan, conduct
from training.record import read_record
from training.run import Course
from training.weights import Lora

KILLED_AFTER = 3
COURSE_IN_A_PROCESS = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from tests.tiny_course import SILENT, plan_of, tiny_base
from training.course import conduct

folder = Path(sys.argv[1])

def die(progress):
    if progress.step > {after}:
        os.kill(os.getpid(), signal.SIGKILL)

base, model = tiny_base(folder)
conduct(plan_of(folder, "killed"), base, model, replace(SILENT, progress=die))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("course")


@pytest.fixture(scope="module")
def whole(folder):
    """A course that nothing interrupted."""
    base, model = tiny_base(folder)
    return conduct(plan_of(folder, "whole"), base, model, SILENT)


@pytest.mark.real_model
def test_a_course_that_was_killed_ends_as_one_that_was_not(folder, whole):
    command = [sys.executable, "-c", COURSE_IN_A_PROCESS.format(after=KILLED_AFTER), str(folder)]
    died = subprocess.run(command, env=os.environ | {"PYTHONPATH": "."}, check=False)
    assert died.returncode == -signal.SIGKILL
    base, model = tiny_base(folder)
    steps = []
    listener = replace(SILENT, progress=lambda progress: steps.append(progress.step))
    resumed = conduct(plan_of(folder, "killed"), base, model, listener)
    assert steps[0] == KILLED_AFTER + 1  # the step that it died in counts for nothing
    assert resumed.outcome.loss == pytest.approx(whole.outcome.loss, abs=1e-4)
    assert resumed.dev_loss == pytest.approx(whole.dev_loss, abs=1e-4)


@pytest.mark.real_model
def test_the_lessons_are_learnt(folder):
    base, model = tiny_base(folder)
    losses = {}
    plan = plan_of(folder, "learnt", passes=15, course=Course(learning_rate=2e-2), dev_every_s=0.0)
    conduct(plan, base, model, replace(SILENT, dev=lambda step, loss: losses.update({step: loss})))
    assert losses[60] < losses[1] - 0.1
    logged = [json.loads(line) for line in (folder / "learnt" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in logged] == list(range(1, 61))


@pytest.mark.real_model
def test_a_course_may_start_from_an_earlier_adapter(folder, whole):
    base, model = tiny_base(folder)
    first = []
    plan = plan_of(folder, "further", passes=1, course=Course(learning_rate=0.0), start=folder / "whole")
    conduct(plan, base, model, replace(SILENT, dev=lambda step, loss: first.append(loss)))
    assert first == pytest.approx([whole.dev_loss])
    earlier, later = read_adapter(folder / "whole"), read_adapter(folder / "further")
    assert all(torch.equal(earlier[name], later[name]) for name in earlier)


@pytest.mark.real_model
def test_an_adapter_of_another_shape_is_no_start(folder, whole):
    base, model = tiny_base(folder)
    plan = plan_of(folder, "wider", lora=Lora(rank=8, alpha=8), start=folder / "whole")
    with pytest.raises(InvalidRequest, match="--rank 4"):
        conduct(plan, base, model, SILENT)


@pytest.mark.real_model
def test_a_folder_with_another_course_is_left_alone(folder, whole):
    base, model = tiny_base(folder)
    with pytest.raises(InvalidRequest, match="другую папку"):
        conduct(plan_of(folder, "whole", lora=Lora(rank=2, alpha=2)), base, model, SILENT)
    assert read_record(folder / "whole").rank == 4


def test_data_that_changed_after_they_were_made_are_refused(tmp_path):
    data = data_set(tmp_path / "data")
    with (data / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n")
    base, model = tiny_base(tmp_path)
    with pytest.raises(InvalidRequest, match="изменились"):
        conduct(Plan(data, tmp_path / "run"), base, model, SILENT)
