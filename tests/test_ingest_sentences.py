"""Sentences get their vectors while the worker is idle, once each, and search is better for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import TryLater
from ingest import sentences as module
from ingest.reembed import reembed
from ingest.sentences import SentenceFilling
from retrieval.searcher import Searcher
from retrieval.sentence_vectors import nearness
from retrieval.store import sentences
from retrieval.vector_index import VectorIndex
from tests.small_base import EVERYONE, SmallBase, WordEncoder, vector_of

LONG = (
    "Склад принимает насосы и трубы со всей области. Сторож проверяет ворота и замки каждый вечер. "
    "Пропуск посетителя оформляет секретарь приёмной директора. Машины стоят на площадке за вторым корпусом."
)
SHORT = "Пропуск лежит у секретаря на столе в приёмной."


class Listening(WordEncoder):
    """Remembers what it embedded, and fails at a text that holds `bad`."""

    def __init__(self, bad: str = "\0", fingerprint: str = WordEncoder.fingerprint) -> None:
        self.bad = bad
        self.fingerprint = fingerprint
        self.embedded: list[str] = []

    def encode_passages(self, texts: Sequence[str], on_progress: object = None) -> NDArray[np.float32]:
        if any(self.bad in text for text in texts):
            raise RuntimeError("the encoder cannot take this")
        self.embedded += texts
        return super().encode_passages(texts)


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SmallBase]:
    base = SmallBase(tmp_path)
    yield base
    base.close()


def fill(base: SmallBase, encoder: WordEncoder) -> int:
    filling = SentenceFilling(base.database, encoder)
    return sum(1 for _ in iter(filling.run, False))


def held(base: SmallBase) -> dict[int, bytes]:
    with base.database.read() as conn:
        return sentences.held(conn, range(1, 1000))


def test_every_passage_gets_the_vectors_of_its_sentences(base: SmallBase) -> None:
    base.add(LONG, SHORT, "12 34")
    assert fill(base, Listening()) == 1
    one, two, three = (held(base)[id_] for id_ in (1, 2, 3))
    assert (len(one), len(two), len(three)) == (4 * 64, 64, 0)
    assert nearness(vector_of(SHORT), [two]).nearest[0] == pytest.approx(1, abs=1e-3)


def test_a_sentence_typed_in_both_alphabets_is_embedded_in_one(base: SmallBase) -> None:
    base.add(SHORT.translate(str.maketrans("еоар", "eoap")))
    encoder = Listening()
    assert fill(base, encoder) == 1
    assert encoder.embedded == [SHORT]


def test_nothing_is_embedded_twice(base: SmallBase) -> None:
    base.add(LONG, LONG + " Новое правило висит у входа.")
    base.add(SHORT, SHORT)
    encoder = Listening()
    filling = SentenceFilling(base.database, encoder)
    assert filling.run()
    assert not filling.run()
    assert len(encoder.embedded) == len(set(encoder.embedded)) == 6
    assert fill(base, encoder) == 0


def test_what_comes_later_is_filled_too_and_the_newest_first(base: SmallBase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PART_PASSAGES", 1)
    base.add(LONG, SHORT)
    filling = SentenceFilling(base.database, Listening())
    assert filling.run()
    assert set(held(base)) == {2}
    base.add("Третий документ пришёл позже всех.")
    assert filling.run()
    assert set(held(base)) == {2, 3}
    assert filling.run()
    assert set(held(base)) == {1, 2, 3}
    assert not filling.run()


def test_a_new_edition_inherits_what_did_not_change(base: SmallBase) -> None:
    base.add(SHORT, name="Правила.txt")
    fill(base, Listening())
    before = list(held(base).values())
    base.add(SHORT, name="Правила.txt", is_replacement=True)
    assert len(before) == 1
    assert list(held(base).values()) == before


def test_a_text_that_both_editions_repeat_costs_in_proportion_to_its_times(base: SmallBase) -> None:
    few, many = (_steps_of_inheriting(base, times) for times in (100, 400))
    assert few > 0
    assert many / few < 6  # 16 where each repetition is joined with each


def _steps_of_inheriting(base: SmallBase, times: int) -> int:
    """Hundreds of the database's own steps to look up what another edition of a document holds."""
    name = f"Повторы {times}.txt"
    base.add(*[SHORT] * times, name=name)
    fill(base, Listening())
    document = base.add(*[SHORT] * times, name=name)
    steps = count()
    with base.database.write() as conn:
        conn.exec_driver_sql(
            "DELETE FROM passage_sentences WHERE passage_id IN (SELECT id FROM passages WHERE document_id = ?)",
            (document,),
        )
        driver = conn.connection.driver_connection
        driver.set_progress_handler(lambda: next(steps) < 0, 100)
        sentences.inherit(conn, document)
        driver.set_progress_handler(None, 0)
        assert len(sentences.held(conn, range(1, 10_000))) >= 2 * times
    return next(steps)


def test_vectors_go_with_their_document(base: SmallBase) -> None:
    document = base.add(SHORT)
    fill(base, Listening())
    base.remove(document)
    assert held(base) == {}


def test_a_passage_deleted_meanwhile_stays_deleted(base: SmallBase) -> None:
    document = base.add(SHORT)

    class Deleting(Listening):
        def encode_passages(self, texts: Sequence[str], on_progress: object = None) -> NDArray[np.float32]:
            base.remove(document)
            return super().encode_passages(texts)

    fill(base, Deleting())
    assert held(base) == {}


def test_a_text_that_cannot_be_embedded_stops_nobody(base: SmallBase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PART_PASSAGES", 1)
    base.add(SHORT, "Ядовитый текст никто не переварит.")
    fill(base, Listening(bad="Ядовитый"))
    assert set(held(base)) == {1}


def test_a_busy_database_loses_nothing(base: SmallBase, monkeypatch: pytest.MonkeyPatch) -> None:
    base.add(SHORT)
    filling = SentenceFilling(base.database, Listening())

    def busy(*_: object) -> None:
        raise TryLater("database_busy", "занято", retry_after_s=1)

    with monkeypatch.context() as patched:
        patched.setattr(sentences, "keep", busy)
        with pytest.raises(TryLater):
            filling.run()
    assert filling.run()
    assert set(held(base)) == {1}


def test_another_model_forgets_them_and_embeds_them_anew(base: SmallBase, tmp_path: Path) -> None:
    base.add(SHORT)
    fill(base, Listening())
    other = Listening(fingerprint="another model")
    assert fill(base, other) == 0
    reembed(base.database, other, tmp_path)
    assert held(base) == {}
    assert fill(base, other) == 1
    assert set(held(base)) == {1}


def test_one_sentence_that_answers_lifts_a_long_passage(base: SmallBase) -> None:
    long = (
        "Пропуск посетителя оформляет секретарь. Склад принимает насосы, трубы, доски и песок со всей области. "
        "Сторож проверяет ворота, замки, окна и двери каждый вечер."
    )
    base.add(long)
    base.add("Пропуск и секретарь: насосы, трубы, ворота.")
    for number in range(4):
        base.add(f"Секретарь номер {number} встречает делегацию у ворот завода.")
    searcher = Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=1.0)

    def first() -> str:
        found = searcher.search("секретарь оформляет пропуск посетителя", principal=EVERYONE, collection=None, top_k=2)
        return found.passages[0].text

    assert first() != long
    fill(base, WordEncoder())
    assert first() == long
