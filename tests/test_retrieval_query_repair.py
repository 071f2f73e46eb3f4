"""Mistyped queries find what was meant, and nothing that the base or the language knows is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.types import Principal
from retrieval.query.layout import to_latin, to_russian
from retrieval.query.letters import is_mixed, one_alphabet, text_in_one_alphabet
from retrieval.query.lexicon import Words, view_of, words_of
from retrieval.query.reader import QueryReader
from retrieval.query.repair import repair
from retrieval.query.vocabulary import Vocabulary
from retrieval.searcher import Searcher
from retrieval.stems import stem_text
from retrieval.vector_index import VectorIndex
from tests.small_base import EVERYONE, SmallBase, WordEncoder

LEAVE = "Ежегодный отпуск сотрудника длится 28 дней. Отпуск для совместителей — по графику. Пароль: password."
ORDER = "Приказ о командировке и командировочные расходы. Заявление подают в ИТ-отдел, доступ к API, MinIO. Гиперборея"
STAFF = Principal("кадровик", frozenset({"кадры"}))
RUSSIAN = st.text("абвгдеёжзийклмнопрстуфхцчшщъыьэюяАБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ", min_size=1, max_size=30)


@pytest.fixture(scope="module")
def view():
    words = Words()
    return view_of(words, [words.number(words_of(text)) for text in (LEAVE, ORDER, LEAVE)])


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SmallBase]:
    base = SmallBase(tmp_path)
    yield base
    base.close()


@pytest.fixture
def searcher(base: SmallBase) -> Searcher:
    reader = QueryReader(Vocabulary(base.database))
    return Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5, reader=reader)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("jngecr", "отпуск"),
        ("ghbrfp j rjvfylbhjdrt", "приказ о командировке"),
        ("jngecr.", "отпуск."),
        ("сколько дней jngecr", "сколько дней отпуск"),
        ("зфыыцщкв", "password"),
        ("oтпyск", "отпуск"),
        ("отпукс сотрудника", "отпуск сотрудника"),
        ("Отпцск", "Отпуск"),
        ("ОТПУКС", "ОТПУСК"),
        ("камандировочные расходы", "командировочные расходы"),
        ("комадировачные расходы", "командировочные расходы"),
        ("вотпуск", "в отпуск"),
        ("приказокомандировке", "приказокомандировке"),
        ("ежегодныйотпуск", "ежегодный отпуск"),
        ("коман дировочные расходы", "командировочные расходы"),
        ("IT отдел", "ИТ отдел"),
        ("ghbrfp? rjnjhsq d jngecrt", "приказ, который в отпуске"),  # the key of a comma gives a question mark
        ("rjnjhe. rjvfylbhjdre", "которую командировку"),  # the key of a full stop gives «ю»
        ("ghbrfp 112-JL", "приказ 112-ОД"),
        ("заявленние на отпуск", "заявление на отпуск"),
        ("камандировка", "командировка"),  # a form that the base lacks of a word that it has
        ("продолжительность отпсука", "продолжительность отпуска"),
        ("otpusk", "отпуск"),
        ("kogda ezhegodnyj otpusk sotrudnika", "когда ежегодный отпуск сотрудника"),
        ("zayavlenie o komandirovke", "заявление о командировке"),
        ("giperboreja", "гиперборея"),
        ("пассворд сотрудника", "password сотрудника"),
    ],
)
def test_what_was_mistyped_is_mended(view, typed: str, meant: str) -> None:
    assert repair(typed, view).text == meant


@pytest.mark.parametrize(
    "query",
    [
        "отпуск",
        "отпусками сотрудников",  # forms that the base lacks
        "космонавта отправили",  # words that the language has and the base lacks
        "Сколько дней длится отпуск?",
        "API MinIO Kubernetes",
        "«отпукс»",
        'слово "jngecr"',
        "112-ОД 4.2 Т-13",
        "сотрудникё",  # «ё» where the word has «е»
        "more information about vacation policy",
        "Zabbix и Jira для сотрудников",
        "Гипербореи",  # another case of a name that no dictionary has
        "COM-порт и PC-версия",  # Latin names joined to Russian words
        "ок",
        "",
    ],
)
def test_what_may_be_right_is_left_alone(view, query: str) -> None:
    assert repair(query, view).text == query


@pytest.mark.parametrize(
    ("held", "meant"), [(("рст", "форма"), "РСТ-форма"), (("рст", "pct"), "PCT-форма"), ((), "PCT-форма")]
)
def test_a_latin_part_of_a_word_is_read_in_cyrillic_where_the_base_holds_that_alone(held, meant: str) -> None:
    words = Words()
    view = view_of(words, [words.number(set(held) | {"отпуск"})])
    assert repair("PCT-форма", view).text == meant


def test_a_repair_that_could_be_another_word_is_a_guess() -> None:
    words = Words()
    view = view_of(words, [words.number({"колонка", "холонка"})])
    assert not repair("толонка", view).is_certain


@given(RUSSIAN)
def test_typing_in_the_wrong_layout_can_always_be_read_back(text: str) -> None:
    assert to_russian(to_latin(text)) == text


@given(st.sampled_from(sorted(word for word in words_of(LEAVE + ORDER) if len(word) > 3)), st.data())
@settings(max_examples=40, deadline=None)
def test_one_typo_in_a_word_of_the_base_has_that_word_among_its_neighbours(view, word: str, data) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    typo = word[:at] + data.draw(st.sampled_from(["", "ъ", word[at] * 2])) + word[at + 1 :]
    if len(typo) > 3:
        assert word in [near.word for near in view.nearest(typo, 1)]


def test_letters_that_look_alike_are_read_in_the_alphabet_of_the_others() -> None:
    assert one_alphabet("oтпyск") == "отпуск"
    assert one_alphabet("раsswоrd") == "password"


@settings(deadline=None)
@given(text=st.text("AaБбЁoо19 -C_с"))
def test_every_mixed_word_of_a_text_is_read_in_one_alphabet_and_no_letter_comes_or_goes(text: str) -> None:
    read = text_in_one_alphabet(text)
    assert len(read) == len(text)
    words = [word for word in re.findall(r"[^\W_]+", read) if is_mixed(word)]
    assert [one_alphabet(word) for word in words] == words, "those that neither alphabet has"


def test_codes_are_the_same_in_both_alphabets() -> None:
    assert stem_text("приказ № 112-OД") == stem_text("приказ № 112-ОД")
    assert stem_text("форма T-13") == stem_text("форма Т-13")


def test_a_mistyped_question_finds_its_passage_and_says_so(base: SmallBase, searcher: Searcher) -> None:
    base.add("Отпуск предоставляется по графику", "Насос хранят сухим", "Счёт оплачивают сразу")
    found = searcher.search("jngecr", principal=EVERYONE, collection=None, top_k=1)
    assert found.passages[0].text == "Отпуск предоставляется по графику"
    assert found.interpretation.searched == "отпуск"
    assert found.interpretation.notice == "Показаны результаты для «отпуск»."


def test_an_exact_search_takes_the_words_as_typed(base: SmallBase, searcher: Searcher) -> None:
    base.add("Отпуск предоставляется по графику")
    found = searcher.search("отпукс", principal=EVERYONE, collection=None, top_k=1, exact=True)
    assert (found.interpretation.searched, found.interpretation.notice) == ("отпукс", None)


def test_a_word_that_only_others_may_read_is_never_suggested(base: SmallBase, searcher: Searcher) -> None:
    base.add("Отпуск предоставляется по графику", collection="кадры")
    base.add("Проект Гиперборея начат", collection="тайны")
    told = [
        searcher.search("гипербарея", principal=who, collection=None, top_k=3).interpretation.searched
        for who in (STAFF, EVERYONE)
    ]
    assert told == ["гипербарея", "гиперборея"]


def test_a_word_that_was_deleted_is_not_suggested_any_more(base: SmallBase, searcher: Searcher) -> None:
    base.add("Отпуск предоставляется по графику")
    secret = base.add("Проект Гиперборея начат")
    searcher.search("гипербарея", principal=EVERYONE, collection=None, top_k=1)
    base.remove(secret)
    found = searcher.search("гипербарея", principal=EVERYONE, collection=None, top_k=1)
    assert found.interpretation.searched == "гипербарея"
