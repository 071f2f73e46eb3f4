"""One setting decides who answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import NotFound
from core.settings import Settings
from generation.model_choice import server_of


def test_the_embedded_model_answers_by_default(tmp_path: Path) -> None:
    server = server_of(Settings(data_dir=tmp_path))
    assert (server.name, server.answers, server.url) == ("znayka_270m", "spans", "http://127.0.0.1:8011/v1")


def test_a_saiga_writes_prose_within_its_own_context(tmp_path: Path) -> None:
    server = server_of(Settings(data_dir=tmp_path, model="saiga2_7b", llm_context_tokens=16000))
    assert (server.answers, server.context_tokens) == ("prose", 2000)


def test_another_server_is_taken_by_its_address_and_its_own_name_for_the_model(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, llm_url="http://gpu:8000/v1/", model="any-name", llm_api_key="k")
    server = server_of(settings)
    assert (server.url, server.name, server.api_key) == ("http://gpu:8000/v1", "any-name", "k")


def test_an_unknown_model_is_refused_with_names_like_it(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="saiga_nemo_12b"):
        server_of(Settings(data_dir=tmp_path, model="saiga_nemo"))
