"""A checkpoint is numbers: one that would run code when it is unpickled runs none."""

from __future__ import annotations

import os
import pickletools
import random
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from core.errors import InvalidRequest, Misconfigured
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

    def adapter(self) -> dict[str, torch.Tensor]:
        """What is kept of it."""
        return {"weight": self.weight.detach()}


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


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A folder with the checkpoint of a step."""
    teacher = Teacher(_OneWeight(), Course(), tmp_path)
    teacher._save(lessons=1)
    return tmp_path


def cause_of_refusal(folder: Path, data: bytes) -> BaseException | None:
    """What was wrong with a checkpoint of these bytes, if anything was; what is no refusal breaks off."""
    (folder / CHECKPOINT).write_bytes(data)
    with suppress(InvalidRequest):
        read_adapter(folder)
        return None
    with pytest.raises(InvalidRequest) as refused:
        read_adapter(folder)
    return refused.value.__cause__


@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
def test_a_checkpoint_cut_short_is_refused_with_its_path(whole: Path, share: float) -> None:
    assert list(read_adapter(whole)) == ["weight"]
    data = (whole / CHECKPOINT).read_bytes()
    (whole / CHECKPOINT).write_bytes(data[: int(share * len(data))])
    with pytest.raises(InvalidRequest, match=CHECKPOINT):
        read_adapter(whole)


def test_a_checkpoint_with_wrong_bytes_is_read_or_refused(whole: Path) -> None:
    data, chance = (whole / CHECKPOINT).read_bytes(), random.Random(7)
    begin = data.index(b"\x80\x02}")
    recalled = begin + next(at or 0 for op, _, at in pickletools.genops(data[begin:]) if op.name == "BINGET")
    never_kept = data[: recalled + 1] + b"\xfe" + data[recalled + 2 :]
    from_nothing = data[: begin + 2] + b"u" + data[begin + 3 :]
    refused = {type(cause) for spoiled in (never_kept, from_nothing) if (cause := cause_of_refusal(whole, spoiled))}
    assert refused == {KeyError, IndexError}
    for _ in range(100):
        at = chance.randrange(begin, begin + 600)
        cause_of_refusal(whole, data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :])


@pytest.mark.parametrize("other", [{"model": torch.ones(2)}, [torch.ones(2)], torch.ones(2)], ids=repr)
def test_a_sound_file_of_another_program_is_refused(tmp_path: Path, other: object) -> None:
    torch.save(other, tmp_path / CHECKPOINT)
    with pytest.raises(InvalidRequest) as refused:
        Teacher(_OneWeight(), Course(), tmp_path).teach((), lambda progress: None)
    assert refused.value.code == "bad_checkpoint"


def test_a_checkpoint_that_cannot_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).mkdir()  # the tests may run as root, whom no mode keeps from reading
    with pytest.raises(Misconfigured, match="Is a directory") as refused:
        read_adapter(tmp_path)
    assert "далите" not in refused.value.detail


def test_the_trap_springs_where_a_file_is_unpickled_without_that_bound(trapped: Path) -> None:
    torch.load(trapped / CHECKPOINT, weights_only=False)
    assert (trapped / "sprung").is_dir()
