from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from shutil import copyfile

import pytest

from core.errors import Misconfigured
from core.settings import Settings
from evaluation.origin import origin_of
from evaluation.report import Origin
from generation.adapters import adapter_of
from generation.catalogue import load_catalogue
from generation.embedded import NAME, TAUGHT
from generation.model_choice import server_of
from generation.scales import beside
from tests.small_base import WordEncoder

MODEL = load_catalogue().find(TAUGHT)


def origin(**settings: object) -> Origin:
    chosen = Settings(**{"model": TAUGHT} | settings)  # type: ignore[arg-type]
    return origin_of(chosen, server_of(chosen), WordEncoder())


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Our adapter under another name, with another byte at its end and no scale beside it."""
    ours = adapter_of(MODEL, None)
    assert ours is not None
    path = Path(copyfile(ours, tmp_path / "company.gguf"))
    with path.open("ab") as file:
        file.write(b"!")
    return path


def test_an_adapter_of_ones_own_is_named_with_its_own_hash(own: Path) -> None:
    details = origin(adapter=own).model_details

    assert (details["adapter"], details["adapter_name"]) == ("company.gguf", "Знайка 270M")
    assert details["adapter_sha256"] == sha256(own.read_bytes()).hexdigest() != MODEL.adapter_sha256
    assert details["sha256"] == MODEL.sha256
    assert "scale_sha256" not in details


def test_its_scale_is_named_too(own: Path) -> None:
    ours = adapter_of(MODEL, None)
    assert ours is not None
    copyfile(beside(ours), beside(own))

    assert origin(adapter=own).model_details["scale_sha256"] == sha256(beside(own).read_bytes()).hexdigest()


def test_without_one_the_adapter_is_that_of_the_catalogue() -> None:
    details = origin().model_details

    assert (details["adapter"], details["adapter_sha256"]) == (MODEL.adapter, MODEL.adapter_sha256)


def test_an_adapter_that_the_model_process_would_refuse_is_refused_here_too(own: Path, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="ZNAYKA_ADAPTER"):
        origin(model=NAME, adapter=own)
    with pytest.raises(Misconfigured, match="Нет файла адаптера"):
        origin(adapter=tmp_path / "none.gguf")


def test_the_reranker_is_among_the_settings_measured_with() -> None:
    assert origin(reranker="bge").settings["reranker"] == "bge"
    assert origin().settings["reranker"] == ""
