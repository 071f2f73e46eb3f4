"""An exported adapter does in llama.cpp what it did in PyTorch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import pytest
import torch

from core.errors import InvalidRequest
from core.settings import load_settings
from generation import embedded
from training.checkpoint import CHECKPOINT, PARTS
from training.export import About, export_run, write_adapter
from training.record import Base, Record, read_record
from training.tokens import ModelTokenizer
from training.weights import Lora, Student

ABOUT = About("Пробный адаптер", "Apache-2.0", "Проверка")
RECORD = Record(Base(embedded.NAME, "model.gguf", embedded.SHA256), 32, 32, "проба", "0" * 64)
TEXT = "Отрывки:\n\n[1] Положение об отпусках\nОтпуск длится 28 дней.\n\nВопрос: Сколько длится отпуск?\nОтвет:"


@pytest.fixture(scope="module")
def base() -> Path:
    return embedded.assemble(load_settings().cache_dir)


@pytest.fixture(scope="module")
def student(base: Path) -> Student:
    """The embedded model with an adapter of random numbers, large enough to change what it says."""
    student = Student(base, Lora(), "cpu")
    student.train(is_training=False)
    torch.manual_seed(7)
    noise = {name: torch.randn_like(matrix) * 0.03 for name, matrix in student.adapter().items()}
    student.load_adapter(noise)
    return student


@pytest.fixture(scope="module")
def exported(base: Path, student: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    RECORD.write(folder)
    torch.save(dict.fromkeys(PARTS) | {"adapter": student.adapter()}, folder / CHECKPOINT)
    return export_run(folder, base, ABOUT, folder / "adapter.gguf").path


def _llama_scores(base: Path, ids: list[int], adapter: Path | None) -> np.ndarray:
    llama = llama_cpp.Llama(str(base), n_ctx=128, logits_all=True, lora_path=adapter and str(adapter), verbose=False)
    llama.eval(ids)
    scores = llama.scores[: len(ids)].copy()
    llama.close()
    return scores


def _torch_scores(student: Student, ids: list[int]) -> np.ndarray:
    with torch.no_grad():
        return student._causal(input_ids=torch.tensor([ids])).logits[0].numpy()


@pytest.mark.real_model
def test_llama_cpp_scores_words_as_pytorch_does_with_the_same_adapter(base, student, exported):
    tokenizer = ModelTokenizer.of(base)
    ids = [tokenizer.bos, *tokenizer.ids(TEXT)]
    ours, without = _torch_scores(student, ids), _llama_scores(base, ids, None)
    theirs = _llama_scores(base, ids, exported)
    for position in (5, len(ids) // 2, len(ids) - 1):
        alike = np.corrcoef(ours[position], theirs[position])[0, 1]
        unlike = np.corrcoef(ours[position], without[position])[0, 1]
        # llama.cpp rounds what passes between layers to 8 bits, on each processor in its own way: 0.9972 was the least
        # seen, and 0.9991 without any adapter.
        assert alike > 0.995
        assert unlike < 0.9


@pytest.mark.real_model
def test_the_file_is_small_enough_to_ship_and_says_what_it_is(exported):
    fields = gguf.GGUFReader(exported).fields
    said = {key: field.contents() for key, field in fields.items()}
    assert exported.stat().st_size <= 16_000_000
    assert (said["general.type"], said["adapter.type"], said["adapter.lora.alpha"]) == ("adapter", "lora", 32.0)
    assert (said["general.name"], said["general.license"]) == (ABOUT.name, ABOUT.licence)
    assert said["znayka.base.sha256"] == embedded.SHA256


@pytest.mark.real_model
def test_an_adapter_that_diverged_is_refused_rather_than_written(base, student, tmp_path):
    matrices = {name: torch.full_like(matrix, float("inf")) for name, matrix in student.adapter().items()}
    with pytest.raises(InvalidRequest, match="разошлось"):
        write_adapter(matrices, RECORD, ABOUT, base=base, target=tmp_path / "adapter.gguf")
    assert not (tmp_path / "adapter.gguf").exists()


def test_a_folder_without_a_run_is_refused_by_name(tmp_path):
    with pytest.raises(InvalidRequest, match=str(tmp_path)):
        read_record(tmp_path)


def test_a_run_without_a_checkpoint_says_when_there_will_be_one(tmp_path):
    RECORD.write(tmp_path)
    with pytest.raises(InvalidRequest, match="ещё нет"):
        export_run(tmp_path, tmp_path / "model.gguf", ABOUT, tmp_path / "adapter.gguf")


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = replace(RECORD, licences=("Apache-2.0", "CC BY 4.0"))
    record.write(tmp_path)
    assert read_record(tmp_path) == record
