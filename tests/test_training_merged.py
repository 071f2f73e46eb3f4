"""A model with the adapter merged into its weights says what the base says with the adapter laid over it."""

from __future__ import annotations

from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import pytest
import torch

from core.errors import InvalidRequest
from core.settings import load_settings
from generation import embedded
from tests.tiny_gguf import GEMMA_TEMPLATE, LAYERS, WIDTH, gemma_tokens, write_model
from training.export import About, export_merged, merge, write_adapter
from training.quantization import quantize
from training.record import Base, Record

ABOUT = About("Регламенты компании", "Apache-2.0", "Слито с основой")
RECORD = Record(Base("tiny", "tiny.gguf", "a" * 64), 4, 8, "проба", "d" * 64)
Q8_0 = int(gguf.GGMLQuantizationType.Q8_0)
SHIPPED = Path(__file__).parent.parent / "generation" / "adapters" / "znayka_270m.gguf"
PROMPT = "Отрывки:\n\n[1] Положение\n{}\n\nВопрос: {}\nОтвет:"
ASKED = (
    ("Пароль меняется каждые 180 дней.", "Как часто меняется пароль?"),
    ("Заявку согласуют руководитель и финансовый отдел.", "Кто согласует заявку?"),
    ("Ноутбук выдаётся на четыре года.", "Кто открыл Америку?"),
    ("График утверждается не позднее 17 декабря.", "Когда утверждается график?"),
    ("Аванс возвращается в кассу.", "Куда возвращается аванс?"),
    ("Отпускные выплачиваются за три дня.", "Кто директор?"),
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    return write_model(folder / "tiny.gguf", gemma_tokens(), arch="gemma3", template=GEMMA_TEMPLATE)


@pytest.fixture(scope="module")
def adapter(tiny: Path) -> Path:
    chance = torch.Generator().manual_seed(5)
    shapes = {
        "self_attn.q_proj": (WIDTH, WIDTH),
        "self_attn.o_proj": (WIDTH, WIDTH),
        "mlp.down_proj": (WIDTH, 2 * WIDTH),
    }
    matrices = {}
    for layer in range(LAYERS):
        for name, (outputs, inputs) in shapes.items():
            stem = f"base_model.model.model.layers.{layer}.{name}"
            matrices[f"{stem}.lora_A.weight"] = torch.randn(RECORD.rank, inputs, generator=chance) * 0.3
            matrices[f"{stem}.lora_B.weight"] = torch.randn(outputs, RECORD.rank, generator=chance) * 0.3
    return write_adapter(matrices, RECORD, ABOUT, base=tiny, target=tiny.with_name("adapter.gguf")).path


def _scores(model: Path, ids: list[int], lora: Path | None = None) -> np.ndarray:
    llama = llama_cpp.Llama(str(model), n_ctx=256, logits_all=True, lora_path=lora and str(lora), verbose=False)
    llama.eval(ids)
    scores = llama.scores[: len(ids)].copy()
    llama.close()
    return scores


def _types(model: Path) -> dict[str, int]:
    return {tensor.name: int(tensor.tensor_type) for tensor in gguf.GGUFReader(model).tensors}


def _said(model: Path) -> dict[str, object]:
    return {name: field.contents() for name, field in gguf.GGUFReader(model).fields.items() if "GGUF." not in name}


def test_the_merged_model_scores_words_as_the_base_with_the_adapter(tiny: Path, adapter: Path, tmp_path: Path) -> None:
    ids = [2, *range(300, 330)]
    merged = merge(tiny, adapter, ABOUT, tmp_path / "merged.gguf")
    together, alone, ours = _scores(tiny, ids, adapter), _scores(tiny, ids), _scores(merged.path, ids)
    assert merged.matrices == 2 * 3 * LAYERS
    assert np.abs(ours - together).max() < 0.01 * np.abs(together).max()
    assert np.abs(alone - together).max() > 0.1 * np.abs(together).max()


def test_quantised_again_every_tensor_has_the_type_that_the_base_gives_it(
    tiny: Path, adapter: Path, tmp_path: Path
) -> None:
    small = tmp_path / "tiny.q8_0.gguf"
    mixed = {name: kind if "norm" in name or "ffn_up" in name else Q8_0 for name, kind in _types(tiny).items()}
    quantize(tiny, small, mixed, file_type=llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0)
    merged = export_merged(adapter, small, ABOUT, tmp_path / "merged.gguf")
    assert _types(small) == mixed
    assert _types(merged.path) == mixed
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["merged.gguf", "tiny.q8_0.gguf"]
    ids = [2, *range(300, 330)]
    together, ours = _scores(small, ids, adapter), _scores(merged.path, ids)
    assert np.corrcoef(together.ravel(), ours.ravel())[0, 1] > 0.999


def test_what_no_adapter_touches_stays_byte_by_byte(tiny: Path, adapter: Path, tmp_path: Path) -> None:
    merged = export_merged(adapter, tiny, ABOUT, tmp_path / "merged.gguf")
    before, after = (
        {tensor.name: tensor.data.tobytes() for tensor in gguf.GGUFReader(model).tensors}
        for model in (tiny, merged.path)
    )
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {
        f"blk.{layer}.{name}.weight" for layer in range(LAYERS) for name in ("attn_q", "attn_output", "ffn_down")
    }


def test_vocabulary_template_and_shape_are_the_base_s_and_the_name_is_ours(
    tiny: Path, adapter: Path, tmp_path: Path
) -> None:
    before, after = _said(tiny), _said(export_merged(adapter, tiny, ABOUT, tmp_path / "merged.gguf").path)
    ours = {"general.name", "general.license", "general.description", "znayka.base.sha256", "znayka.data.sha256"}
    ours |= {"general.file_type", "general.quantization_version"}
    assert {name: value for name, value in after.items() if name not in ours} == {
        name: value for name, value in before.items() if name not in ours
    }
    assert (after["general.name"], after["general.license"]) == (ABOUT.name, ABOUT.licence)
    assert (after["znayka.base.sha256"], after["znayka.data.sha256"]) == ("a" * 64, "d" * 64)


def test_an_adapter_of_another_model_is_refused_and_leaves_nothing(tiny: Path, adapter: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    writer = gguf.GGUFWriter(other, "gemma3")
    writer.add_tensor("blk.9.attn_q.weight", np.zeros((WIDTH, WIDTH), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(InvalidRequest, match="над другой"):
        export_merged(adapter, other, ABOUT, tmp_path / "merged.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["other.gguf"]


def _answers(model: Path, lora: Path | None = None) -> list[str]:
    llama = llama_cpp.Llama(str(model), n_ctx=256, lora_path=lora and str(lora), verbose=False)
    said = [llama(PROMPT.format(*asked), max_tokens=16, temperature=0, stop=["\n"]) for asked in ASKED]
    llama.close()
    return [one["choices"][0]["text"] for one in said]


@pytest.mark.real_model
def test_the_shipped_adapter_merged_and_quantised_answers_alike_in_the_size_of_its_base(tmp_path: Path) -> None:
    base = embedded.assemble(load_settings().cache_dir)
    merged = export_merged(SHIPPED, base, ABOUT, tmp_path / "merged.gguf")
    together, ours, alone = _answers(base, SHIPPED), _answers(merged.path), _answers(base)
    print(f"merged {merged.size_bytes:,} bytes, base {base.stat().st_size:,}\n{together}\n{ours}\n{alone}")
    assert abs(merged.size_bytes - base.stat().st_size) < 100_000
    assert sum(one == other for one, other in zip(together, ours, strict=True)) >= len(ASKED) - 1
    assert sum(one == other for one, other in zip(together, alone, strict=True)) <= 1
