"""A trained adapter as the GGUF that llama.cpp lays over its base. The only module that imports gguf.

Layout, as llama.cpp reads it: of each projection `blk.N.x.weight` the matrices `.lora_a` (rank, inputs) and `.lora_b`
(outputs, rank) in f16; the weight becomes W + alpha / rank · B · A.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import InvalidRequest
from generation.engine import load_vocabulary
from training.checkpoint import read_adapter
from training.record import Record, read_record

_MATRIX = re.compile(r"base_model\.model\.(?P<projection>.+)\.lora_(?P<side>[AB])\.weight")
_BLOCK = re.compile(r"\.layers\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class About:
    """What the file says of itself to whoever finds it alone. `licence` is an SPDX name or a sentence."""

    name: str
    licence: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Exported:
    """An adapter's file, and how many matrices it holds."""

    path: Path
    size_bytes: int
    matrices: int


def export_run(folder: Path, base: Path, about: About, target: Path) -> Exported:
    """Write the adapter of a run's last checkpoint; `base` is the model's file it was trained over.

    Raises `InvalidRequest` when the folder holds no checkpoint.
    """
    record = read_record(folder)
    return write_adapter(read_adapter(folder), record, about, base=base, target=target)


def write_adapter(
    matrices: Mapping[str, Tensor], record: Record, about: About, *, base: Path, target: Path
) -> Exported:
    """Write peft's `matrices`, aside first and then renamed. Raises `InvalidRequest` for infinite weights."""
    architecture = load_vocabulary(base).architecture
    aside = target.with_name(f"{target.name}.tmp")
    writer = gguf.GGUFWriter(aside, architecture)
    _describe(writer, record, about)
    named = dict(_named(matrices, architecture))
    for name, matrix in sorted(named.items()):
        writer.add_tensor(name, matrix)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    aside.replace(target)
    return Exported(target, target.stat().st_size, len(named))


def _describe(writer: gguf.GGUFWriter, record: Record, about: About) -> None:
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(record.alpha))
    writer.add_name(about.name)
    writer.add_license(about.licence)
    writer.add_description(about.description)
    writer.add_languages(["ru"])
    writer.add_base_model_count(1)
    writer.add_base_model_name(0, record.base.name)
    writer.add_dataset_count(1)
    writer.add_dataset_name(0, record.data)
    writer.add_dataset_description(0, "; ".join(record.licences))
    writer.add_string("znayka.base.sha256", record.base.sha256)
    writer.add_string("znayka.data.sha256", record.data_sha256)


def _named(matrices: Mapping[str, Tensor], architecture: str) -> Iterator[tuple[str, NDArray[np.float16]]]:
    kind = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    blocks = 1 + max(int(number) for name in matrices for number in _BLOCK.findall(name))
    names = gguf.get_tensor_name_map(kind, blocks)
    for name, matrix in matrices.items():
        found = _MATRIX.fullmatch(name)
        weight = names.get_name(found["projection"]) if found else None
        if not found or not weight:
            raise InvalidRequest("unknown_matrix", f"llama.cpp не знает слоя «{name}» у модели {architecture}.")
        yield f"{weight}.weight.lora_{found['side'].lower()}", _halved(name, matrix)


def _halved(name: str, matrix: Tensor) -> NDArray[np.float16]:
    halved: NDArray[np.float16] = matrix.to(torch.float16).numpy()
    if not np.isfinite(halved).all():
        detail = f"Обучение разошлось: в «{name}» бесконечные числа. Начните заново с меньшей скоростью (--rate)."
        raise InvalidRequest("diverged", detail)
    return halved
