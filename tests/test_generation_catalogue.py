"""The catalogue names every model that can be served, and says why an old one cannot."""

from __future__ import annotations

import pytest

from core.errors import Misconfigured, NotFound
from generation.catalogue import load_catalogue
from generation.embedded import NAME, SHA256, TAUGHT

SAIGAS = {
    "saiga_nemo_12b", "saiga_yandexgpt_8b", "saiga_gemma3_12b", "saiga_llama3_8b", "saiga_mistral_7b",
    "saiga2_7b", "saiga2_13b", "saiga2_70b",
}  # fmt: skip


def test_every_saiga_that_llama_cpp_loads_is_there_with_its_small_file_first():
    models = load_catalogue().models
    assert set(models) >= SAIGAS
    assert all(models[name].quantisation.startswith("Q4") for name in SAIGAS)
    assert all(models[name].answers == "prose" and models[name].system_prompt for name in SAIGAS)


def test_other_quantisations_are_called_by_their_name():
    models = load_catalogue().models
    assert models["saiga_nemo_12b:q5_k_m"].file == "saiga_nemo_12b.Q5_K_M.gguf"
    assert models["saiga_llama3_8b:q8_0"].size_bytes == 8_540_000_000


@pytest.mark.parametrize(("name", "answers", "has_adapter"), [(NAME, "quotes", False), (TAUGHT, "spans", True)])
def test_the_embedded_model_quotes_and_answers_with_its_adapter(name, answers, has_adapter):
    model = load_catalogue().find(name)
    assert model.is_embedded
    assert model.sha256 == SHA256
    assert (model.answers, bool(model.adapter)) == (answers, has_adapter)


@pytest.mark.parametrize("name", ["saiga_7b", "saiga_13b", "saiga_30b", "gigasaiga"])
def test_a_model_of_the_dead_format_names_its_successor(name):
    catalogue = load_catalogue()
    with pytest.raises(Misconfigured, match="GGML") as refused:
        catalogue.find(name)
    assert catalogue.retired[name] in catalogue.models
    assert catalogue.retired[name] in refused.value.detail


def test_a_misspelt_name_gets_the_close_ones():
    with pytest.raises(NotFound, match="saiga_yandexgpt_8b"):
        load_catalogue().find("saiga_yandex_8b")


def test_memory_is_file_plus_context_plus_a_gigabyte():
    model = load_catalogue().find("saiga2_7b")
    assert model.ram_bytes(4096) == 4_080_000_000 + 2000 * 512 * 1024 + 10**9
    assert model.ram_bytes(1000) == 4_080_000_000 + 1000 * 512 * 1024 + 10**9


def test_a_small_machine_is_offered_only_what_it_holds():
    names = {model.name for model in load_catalogue().fits(8 * 10**9, 4096)}
    assert {"gemma3_270m", "saiga_llama3_8b", "saiga_yandexgpt_8b"} <= names
    assert "saiga_nemo_12b" not in names
