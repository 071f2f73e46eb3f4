"""A checkpoint is numbers: one that would run code when it is unpickled runs none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from core.errors import InvalidRequest
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
    with pytest.raises(InvalidRequest) as refused:
        read_adapter(trapped)
    assert refused.value.code == "bad_checkpoint"
    assert not (trapped / "sprung").exists()


def test_a_course_does_not_go_on_from_a_checkpoint_with_code(trapped: Path) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Teacher(_OneWeight(), Course(), trapped).teach((), lambda progress: None)
    assert refused.value.code == "bad_checkpoint"
    assert not (trapped / "sprung").exists()


@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
def test_a_checkpoint_cut_short_is_refused_with_its_path(tmp_path: Path, share: float) -> None:
    torch.save({"adapter": {"a": torch.ones(1000)}}, tmp_path / CHECKPOINT)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InvalidRequest, match=CHECKPOINT):
        read_adapter(tmp_path)


def test_the_trap_springs_where_a_file_is_unpickled_without_that_bound(trapped: Path) -> None:
    torch.load(trapped / CHECKPOINT, weights_only=False)
    assert (trapped / "sprung").is_dir()
