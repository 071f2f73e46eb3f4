from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import Misconfigured
from generation import embedded
from generation.adapters import adapter_of
from generation.catalogue import load_catalogue
from generation.model_file import WrongModelFile

TAUGHT = load_catalogue().find(embedded.TAUGHT)
BASE = load_catalogue().find(embedded.NAME)


def test_the_adapter_that_comes_with_the_model_is_there_and_small():
    path = adapter_of(TAUGHT, None)
    assert path is not None
    assert path.stat().st_size <= 16 * 2**20


def test_a_model_without_an_adapter_takes_none():
    assert adapter_of(BASE, None) is None


def test_ones_own_adapter_replaces_ours(tmp_path):
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    assert adapter_of(TAUGHT, own) == own


def test_ones_own_adapter_must_be_there(tmp_path):
    with pytest.raises(Misconfigured, match="znayka train export"):
        adapter_of(TAUGHT, tmp_path / "missing.gguf")


def test_an_adapter_is_refused_over_a_model_it_was_not_made_for(tmp_path):
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    with pytest.raises(Misconfigured, match="ZNAYKA_ADAPTER"):
        adapter_of(BASE, own)


def test_a_damaged_adapter_is_not_loaded():
    with pytest.raises(WrongModelFile, match="испорчен"):
        adapter_of(replace(TAUGHT, adapter_sha256="0" * 64), None)
