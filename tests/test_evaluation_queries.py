"""The table of repaired queries: how questions are spoilt, what counts as found, changed and rightly told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from rapidfuzz.distance import OSA

from core.settings import load_settings
from evaluation.queries import Outcome, ask, summed
from evaluation.query_sets import CLEAN, REFERENCE, Typed, load_clean, load_documents, load_spoilt, load_written
from evaluation.retrieval_sets import load_kb_asked
from evaluation.spoiling import Spoiling, spoil
from retrieval.query.layout import to_russian
from retrieval.query.reader import QueryReader
from retrieval.query.vocabulary import Vocabulary
from retrieval.searcher import Searcher
from retrieval.stems import plain_text
from retrieval.vector_index import VectorIndex
from tests.small_base import SmallBase, WordEncoder

QUESTION = "Когда утверждают график отпусков работников?"
ONE_TYPO = (Spoiling.INSERTED, Spoiling.DELETED, Spoiling.SWAPPED, Spoiling.REPLACED)
LEAVE = Typed("typo", "отпукс работников", "отпуск работников", "Отпуска.txt", "график")


@pytest.fixture
def searcher(tmp_path: Path) -> Iterator[Searcher]:
    base = SmallBase(tmp_path)
    base.add("1.1. Заявление подают в кадры.", "2.2. Отпуск работников даётся по графику.", name="Отпуска.txt")
    base.add("2.2. Насос хранят сухим.", name="Насосы.txt")
    reader = QueryReader(Vocabulary(base.database))
    yield Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5, reader=reader)
    base.close()


@pytest.mark.parametrize("how", ONE_TYPO)
@pytest.mark.parametrize("seed", range(20))
def test_a_spoilt_word_is_one_typo_away(how: Spoiling, seed: int) -> None:
    assert OSA.distance(QUESTION, spoil(QUESTION, how, random.Random(seed))) == 1


def test_the_wrong_layout_can_be_read_back_and_look_alikes_look_alike() -> None:
    assert to_russian(spoil(QUESTION, Spoiling.LAYOUT, random.Random(1))) == QUESTION
    alike = spoil(QUESTION, Spoiling.LOOK_ALIKE, random.Random(1))
    assert alike != QUESTION
    assert len(alike) == len(QUESTION)
    assert any("a" <= letter <= "z" for letter in alike)


def test_a_question_with_a_latin_name_is_not_typed_in_the_wrong_layout_as_a_whole() -> None:
    assert spoil("Где настроить Docker?", Spoiling.LAYOUT, random.Random(1)) == "Где настроить Docker?"
    assert spoil("Где настроить Docker?", Spoiling.LAYOUT_LATIN, random.Random(1)) == "Где настроить Вщслук?"


def test_yo_is_the_only_difference_and_translit_has_no_russian_letter() -> None:
    assert plain_text(spoil(QUESTION, Spoiling.YO, random.Random(1))) == plain_text(QUESTION)
    assert spoil("Чей отчёт?", Spoiling.YO, random.Random(1)) == "Чей отчет?"
    latin = spoil(QUESTION, Spoiling.TRANSLIT, random.Random(1))
    assert latin.isascii()
    assert latin.startswith("Kogda utverzhda")


def test_the_same_seed_spoils_the_same_questions() -> None:
    clean = [Typed(CLEAN, text, text, "d") for text in (QUESTION, "Кто подписывает приказ о командировке?")]
    made = [tuple(load_spoilt(clean, each=2, seed=3)) for _ in range(2)]
    assert made[0] == made[1]
    assert all(one.typed != one.meant for one in made[0])
    assert {one.kind for one in made[0]} == set(Spoiling) - {Spoiling.LAYOUT_LATIN}  # they have no Latin words


def test_a_mended_query_is_found_and_told_and_an_unmended_one_is_counted_beside_it(searcher: Searcher) -> None:
    outcome = ask(LEAVE, searcher)
    assert (outcome.meant, outcome.mended) == (1, 1)
    assert (outcome.is_altered, outcome.is_right) == (True, True)
    assert outcome.notice == "Показаны результаты для «отпуск работников»."


def test_without_its_reading_a_reference_is_only_words(searcher: Searcher) -> None:
    asked = Typed(REFERENCE, "п. 2.2 отпуска", "по чему даётся отпуск", "Отпуска.txt", "2.2.")
    outcome = ask(asked, searcher)
    assert outcome.mended == 1
    assert (outcome.is_altered, outcome.is_right) == (False, True)


def test_figures_are_shares_of_what_can_be_found_and_of_what_is_told() -> None:
    told = Outcome(LEAVE, 1, None, 2, "отпуск работников", "Показаны результаты для «отпуск работников».")
    wrong = Outcome(Typed("typo", "отпукс", "отпуск"), None, None, None, "отписка", "Показаны …")
    [line] = summed([told, wrong])
    assert (line.queries, line.findable, line.notices) == (2, 1, 2)
    assert (line.meant, line.typed, line.mended) == ((100.0, 100.0), (0.0, 0.0), (0.0, 100.0))
    assert (line.altered, line.right) == (100.0, 50.0)


def test_every_written_query_has_its_passage_in_the_base(data: Path, examples: Path) -> None:
    settings = load_settings()
    kb = load_kb_asked(data, settings)
    sources = {source.name: source for source in load_documents(data, examples, kb, settings)}
    pieces = {
        name: [" ".join(f"{piece.section}\n{source.text[piece.start : piece.end]}".split()) for piece in source.pieces]
        for name, source in sources.items()
    }
    written = load_written()
    lost = [one for one in written if one.document and not any(one.holds in text for text in pieces[one.document])]
    assert lost == []
    assert len(written) >= 190
    assert len(load_clean(data, kb)) == 1048
