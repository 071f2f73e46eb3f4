"""The file that a course keeps: all that it needs to go on, and the adapter that is exported from it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import InvalidRequest

CHECKPOINT = "checkpoint.pt"


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """What a run's last checkpoint holds; nothing but numbers and names is loaded, never code.

    Raises `FileNotFoundError` when there is none, `InvalidRequest` when the file is damaged or holds anything else.
    """
    path = folder / CHECKPOINT
    try:
        return dict(torch.load(path, weights_only=True, map_location="cpu"))
    except FileNotFoundError:
        raise
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, TypeError) as exc:
        detail = (
            f"{path} повреждён или записан не Знайкой: внутри не только числа. Удалите его и обучите заново или "
            "верните копию."
        )
        raise InvalidRequest("bad_checkpoint", detail) from exc


def read_adapter(folder: Path) -> dict[str, Tensor]:
    """The matrices of a run's last checkpoint, by peft's names. Raises `InvalidRequest` when there are none yet."""
    try:
        state = read_checkpoint(folder)
    except FileNotFoundError as exc:
        detail = f"В {folder} ещё нет обученных весов: первые сохраняются через две минуты обучения."
        raise InvalidRequest("no_checkpoint", detail) from exc
    return dict(state["adapter"])
