"""A course runs where it is told to and multiplies as exactly as this machine does fast."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.errors import Misconfigured
from tests.tiny_course import LESSONS, tiny_base
from training import hardware
from training.hardware import device_of, precision_of
from training.lessons import tree_of
from training.packing import pack
from training.tokens import ModelTokenizer
from training.weights import Lora, Student


def test_a_gpu_that_is_not_there_is_said_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("auto") == "cpu"
    with pytest.raises(Misconfigured, match="видеокарты"):
        device_of("cuda")


def test_bfloat16_is_taken_where_the_processor_multiplies_it(monkeypatch):
    for has_it, wanted in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(hardware, "_multiplies_bfloat16", lambda has_it=has_it: has_it)
        assert precision_of("auto", "cpu") is wanted
    assert precision_of("float32", "cpu") is torch.float32
    assert precision_of("bfloat16", "cpu") is torch.bfloat16


@pytest.mark.real_model
def test_in_bfloat16_the_loss_is_nearly_that_in_float32_and_the_adapter_stays_exact(tmp_path: Path):
    _, model = tiny_base(tmp_path)
    tree = tree_of(LESSONS[0], ModelTokenizer.of(model))
    losses = []
    for precision in (torch.float32, torch.bfloat16):
        student = Student(model, Lora(rank=4, alpha=4), "cpu", precision)
        loss = student.loss(pack(tree, window=student.window))
        loss.backward()
        assert all(p.dtype == p.grad.dtype == torch.float32 for p in student.parameters())
        losses.append(float(loss.detach()))
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
    assert losses[0] != losses[1]
