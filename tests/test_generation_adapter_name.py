from __future__ import annotations

import random
from pathlib import Path

import pytest

from generation import embedded
from generation.adapter_name import name_in
from generation.adapters import adapter_of
from generation.catalogue import load_catalogue


@pytest.fixture(scope="module")
def ours() -> Path:
    path = adapter_of(load_catalogue().find(embedded.TAUGHT), None)
    assert path is not None
    return path


def test_an_adapter_says_its_name(ours: Path) -> None:
    assert name_in(ours) == "Знайка 270M"


@pytest.mark.parametrize("content", [b"", b"GGUF", b"PK\x03\x04 something else", b"GGUF" + b"\xff" * 60])
def test_what_is_no_adapter_has_no_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(content)

    assert name_in(path) is None


def test_a_cut_or_damaged_head_gives_a_name_or_none_and_never_breaks(ours: Path, tmp_path: Path) -> None:
    head, chance, path = ours.read_bytes()[:2000], random.Random(7), tmp_path / "own.gguf"
    damaged = [head[:length] for length in range(0, 400, 3)]
    for _ in range(500):
        content = bytearray(head)
        for _ in range(3):
            content[chance.randrange(8, 700)] = chance.randrange(256)
        damaged.append(bytes(content))
    seen = set()
    for content in damaged:
        path.write_bytes(content)
        seen.add(name_in(path) is None)

    assert seen == {True, False}
