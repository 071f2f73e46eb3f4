from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.types import Principal
from evaluation.base import key_of, open_base
from evaluation.sets import load_english
from tests.small_base import WordEncoder

SOURCES = load_english().sources


def test_a_base_is_filled_once_and_one_broken_off_is_filled_anew(tmp_path: Path) -> None:
    def break_off(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_base(tmp_path / "base", SOURCES, WordEncoder(), break_off)
    heard: list[tuple[int, int]] = []
    for _ in range(2):
        base = open_base(tmp_path / "base", SOURCES, WordEncoder(), lambda done, total: heard.append((done, total)))
        searcher = base.searcher(WordEncoder(), dense_weight=0.5)
        found = searcher.search("refund", principal=Principal("test"), collection=None, top_k=100).passages
        base.close()

    assert heard == [(len(SOURCES), len(SOURCES))]
    assert len(found) == len(SOURCES)


def test_the_key_of_a_base_changes_with_its_texts_and_its_encoder() -> None:
    encoder, other = WordEncoder(), WordEncoder()
    other.fingerprint = "other words"
    renamed = (replace(SOURCES[0], name="other.txt"), *SOURCES[1:])

    assert key_of(SOURCES, encoder) == key_of(SOURCES, WordEncoder())
    assert len({key_of(SOURCES, encoder), key_of(renamed, encoder), key_of(SOURCES, other)}) == 3
