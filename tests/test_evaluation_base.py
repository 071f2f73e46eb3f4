from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.settings import Settings
from core.types import Principal
from evaluation import session
from evaluation.base import key_of, open_base
from evaluation.cases import Case, CaseSet, Group, Place, Plan
from evaluation.report import Measure
from evaluation.sets import load_english
from retrieval.reranking import Reranker
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


class Backwards:
    """A `CrossEncoder` that likes the passages least like the question, the last found most."""

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.arange(len(texts), dtype=np.float32)


def test_a_run_searches_with_the_reranker_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = SOURCES[:6]
    cases = tuple(Case(Group.KB, source.name, source.text[:80], place=Place(source.name)) for source in sources)
    monkeypatch.setattr(session, "load_set", lambda *_: CaseSet("small", sources, cases))

    def ranks(reranker: Reranker | None) -> list[float]:
        settings = Settings(cache_dir=tmp_path, data_dir=tmp_path)
        run = session.Session(settings, WordEncoder(), reranker, lambda *_: None)
        report = asyncio.run(run.measure(Plan(("small",)), tmp_path))
        return list(report.values(Group.KB, Measure.MRR).values())

    assert ranks(None) == [1.0] * len(sources)
    assert max(ranks(Reranker(Backwards(), limit=len(sources)))) < 1.0


def test_the_key_of_a_base_changes_with_its_texts_and_its_encoder() -> None:
    encoder, other = WordEncoder(), WordEncoder()
    other.fingerprint = "other words"
    renamed = (replace(SOURCES[0], name="other.txt"), *SOURCES[1:])

    assert key_of(SOURCES, encoder) == key_of(SOURCES, WordEncoder())
    assert len({key_of(SOURCES, encoder), key_of(renamed, encoder), key_of(SOURCES, other)}) == 3
