"""The file that a course keeps: all that it needs to go on, and the adapter that is exported from it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import InvalidRequest, Misconfigured

CHECKPOINT = "checkpoint.pt"
PARTS = frozenset({"course", "lessons", "step", "loss", "seconds", "adapter", "optimizer"})


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """What a run's last checkpoint holds, by the names in `PARTS`; only numbers and names are loaded, never code.

    Raises `FileNotFoundError` when there is none, `Misconfigured` when it may not or cannot be read, `InvalidRequest`
    when the file is damaged or holds anything else.
    """
    path = folder / CHECKPOINT
    try:
        # By ourselves: torch raises OSError over damage as well.
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as exc:
        detail = f"{path} не читается: {exc.strerror}. Проверьте права на файл и диск; обучать заново не нужно."
        raise Misconfigured("checkpoint_unreadable", detail) from exc
    try:
        state = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except Exception as exc:  # over bytes that are none of theirs torch and pickle raise a dozen kinds
        raise _damaged(path) from exc
    if not isinstance(state, dict) or not state.keys() >= PARTS or not _is_adapter(state["adapter"]):
        raise _damaged(path)
    return state


def _is_adapter(found: object) -> bool:
    return isinstance(found, dict) and all(
        isinstance(name, str) and isinstance(one, Tensor) for name, one in found.items()
    )


def _damaged(path: Path) -> InvalidRequest:
    detail = f"{path} повреждён или записан не Знайкой. Удалите его и обучите заново или верните копию."
    return InvalidRequest("bad_checkpoint", detail)


def read_adapter(folder: Path) -> dict[str, Tensor]:
    """The matrices of a run's last checkpoint, by peft's names. Raises `InvalidRequest` when there are none yet."""
    try:
        state = read_checkpoint(folder)
    except FileNotFoundError as exc:
        detail = f"В {folder} ещё нет обученных весов: первые сохраняются через две минуты обучения."
        raise InvalidRequest("no_checkpoint", detail) from exc
    return dict(state["adapter"])
