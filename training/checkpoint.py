"""The file that a course keeps: all that it needs to go on, and the adapter that is exported from it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from core.errors import InvalidRequest

CHECKPOINT = "checkpoint.pt"


def read_adapter(folder: Path) -> dict[str, Tensor]:
    """The matrices of a run's last checkpoint, by peft's names. Raises `InvalidRequest` when there is none yet."""
    try:
        state = torch.load(folder / CHECKPOINT, weights_only=True, map_location="cpu")
    except OSError as exc:
        detail = f"В {folder} ещё нет обученных весов: первые сохраняются через две минуты обучения."
        raise InvalidRequest("no_checkpoint", detail) from exc
    return dict(state["adapter"])
