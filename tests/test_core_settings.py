"""Settings come from the environment alone, and what is wrong with them is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import Misconfigured
from core.settings import load_settings


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZNAYKA_ADAPTER", "ZNAYKA_DATA_DIR", "ZNAYKA_MODEL", "ZNAYKA_API_PORT"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert (settings.adapter, settings.data_dir, settings.api_port) == (None, Path("data"), 8000)


def test_every_wrong_and_unknown_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZNAYKA_API_PORT", "много")
    monkeypatch.setenv("ZNAYKA_API_PROT", "8000")
    with pytest.raises(Misconfigured) as refused:
        load_settings()
    assert all(name in refused.value.detail for name in ("ZNAYKA_API_PROT", "ZNAYKA_API_PORT"))
