"""References to places of documents are found exactly, and nothing that only looks like them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.types import Page, ParsedDocument, Reach
from ingest.chunking import chunk
from ingest.encoding import decode
from retrieval.query.reader import referred
from retrieval.query.reference import Kind, Reference, holds, references, without_references
from retrieval.searcher import Searcher
from retrieval.vector_index import VectorIndex
from tests.small_base import EVERYONE, SmallBase, WordEncoder


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SmallBase]:
    base = SmallBase(tmp_path)
    yield base
    base.close()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("п. 4.2 положения об отпусках", [(Kind.POINT, "4.2")]),
        ("что сказано в пункте 4.2?", [(Kind.POINT, "4.2")]),
        ("пп. 3.1.2", [(Kind.POINT, "3.1.2")]),
        ("статья 131", [(Kind.ARTICLE, "131")]),
        ("ст.131 ГПК", [(Kind.ARTICLE, "131")]),
        ("ч. 2 ст. 22", [(Kind.ARTICLE, "22"), (Kind.PART, "2")]),
        ("глава IV", [(Kind.CHAPTER, "IV")]),
        ("Приложение № 3", [(Kind.APPENDIX, "3")]),
        ("прил. А", [(Kind.APPENDIX, "А")]),
        ("форма Т-13", [(Kind.FORM, "Т-13")]),
        ("приказ № 112", [(Kind.NUMBER, "112")]),
        ("приказ N 112-ОД от 15 марта 2024 г.", [(Kind.DATE, "2024-03-15"), (Kind.NUMBER, "112-ОД")]),
        ("от 15.03.2024", [(Kind.DATE, "2024-03-15")]),
        ("приказ 112-ОД", [(Kind.NUMBER, "112-ОД")]),
        ("договор АР-5/2026", [(Kind.NUMBER, "АР-5/2026")]),
        ("по договору 2026 года", []),
        ("по договору 500 рублей", []),
        ("сколько дней в 4 квартале", []),
        ("ставка 5 процентов", []),
        ("в статье о лесе", []),
    ],
)
def test_a_reference_is_read_in_every_way_it_is_written(query: str, expected: list[tuple[Kind, str]]) -> None:
    assert list(references(query)) == [Reference(kind, number) for kind, number in expected]


def test_the_words_around_a_reference_remain() -> None:
    assert without_references("п. 4.2 положения об отпусках") == "положения об отпусках"


@pytest.mark.parametrize(
    ("section", "text", "strength"),
    [
        ("4. Отпуск › п. 4.2", "Отпуск длится 28 дней.", 3),
        ("4. Отпуск › пп. 4.1–4.5", "4.1. Да. 4.2. Нет.", 3),
        ("4.2. Порядок", "Отпуск длится.", 3),
        ("", "4.1. Одно.\n4.2. Другое.", 2),
        ("п. 7.1", "По п. 4.2 отпуск длится 28 дней.", 1),
        ("п. 14.2", "14.2. Отпуск.", 0),
        ("п. 4.20", "4.20. Отпуск.", 0),
        ("п. 4.2.1", "4.2.1. Отпуск.", 0),
        ("", "Выросло на 4.2 процента.", 0),
    ],
)
def test_only_the_place_itself_is_the_place(section: str, text: str, strength: int) -> None:
    assert holds(Reference(Kind.POINT, "4.2"), section=section, text=text, document="Положение.docx") == strength


@pytest.mark.parametrize(
    ("title", "text", "strength"),
    [
        ("Приказ № 112.pdf", "О переводе", 3),
        ("a.pdf", "ПРИКАЗ\nот 15 марта 2024 г. N 112", 2),
        ("a.pdf", "Приказ № 112-ОД", 2),
        ("a.pdf", "Приказ № 1120", 0),
        ("a.pdf", "дом 112", 0),
    ],
)
def test_an_order_is_found_by_its_number(title: str, text: str, strength: int) -> None:
    assert holds(Reference(Kind.NUMBER, "112"), section="", text=text, document=title) == strength


def test_the_named_point_of_the_named_document_comes_first(base: SmallBase) -> None:
    searcher = Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5)
    base.add("Склад проверяют.", "Отгрузка.", name="Положение о складе.docx", sections=("п. 4.2", "п. 14.2"))
    base.add(
        "Положение об отпусках: общие слова о положении.",
        "Дни переносят.",
        "См. п. 4.2 положения об отпусках, отпуска.",
        name="Положение об отпусках.docx",
        sections=("п. 4.1", "п. 4.2", "п. 5"),
    )
    query = "п. 4.2 положения об отпусках"
    found = searcher.search(query, principal=EVERYONE, collection=None, top_k=3).passages
    assert [(p.document, p.section) for p in found[:2]] == [
        ("Положение об отпусках.docx", "п. 4.2"),
        ("Положение о складе.docx", "п. 4.2"),
    ]


def test_the_words_around_choose_the_document_though_another_has_the_number_in_a_heading(base: SmallBase) -> None:
    searcher = Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5)
    base.add("Дни переносят.", name="Положение об отпусках.docx", sections=("п. 4.2",))
    base.add("4.1. Личное — нет.\n4.2. Ноутбук берегут.", name="Регламент поддержки.md", sections=("4. Оборудование",))
    found = searcher.search("п. 4.2 регламента", principal=EVERYONE, collection=None, top_k=2).passages
    assert found[0].document == "Регламент поддержки.md"


def test_a_part_of_a_paper_is_found_though_only_its_first_page_has_the_number(base: SmallBase) -> None:
    searcher = Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5)
    base.add("ПРИКАЗ N 1112\nУтвердить форму согласно приложению N 5.", "Приложение N 5\nФорма согласия", name="a.txt")
    base.add("ПРИКАЗ N 70\nУтвердить.", "Приложение N 5\nСписок", name="b.txt")
    found = searcher.search("приложение № 5 к приказу № 1112", principal=EVERYONE, collection=None, top_k=4).passages
    assert found[0].text == "Приложение N 5\nФорма согласия"


def test_a_point_of_a_part_of_an_article_is_found_where_the_article_is(base: SmallBase) -> None:
    searcher = Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5)
    base.add("1. Иск подают письменно.", "5) обстоятельства; 6) цена.", sections=("Статья 131. Иск",) * 2)
    base.add("2. Указывают пункт 5 части.", "5) другое", sections=("Статья 13. Иное",) * 2)
    found = searcher.search("п. 5 ч. 2 ст. 131", principal=EVERYONE, collection=None, top_k=4).passages
    assert found[0].text == "5) обстоятельства; 6) цена."


@pytest.mark.parametrize("typed", ["приказ № 112-OD", "приказ 112-OД", "приказ 112-од", "приказ №112-ОD"])
def test_a_code_is_the_same_in_whatever_letters(base: SmallBase, typed: str) -> None:
    searcher = Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5)
    base.add("Приказ № 112-К\nО приёме", name="a.txt")
    base.add("Приказ № 112-ОД\nО дежурстве", name="b.txt")
    assert searcher.search(typed, principal=EVERYONE, collection=None, top_k=2).passages[0].document == "b.txt"


def test_a_form_is_the_same_in_whatever_letters(base: SmallBase) -> None:
    assert holds(Reference(Kind.FORM, "T-13"), section="", text="табель по форме Т-13", document="a.txt") == 2
    assert holds(Reference(Kind.FORM, "T-1"), section="", text="табель по форме Т-13", document="a.txt") == 0


def test_a_place_that_the_caller_may_not_read_is_not_named(base: SmallBase) -> None:
    base.add("Тайна.", collection="тайны", sections=("п. 4.2",))
    with base.database.read() as conn:
        assert referred(conn, "п. 4.2", Reach(frozenset({"кадры"}))) == {}
        assert len(referred(conn, "п. 4.2", Reach())) == 1


@pytest.mark.parametrize(
    ("query", "article"), [("статья 131", "131"), ("ст. 22 ГПК", "22"), ("что говорит ст. 131 ГПК РФ", "131")]
)
def test_articles_of_a_code_are_found_by_their_numbers(base: SmallBase, data: Path, query: str, article: str) -> None:
    text = decode((data / "documents/law/gpk_rf.cp1251.txt").read_bytes())
    chunks = chunk(ParsedDocument("text/plain", (Page(None, text),)), max_chars=900, overlap_chars=0)
    wanted = [piece for piece in chunks if piece.section and _is_near(piece.section)]
    base.add(*(c.text for c in wanted), name="gpk_rf.txt", sections=[c.section for c in wanted])
    searcher = Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5)
    first = searcher.search(query, principal=EVERYONE, collection=None, top_k=1).passages[0]
    assert f"Статья {article}. " in (first.section or "")


def _is_near(section: str) -> bool:
    return any(f"Статья {n}. " in section for n in (2, 13, 21, 22, 122, 130, 131, 132, 222, 231))
