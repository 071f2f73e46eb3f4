"""The settings alone say which models are loaded, and with how many threads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.settings import Settings
from retrieval import chosen_models
from retrieval.chosen_models import chosen_encoder, chosen_reranker


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    made: dict[str, object] = {}
    for name in ("make_encoder", "make_reranker"):
        monkeypatch.setattr(chosen_models, name, lambda model, **named: made.update(named, model=model))
    return made


def test_the_settings_say_which_reranker_that_is(made: dict[str, object], tmp_path: Path) -> None:
    chosen_reranker(Settings(reranker="bge", reranker_max_passages=7, reranker_max_tokens=99, cache_dir=tmp_path))
    assert (made["model"], made["limit"], made["max_tokens"], made["cache_dir"]) == ("bge", 7, 99, tmp_path)


@pytest.mark.parametrize(("of_settings", "of_caller", "taken"), [(0, 0, os.cpu_count()), (0, 1, 1), (3, 1, 3)])
def test_threads_are_those_of_the_settings_else_of_the_caller_else_all_cores(
    made: dict[str, object], tmp_path: Path, of_settings: int, of_caller: int, taken: int
) -> None:
    settings = Settings(embedding_model="frida", embedding_threads=of_settings, cache_dir=tmp_path)
    chosen_encoder(settings, threads=of_caller)
    assert (made["model"], made["threads"], made["cache_dir"]) == ("frida", taken, tmp_path)
