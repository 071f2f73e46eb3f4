"""A checkpoint is numbers: one that would run code when it is unpickled runs none."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from training.checkpoint import CHECKPOINT, read_adapter
from training.run import Course, Teacher


class _Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self._folder),)


class _OneWeight(torch.nn.Linear):
    """What a teacher needs of a student before it goes on from a checkpoint."""

    def __init__(self) -> None:
        super().__init__(1, 1)


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    torch.save({"adapter": _Trap(tmp_path / "sprung")}, tmp_path / CHECKPOINT)
    return tmp_path


def test_the_adapter_of_a_checkpoint_with_code_is_refused_and_the_code_does_not_run(trapped: Path) -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"[Ww]eights"):
        read_adapter(trapped)
    assert not (trapped / "sprung").exists()


def test_a_course_does_not_go_on_from_a_checkpoint_with_code(trapped: Path) -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"[Ww]eights"):
        Teacher(_OneWeight(), Course(), trapped).teach((), lambda progress: None)
    assert not (trapped / "sprung").exists()


def test_the_trap_springs_where_a_file_is_unpickled_without_that_bound(trapped: Path) -> None:
    torch.load(trapped / CHECKPOINT, weights_only=False)
    assert (trapped / "sprung").is_dir()
