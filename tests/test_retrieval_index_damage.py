"""Whatever becomes of the index file, it is noticed, written anew, and until then no search is wrong."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from ingest.compaction import Compaction
from retrieval.index import Edition, is_intact
from retrieval.searcher import Searcher
from retrieval.store import vectors
from retrieval.vector_index import Allowed, VectorIndex
from tests.small_base import EVERYONE, SmallBase, WordEncoder

FLIPS = 200
ASKED_A_FLIP = 3
WORDS = [
    *("отпуск", "приказ", "насос", "сервер", "договор", "склад", "премия", "врач"),
    *("пожар", "закон", "архив", "бумага", "парковка", "обед", "смена"),
]
QUESTIONS = [f"{one} {other}" for one, other in zip(WORDS, WORDS[1:] + WORDS[:1], strict=True)]

Found = list[list[tuple[str, float]]]


class Base(SmallBase):
    """Three generations of an index: passages came and went between them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        first = [self.add(f"{one} {other}", name=f"{one} {other}") for one in WORDS for other in WORDS[::2]]
        self.compact()
        self.older = {path.name: path.read_bytes() for path in self.index_folder.iterdir()}
        for document_id in first[::3]:
            self.remove(document_id)
        self.compact()
        self.add("насос стоит на складе", name="последний")
        self.generation = self.compact()
        self.add("договор подписан", name="после индекса")
        self.files = {path.name: path.read_bytes() for path in self.index_folder.iterdir()}

    @property
    def path(self) -> Path:
        return self.index_folder / f"{self.generation}.faiss"

    @property
    def manifest(self) -> Path:
        return self.path.with_suffix(".json")

    def mend(self) -> None:
        """Put the folder back as it was."""
        shutil.rmtree(self.index_folder)
        self.index_folder.mkdir()
        for name, content in self.files.items():
            (self.index_folder / name).write_bytes(content)
        with self.database.write() as conn:
            vectors.switch(conn, generation=self.generation, index_revision=self.edition.revision)

    @property
    def edition(self) -> Edition:
        held = json.loads(self.files[f"{self.generation}.json"])
        return Edition(held["generation"], held["revision"], held["fingerprint"])

    def search(self, questions: Sequence[str] = QUESTIONS) -> Found:
        """Ask a process that has just started."""
        searcher = Searcher(self.database, WordEncoder(), VectorIndex(self.index_folder), dense_weight=0.5)
        found = [searcher.search(one, principal=EVERYONE, collection=None, top_k=10).passages for one in questions]
        return [[(passage.text, round(passage.score, 4)) for passage in passages] for passages in found]

    def search_without_a_file(self) -> Found:
        aside = self.index_folder.with_name("aside")
        self.index_folder.rename(aside)
        found = self.search()
        aside.rename(self.index_folder)
        return found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    base = Base(tmp_path_factory.mktemp("damage"))
    yield base
    base.close()


@pytest.fixture(scope="module")
def right(base: Base) -> Found:
    """What a look at the database alone finds, which the sound index finds as well."""
    found = base.search()
    assert found == base.search_without_a_file()
    assert all(passages for passages in found)
    return found


def check(base: Base, right: Found) -> None:
    """Noticed, harmless, written anew, and right again with the new file."""
    assert not is_intact(base.index_folder, base.edition)
    assert base.search() == right
    assert Compaction(base.database, base.index_folder, threshold=10**6).run(is_idle=False)
    with base.database.read() as conn:
        state = vectors.state(conn)
    assert state.generation == base.generation + 1
    assert is_intact(base.index_folder, Edition(state.generation, state.index_revision, state.fingerprint or ""))
    assert generation_read(base) == state.generation
    assert base.search() == right
    base.mend()


def generation_read(base: Base) -> int | None:
    with base.database.read() as conn:
        body = VectorIndex(base.index_folder).refresh(conn).body
    return body.manifest.generation if body else None


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("what", ["path", "manifest"])
def test_a_truncated_file(base: Base, right: Found, share: float, what: str) -> None:
    path: Path = getattr(base, what)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    check(base, right)


def test_a_file_one_byte_short_or_long(base: Base, right: Found) -> None:
    whole = base.path.read_bytes()
    for content in (whole[:-1], whole + b"\0"):
        base.path.write_bytes(content)
        check(base, right)


def test_two_hundred_flipped_bits_one_at_a_time(base: Base, right: Found) -> None:
    chance = random.Random(20)
    whole = base.path.read_bytes()
    for place in chance.sample(range(8 * len(whole)), FLIPS):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        base.path.write_bytes(damaged)
        asked = chance.sample(QUESTIONS, ASKED_A_FLIP)
        assert not is_intact(base.index_folder, base.edition), place
        assert generation_read(base) is None, place
        assert base.search(asked) == [right[QUESTIONS.index(one)] for one in asked], place
    check(base, right)


def test_a_bit_flipped_in_each_byte_of_the_manifest_is_noticed_or_changes_nothing(base: Base, right: Found) -> None:
    whole = base.manifest.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 7
        base.manifest.write_bytes(damaged)
        if is_intact(base.index_folder, base.edition):
            held = json.loads(damaged)
            assert (held["generation"], held["revision"]) == (base.generation, base.edition.revision)
    assert base.search() == right
    base.mend()


REMOVALS: dict[str, Callable[[Base], object]] = {
    "the file": lambda base: base.path.unlink(),
    "the manifest": lambda base: base.manifest.unlink(),
    "the folder": lambda base: shutil.rmtree(base.index_folder),
}


@pytest.mark.parametrize("what", list(REMOVALS))
def test_what_is_deleted(base: Base, right: Found, what: str) -> None:
    REMOVALS[what](base)
    check(base, right)


@pytest.mark.parametrize("how", ["the file alone", "with its manifest", "with its manifest renumbered"])
def test_an_older_generation_put_back_under_the_newest_name(base: Base, right: Found, how: str) -> None:
    base.path.write_bytes(base.older["1.faiss"])
    if how != "the file alone":
        manifest = json.loads(base.older["1.json"])
        if how == "with its manifest renumbered":
            manifest["generation"] = base.generation
        base.manifest.write_text(json.dumps(manifest))
    check(base, right)


def test_a_process_that_holds_a_sound_file_does_not_look_at_the_damaged_one(base: Base, right: Found) -> None:
    index = VectorIndex(base.index_folder)
    with base.database.read() as conn:
        before = index.refresh(conn)
    base.path.write_bytes(b"\0" * 100)
    with base.database.read() as conn:
        after = index.refresh(conn)
    query = np.ones(64, np.float32)
    assert after.body is before.body
    assert after.search(query, 5, Allowed()).ids.tolist() == before.search(query, 5, Allowed()).ids.tolist()
    base.mend()
