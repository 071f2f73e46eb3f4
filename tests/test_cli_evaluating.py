from __future__ import annotations

from pathlib import Path

import pytest

from cli import model_process
from cli.evaluating import side_of
from core.errors import Misconfigured, NotFound
from core.settings import Settings
from generation.embedded import NAME, TAUGHT


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "company.gguf"
    path.write_bytes(b"GGUF")
    return path


def test_the_bare_base_stands_beside_ones_own_adapter(own: Path) -> None:
    settings = Settings(adapter=own)
    base, taught = side_of(settings, NAME), side_of(settings, TAUGHT)

    assert (base.model, base.adapter) == (NAME, None)
    assert (taught.model, taught.adapter) == (TAUGHT, own)


def test_an_adapters_file_is_a_side_by_itself(own: Path) -> None:
    ours, theirs = side_of(Settings(), TAUGHT), side_of(Settings(), str(own))

    assert (ours.model, ours.adapter) == (TAUGHT, None)
    assert (theirs.model, theirs.adapter) == (TAUGHT, own)


def test_a_running_process_with_an_unknown_adapter_is_not_asked(own: Path) -> None:
    settings = Settings()

    assert side_of(settings, str(own)).llm_port != settings.llm_port
    assert side_of(settings, TAUGHT).llm_port != settings.llm_port
    assert side_of(settings, NAME).llm_port == settings.llm_port


def test_a_side_that_cannot_be_had_is_refused_before_anything_is_measured(own: Path, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="Нет файла адаптера"):
        side_of(Settings(), str(tmp_path / "other.gguf"))
    with pytest.raises(NotFound):
        side_of(Settings(), "gemma3_271m")
    with pytest.raises(Misconfigured, match="ZNAYKA_LLM_URL"):
        side_of(Settings(llm_url="http://127.0.0.1:1/v1"), str(own))


def test_another_servers_models_are_taken_by_their_names() -> None:
    settings = Settings(llm_url="http://127.0.0.1:1/v1")

    assert side_of(settings, "qwen").model == "qwen"


def test_a_process_of_our_own_has_the_adapter_of_its_settings_and_no_other(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZNAYKA_ADAPTER", "/elsewhere.gguf")

    assert "ZNAYKA_ADAPTER" not in model_process._environment(side_of(Settings(), NAME))
    assert model_process._environment(Settings(adapter=own))["ZNAYKA_ADAPTER"] == str(own)
