"""A damaged database is noticed, and what can be told to be damaged gives no wrong answer."""

from __future__ import annotations

import random
import sqlite3
import struct
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.errors import ServiceError
from ingest.chunking import verbatim_text
from ingest.soundness import Watch, examine
from retrieval.searcher import Searcher
from retrieval.store import vectors
from retrieval.store.database import Database
from retrieval.vector_index import VectorIndex
from tests import small_base
from tests.small_base import SmallBase
from tests.test_ingest_worker import ANYONE, Base, HashEncoder, wait_until

FLIPS = 200
QUERIES = ("правило отпуск", "командировка", "номер семь", "статья склад")
TEXT = "# Статья {n}\n\nПравило номер {n}: отпуск, командировка, склад. Ответственный отдел {n}.\n\n"


@dataclass
class Whole:
    """An undamaged database file, its size of page, and what is right."""

    path: Path
    page_bytes: int
    texts: dict[int, str]

    def damaged(self, folder: Path, content: bytes) -> Database:
        path = folder / "damaged.db"
        for leftover in folder.glob("damaged.db*"):
            leftover.unlink()
        path.write_bytes(content)
        return Database(f"sqlite:///{path}", busy_timeout_s=1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    base = Base(tmp_path_factory.mktemp("whole"))
    with base.database.write() as conn:
        vectors.set_fingerprint(conn, base.encoder.fingerprint)
    for n in range(6):
        base.put(f"{n}.md", "".join(TEXT.format(n=f"{n}{m}") for m in range(8)))
    base.work()
    base.sandbox.close()
    base.database.close()
    path = base.folder / "znayka.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page_bytes = raw.execute("PRAGMA page_size").fetchone()[0]
        texts = dict(raw.execute("SELECT id, text FROM passages"))
    assert len(texts) >= 40
    return Whole(path, page_bytes, texts)


def search(database: Database, whole: Whole) -> int:
    """Ask everything; every hit is a passage as it was stored. Return how many questions were refused with a reason."""
    searcher = Searcher(database, HashEncoder(), VectorIndex(whole.path.parent / "none"), dense_weight=0.5)
    refused = 0
    for query in QUERIES:
        try:
            found = searcher.search(query, principal=ANYONE, collection=None, top_k=10).passages
        except ServiceError:
            refused += 1
        else:
            assert all(whole.texts[passage.id] == passage.text for passage in found)
    return refused


def test_a_sound_base_is_found_sound(whole: Whole, tmp_path: Path) -> None:
    with closing(whole.damaged(tmp_path, whole.path.read_bytes())) as database:
        assert examine(database) == []
        assert search(database, whole) == 0


@pytest.mark.parametrize("kind", ["noise", "zeros"])
def test_every_page_in_turn_overwritten(whole: Whole, tmp_path: Path, kind: str) -> None:
    chance = random.Random(4)
    content = whole.path.read_bytes()
    pages, empty = len(content) // whole.page_bytes, empty_pages(content, whole.page_bytes)
    noticed = refused = 0
    for page in range(pages):
        at = page * whole.page_bytes
        rubbish = chance.randbytes(whole.page_bytes) if kind == "noise" else bytes(whole.page_bytes)
        with closing(whole.damaged(tmp_path, content[:at] + rubbish + content[at + whole.page_bytes :])) as database:
            refused += bool(search(database, whole))
            found = said(database)
            noticed += bool(found)
            if not found:
                assert page + 1 in empty, f"page {page + 1} of {pages} is damaged and nobody notices"
    print(f"{kind}: {pages} pages, {len(empty)} empty, {noticed} noticed, {refused} refused a question, no hit wrong")
    assert noticed >= pages - len(empty)


def test_two_hundred_flipped_bits_are_noticed_or_change_nothing_that_is_found(whole: Whole, tmp_path: Path) -> None:
    chance = random.Random(7)
    content = whole.path.read_bytes()
    noticed = 0
    for place in chance.sample(range(8 * len(content)), FLIPS):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        with closing(whole.damaged(tmp_path, bytes(damaged))) as database:
            found = said(database)
            noticed += bool(found)
            if not found:
                search(database, whole)
    print(f"{noticed} of {FLIPS} flipped bits noticed; no hit of the others wrong")
    assert noticed >= FLIPS // 10


def said(database: Database) -> list[str]:
    try:
        return examine(database)
    except ServiceError as exc:
        return [exc.detail]


def empty_pages(content: bytes, page_bytes: int) -> set[int]:
    """Numbers of the pages that hold nothing: the leaves of the freelist, which SQLite does not look into.

    https://www.sqlite.org/fileformat2.html#the_freelist
    """
    leaves: set[int] = set()
    (trunk,) = struct.unpack_from(">I", content, 32)
    while trunk:
        at = (trunk - 1) * page_bytes
        trunk, count = struct.unpack_from(">II", content, at)
        leaves |= set(struct.unpack_from(f">{count}I", content, at + 8))
    return leaves


def test_a_turned_letter_in_a_passage_is_noticed(whole: Whole, tmp_path: Path) -> None:
    with closing(whole.damaged(tmp_path, whole.path.read_bytes())) as database:
        with closing(sqlite3.connect(database.path)) as raw, raw:
            raw.execute("UPDATE passages SET text = replace(text, 'отпуск', 'отпусх') WHERE id = 7")
        (said,) = examine(database)
        assert "контрольная сумма отрывков: 1" in said


@pytest.mark.parametrize("release", ["this one", "an earlier one"])
def test_a_base_with_words_of_both_alphabets_is_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    base = SmallBase(tmp_path)
    if release == "an earlier one":
        monkeypatch.setattr(small_base, "embedded_text", verbatim_text)
    base.add("Oтпycк длится 28 дней.", name="Приказ oб oтпycкe.txt")
    monkeypatch.undo()
    assert examine(base.database) == []
    with base.database.write() as conn:
        conn.exec_driver_sql("UPDATE passages SET text = replace(text, '28', '29')")
    assert len(examine(base.database)) == 1
    base.close()


def test_the_watch_examines_beside_the_questions_and_says_how_to_restore(whole: Whole, tmp_path: Path) -> None:
    with closing(whole.damaged(tmp_path, whole.path.read_bytes())) as database:
        now = [0.0]
        watch = Watch(database, clock=lambda: now[0])
        assert watch.damage() == ""
        wait_for_the_examination()
        assert watch.damage() == ""
        with closing(sqlite3.connect(database.path)) as raw, raw:
            raw.execute("UPDATE passages SET section = 'иной' WHERE id = 3")
        now[0] = 3000.0
        watch.damage()
        wait_for_the_examination()
        assert watch.damage() == "", "the hour is not over"
        now[0] = 3700.0
        watch.damage()
        wait_until(lambda: watch.damage() != "", timeout_s=20)
        assert "восстановите" in watch.damage()


def test_damage_that_a_question_meets_is_known_at_once(whole: Whole, tmp_path: Path) -> None:
    content = whole.path.read_bytes()
    with closing(sqlite3.connect(whole.path)) as raw:
        root = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'passages'").fetchone()[0]
    at = (root - 1) * whole.page_bytes
    with closing(whole.damaged(tmp_path, content[:at] + b"\xff" * 4096 + content[at + 4096 :])) as database:
        watch = Watch(database, clock=lambda: float("-inf"))
        assert watch.damage() == ""
        assert search(database, whole) == len(QUERIES)
        assert "повреждена" in watch.damage()


def wait_for_the_examination() -> None:
    for thread in threading.enumerate():
        if thread.name == "soundness":
            thread.join(20)
