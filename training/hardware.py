"""Where a course runs and how exactly it multiplies there."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from core.errors import Misconfigured

DeviceName = Literal["auto", "cpu", "cuda"]
PrecisionName = Literal["auto", "float32", "bfloat16"]

_BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # as x86-64 and 64-bit Arm name them


def device_of(wanted: str) -> str:
    """The device to train on; `auto` takes a GPU where PyTorch has one. Raises `Misconfigured`."""
    has_gpu = torch.cuda.is_available()
    if wanted == "cuda" and not has_gpu:
        raise Misconfigured("no_gpu", "PyTorch не видит видеокарты. Поставьте сборку с CUDA или укажите --device cpu.")
    return ("cuda" if has_gpu else "cpu") if wanted == "auto" else wanted


def precision_of(wanted: str, device: str) -> torch.dtype:
    """Numbers that are multiplied; `auto` takes bfloat16 where the processor or GPU has instructions for it.

    Without such instructions bfloat16 is emulated, slower than float32.
    """
    if wanted == "auto":
        is_native = torch.cuda.is_bf16_supported() if device == "cuda" else _multiplies_bfloat16()
        return torch.bfloat16 if is_native else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wanted]


def _multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    return cpuinfo.is_file() and not _BFLOAT16_FLAGS.isdisjoint(cpuinfo.read_text(encoding="utf-8").split())
