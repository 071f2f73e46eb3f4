"""Models are pulled from a hub, resumed, checked, chosen; a wrong file never gets its final name."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Misconfigured, NotFound, StorageFull, TryLater
from core.settings import Settings
from generation.catalogue import Catalogue, Model, load_catalogue
from generation.download import Hub
from generation.hub import Shelf, chosen, pull, use, verify
from generation.model_file import WrongModelFile
from tests.loopback_hub import LoopbackHub, loopback_hub

CONTENT = os.urandom(3_000_000)


@pytest.fixture
def remote() -> Iterator[LoopbackHub]:
    with loopback_hub() as hub:
        yield hub


@pytest.fixture
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture
def model(catalogue: Catalogue, remote: LoopbackHub) -> Model:
    model = catalogue.find("saiga_nemo_12b")
    remote.add(model.repo, model.file, CONTENT)
    return model


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "data", tmp_path / "cache")


def _hub(remote: LoopbackHub) -> Hub:
    return Hub(remote.endpoint, timeout_s=5, pause_s=0.001)


def _quiet(done_bytes: int, total_bytes: int) -> None:
    """A progress that nobody watches."""


def test_a_model_is_pulled_and_pinned(model, remote, shelf):
    seen: list[tuple[int, int]] = []
    path = pull(model, shelf, _hub(remote), lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert verify(model, shelf) == path
    assert "c0ffee" in path.with_name(f"{path.name}.lock.json").read_text()


def test_a_pulled_model_is_not_pulled_again(model, remote, shelf):
    pull(model, shelf, _hub(remote), _quiet)
    remote.ranges.clear()
    pull(model, shelf, Hub("http://127.0.0.1:1"), _quiet)
    assert remote.ranges == []


def test_a_cut_download_goes_on_where_it_stopped(model, remote, shelf):
    remote.cuts = [1_000_000, 500_000]
    assert pull(model, shelf, _hub(remote), _quiet).read_bytes() == CONTENT
    assert remote.ranges == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_later_pull_goes_on_with_what_an_earlier_one_kept(model, remote, shelf):
    remote.cuts = [1_000_000, *[0] * 5]
    with pytest.raises(TryLater, match="HF_ENDPOINT"):
        pull(model, shelf, _hub(remote), _quiet)
    assert not shelf.path(model).exists()
    remote.ranges.clear()
    assert pull(model, shelf, _hub(remote), _quiet).read_bytes() == CONTENT
    assert remote.ranges == ["bytes=1000000-"]


def test_bytes_with_a_wrong_hash_are_refused_and_removed(model, remote, shelf):
    remote.promised[f"{model.repo}/{model.file}"] = "0" * 64
    with pytest.raises(WrongModelFile, match="испорчен") as refused:
        pull(model, shelf, _hub(remote), _quiet)
    assert refused.value.expected_sha256 == "0" * 64
    assert list(shelf.path(model).parent.iterdir()) == []


def test_a_file_other_than_the_catalogues_is_not_even_fetched(model, remote, shelf):
    with pytest.raises(Misconfigured, match="другой файл"):
        pull(dataclasses.replace(model, sha256="1" * 64), shelf, _hub(remote), _quiet)
    assert remote.ranges == []


def test_a_full_disk_is_told_before_the_first_byte(model, remote, shelf, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    with pytest.raises(StorageFull, match="Скачивание не начато"):
        pull(model, shelf, _hub(remote), _quiet)
    assert remote.ranges == []


def test_a_gated_model_says_where_to_agree(model, remote, shelf):
    remote.gated.add(f"{model.repo}/{model.file}")
    with pytest.raises(Misconfigured, match=r"примите|согласитесь") as refused:
        pull(model, shelf, _hub(remote), _quiet)
    assert f"{remote.endpoint}/{model.repo}" in refused.value.detail


def test_a_file_that_the_hub_lacks_is_one_sentence(catalogue, remote, shelf):
    with pytest.raises(Misconfigured, match="нет файла"):
        pull(catalogue.find("saiga_nemo_12b"), shelf, _hub(remote), _quiet)


def test_without_a_network_the_mirror_is_named(model, shelf):
    with pytest.raises(TryLater, match="HF_ENDPOINT"):
        pull(model, shelf, Hub("http://127.0.0.1:1"), _quiet)


def test_a_flipped_bit_is_noticed(model, remote, shelf):
    path = pull(model, shelf, _hub(remote), _quiet)
    with path.open("r+b") as file:
        file.seek(1_234_567)
        file.write(bytes([CONTENT[1_234_567] ^ 1]))
    with pytest.raises(WrongModelFile, match="znayka models pull saiga_nemo_12b"):
        verify(model, shelf, trust_stamp=True)


def test_pulling_again_mends_a_damaged_file(model, remote, shelf):
    path = pull(model, shelf, _hub(remote), _quiet)
    path.write_bytes(CONTENT[:-1])
    assert pull(model, shelf, _hub(remote), _quiet).read_bytes() == CONTENT


def test_a_file_copied_by_hand_is_adopted_without_a_download(model, remote, shelf):
    shelf.path(model).parent.mkdir(parents=True)
    shelf.path(model).write_bytes(CONTENT)
    with pytest.raises(Misconfigured, match="контрольной суммой"):
        verify(model, shelf)
    pull(model, shelf, _hub(remote), _quiet)
    assert remote.ranges == []
    assert verify(model, shelf) == shelf.path(model)


def test_an_unchanged_file_is_not_read_again_at_a_start_but_always_by_verify(model, remote, shelf):
    path = pull(model, shelf, _hub(remote), _quiet)
    stat = path.stat()
    with path.open("r+b") as file:
        file.write(b"other")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert verify(model, shelf, trust_stamp=True) == path
    with pytest.raises(WrongModelFile):
        verify(model, shelf)


def test_a_missing_file_is_named_with_its_path(catalogue, shelf):
    model = catalogue.find("saiga2_7b")
    with pytest.raises(WrongModelFile, match="Нет файла модели") as missing:
        verify(model, shelf)
    assert missing.value.path == shelf.path(model)


def test_the_choice_is_the_setting_then_the_file_then_the_embedded_model(catalogue, tmp_path, monkeypatch):
    monkeypatch.delenv("ZNAYKA_MODEL", raising=False)
    settings = Settings(data_dir=tmp_path)
    assert chosen(settings) == "znayka_270m"
    use("saiga_nemo_12b:q8_0", catalogue, tmp_path)
    assert chosen(settings) == "saiga_nemo_12b:q8_0"
    assert chosen(Settings(data_dir=tmp_path, model="saiga2_7b")) == "saiga2_7b"


def test_an_unknown_model_cannot_be_chosen(catalogue, tmp_path):
    with pytest.raises(NotFound, match="saiga_nemo_12b"):
        use("saiga_nemo", catalogue, tmp_path)
    assert not (tmp_path / "model").exists()


def test_the_environment_names_the_hub():
    assert Hub.of({"HF_ENDPOINT": "http://mirror/", "HF_TOKEN": "t"}) == Hub("http://mirror", "t")
    assert Hub.of({}) == Hub()
