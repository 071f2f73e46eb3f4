"""A trained adapter as the GGUF that llama.cpp lays over its base, or in its weights. The only importer of gguf.

Layout, as llama.cpp reads it: of each projection `blk.N.x.weight` the matrices `.lora_a` (rank, inputs) and `.lora_b`
(outputs, rank) in f16; the weight becomes W + alpha / rank · B · A.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import InvalidRequest
from generation.engine import load_vocabulary
from training.checkpoint import read_adapter
from training.quantization import quantize
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


def export_merged(adapter: Path, base: Path, about: About, target: Path) -> Merged:
    """Write a whole model: an exported adapter merged into its base, every tensor quantised as the base has it."""
    whole = target.with_name(f"{target.name}.f16")
    try:
        merged = merge(base, adapter, about, whole)
        quantize(whole, target, merged.types, file_type=merged.file_type)
    finally:
        whole.unlink(missing_ok=True)
    return replace(merged, path=target, size_bytes=target.stat().st_size)


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
    _finish(writer, aside, target)
    return Exported(target, target.stat().st_size, len(named))


@dataclass(frozen=True, slots=True)
class Merged:
    """A model's file with the adapter in its weights; `types` are ggml's numbers by tensor, as the base has them."""

    path: Path
    size_bytes: int
    matrices: int
    types: Mapping[str, int]
    file_type: int


def merge(base: Path, adapter: Path, about: About, target: Path) -> Merged:
    """Write the base with an adapter's file merged into it: the changed weights in f16, all else byte by byte.

    Vocabulary, template and shape are the base's; name, terms and the base's hash are written anew. Raises
    `InvalidRequest` when the adapter has weights that the base lacks.
    """
    model, lora = gguf.GGUFReader(base), gguf.GGUFReader(adapter)
    matrices = {one.name: one.data for one in lora.tensors}
    changed = sorted({name.removesuffix(".lora_a").removesuffix(".lora_b") for name in matrices})
    if unknown := set(changed) - {one.name for one in model.tensors}:
        raise InvalidRequest("other_base", f"В модели {base.name} нет слоя «{min(unknown)}»: адаптер учили над другой.")
    alpha = float(lora.fields[gguf.Keys.Adapter.LORA_ALPHA].contents())
    aside = target.with_name(f"{target.name}.tmp")
    writer = gguf.GGUFWriter(aside, str(model.fields[gguf.Keys.General.ARCHITECTURE].contents()))
    _retell(writer, model, lora, about)
    for one in model.tensors:
        if one.name in changed:
            writer.add_tensor(one.name, _added(one, matrices, alpha))
        else:
            writer.add_tensor(one.name, one.data, raw_dtype=one.tensor_type)
    _finish(writer, aside, target)
    types = {one.name: int(one.tensor_type) for one in model.tensors}
    kept = model.fields.get(gguf.Keys.General.FILE_TYPE)
    return Merged(target, target.stat().st_size, len(matrices), types, int(kept.contents()) if kept else 0)


def _added(tensor: gguf.ReaderTensor, matrices: Mapping[str, NDArray[np.float16]], alpha: float) -> NDArray[np.float16]:
    a, b = (matrices[f"{tensor.name}.lora_{side}"].astype(np.float32) for side in "ab")
    weight = gguf.dequantize(tensor.data, tensor.tensor_type)
    added: NDArray[np.float16] = (weight + alpha / len(a) * (b @ a)).astype(np.float16)
    return added


def _retell(writer: gguf.GGUFWriter, model: gguf.GGUFReader, lora: gguf.GGUFReader, about: About) -> None:
    """Say of the merged model what its base says, but for what it is called and where it comes from."""
    ours = {gguf.Keys.General.NAME, gguf.Keys.General.LICENSE, gguf.Keys.General.DESCRIPTION}
    for name, field in model.fields.items():
        if name.startswith("GGUF.") or name == gguf.Keys.General.ARCHITECTURE or name in ours:
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, sub_type=inner)
    writer.add_name(about.name)
    writer.add_license(about.licence)
    writer.add_description(about.description)
    for name in ("znayka.base.sha256", "znayka.data.sha256"):
        if said := lora.fields.get(name):
            writer.add_string(name, str(said.contents()))


def _finish(writer: gguf.GGUFWriter, aside: Path, target: Path) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    aside.replace(target)


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
