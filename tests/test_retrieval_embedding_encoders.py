"""While models change, questions are embedded by the model that made the vectors they are compared with."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import Misconfigured
from ingest.reembed import Reembedding, reembed
from retrieval.embedding.encoders import Encoders, KnownModels
from retrieval.searcher import Searcher
from retrieval.store import vectors
from retrieval.vector_index import Allowed, VectorIndex
from tests.small_base import DIMENSION, EVERYONE, SmallBase, WordEncoder, vector_of

WORDS = ["насос", "сервер", "договор", "склад", "врач", "пожар", "закон", "архив", "бумага", "обед", "смена", "печь"]


class TurnedEncoder(WordEncoder):
    """Another model: the same meaning in other coordinates, so that comparing with the first one's is nonsense."""

    name = "turned"
    fingerprint = "turned words"
    _turn = np.linalg.qr(np.random.default_rng(5).standard_normal((DIMENSION, DIMENSION)))[0].astype(np.float32)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([vector_of(text) for text in texts]) @ self._turn

    def encode_passages(self, texts: Sequence[str], on_progress=None) -> NDArray[np.float32]:
        return self.encode_queries(texts)


def find_words(fingerprint: str) -> WordEncoder | None:
    return WordEncoder() if fingerprint == WordEncoder.fingerprint else None


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SmallBase]:
    base = SmallBase(tmp_path)
    for one in WORDS:
        base.add(f"приказ про {one}", f"отпуск и {one} по графику")
    base.compact()
    yield base
    base.close()


def searcher_of(base: SmallBase, encoders: Encoders) -> Searcher:
    return Searcher(base.database, encoders, VectorIndex(base.index_folder), dense_weight=1.0)


def ranking(searcher: Searcher, query: str) -> list[str]:
    found = searcher.search(query, principal=EVERYONE, collection=None, top_k=10).passages
    return [passage.text for passage in found if passage.score > found[0].score - 0.2][:3]


def test_the_old_pair_serves_until_the_switch_and_the_new_one_from_then_on(base: SmallBase, tmp_path: Path) -> None:
    before = ranking(searcher_of(base, Encoders(WordEncoder())), "приказ про склад")
    searcher = searcher_of(base, Encoders(TurnedEncoder(), find_words))
    reembedding = Reembedding(base.database, TurnedEncoder(), tmp_path)
    while reembedding.advance():
        assert ranking(searcher, "приказ про склад") == before
    assert reembedding.switch()
    # The new coordinates keep all angles, so the order is the same if, and only if, both sides are the new model's.
    assert ranking(searcher, "приказ про склад") == before
    with base.database.read() as conn:
        assert vectors.state(conn).fingerprint == TurnedEncoder.fingerprint
    with base.database.read() as conn:
        snapshot = VectorIndex(base.index_folder).refresh(conn)
        nonsense = snapshot.search(vector_of("приказ про склад"), 8, Allowed()).ids.tolist()
        meant = snapshot.search(TurnedEncoder().encode_queries(["приказ про склад"])[0], 8, Allowed()).ids.tolist()
    assert len(set(nonsense) & set(meant)) < 8, "had the models been mixed, this test would see it"


def test_questions_asked_all_the_time_never_meet_a_mixture(base: SmallBase, tmp_path: Path) -> None:
    queries = [f"приказ про {one}" for one in WORDS[::2]]
    searcher = searcher_of(base, Encoders(TurnedEncoder(), find_words))
    before = {query: ranking(searcher, query) for query in queries}
    stop, wrong, asked = threading.Event(), [], []

    def ask() -> None:
        while not stop.is_set():
            for query in queries:
                asked.append(query)
                if ranking(searcher, query) != before[query]:
                    wrong.append(query)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for encoder in (TurnedEncoder(), WordEncoder(), TurnedEncoder()):
        reembed(base.database, encoder, tmp_path)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(asked) > 10


def test_without_the_old_model_words_alone_find_until_the_switch(base: SmallBase, tmp_path: Path) -> None:
    index = VectorIndex(base.index_folder)
    searcher = Searcher(base.database, Encoders(TurnedEncoder()), index, dense_weight=0.5)
    assert ranking(searcher, "отпуск и архив по графику")[0] == "отпуск и архив по графику"
    reembed(base.database, TurnedEncoder(), tmp_path)
    assert ranking(searcher, "отпуск и архив по графику")[0] == "отпуск и архив по графику"


def test_the_other_model_is_loaded_once_and_let_go(base: SmallBase) -> None:
    loaded = []

    def find(fingerprint: str) -> WordEncoder | None:
        loaded.append(fingerprint)
        return find_words(fingerprint)

    encoders = Encoders(TurnedEncoder(), find)
    assert encoders.of(None) is encoders.current
    first = encoders.of("words")
    assert encoders.of("words") is first
    assert encoders.of("unknown") is None
    assert encoders.of("turned words") is encoders.current
    assert encoders.of("words") is not first
    assert loaded == ["words", "unknown", "words"]


def test_names_of_models_are_remembered_and_checked(tmp_path: Path) -> None:
    known = KnownModels(tmp_path)
    known.remember(WordEncoder())
    known.remember(TurnedEncoder())
    made = {"words": WordEncoder(), "turned": TurnedEncoder()}
    assert KnownModels(tmp_path).load("turned words", made.__getitem__) is made["turned"]
    assert KnownModels(tmp_path).load("words", made.__getitem__) is made["words"]
    assert KnownModels(tmp_path).load("words", lambda _: TurnedEncoder()) is None, "the folder holds another model now"

    def missing(name: str) -> WordEncoder:
        raise Misconfigured("embedding_model_missing", f"Нет {name}.")

    assert known.load("words", missing) is None
    (tmp_path / "encoders.json").write_text("{half")
    assert known.load("words", {"multilingual-e5-small": WordEncoder()}.__getitem__) is not None
