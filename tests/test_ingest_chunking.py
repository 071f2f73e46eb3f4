"""Passages: verbatim, whole, along the structure of Russian documents."""

from __future__ import annotations

import re
import time
from itertools import groupby, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.types import Heading, Page, ParsedDocument, Table
from ingest.chunking import Chunk, chunk, embedded_text, verbatim_text
from ingest.readers.page_text import PageText
from ingest.table_places import TablePlaces

LAW = Path(__file__).parents[2] / "shared/data/documents/law/gpk_rf.cp1251.txt"

STATUTE = """\
1. Общие положения
1.1. Настоящее Положение определяет порядок предоставления отпусков.
1.2. Положение утверждает А. П. Чехов, см. ст. 115 ТК РФ.

2. Порядок предоставления
2.1. Продолжительность

Отпуск составляет 28 дней.
2.2. Работник вправе разделить отпуск на части.
2.5 ГГц — частота процессора.
12.05.2024 Москва

Приложение № 3
к Положению об отпусках
1.1. Форма заявления приведена ниже.
"""


def cut(*texts: str, max_chars: int = 400, overlap_chars: int = 60, **page: object) -> list[Chunk]:
    pages = tuple(Page(number, text, **page) for number, text in enumerate(texts, 1))  # type: ignore[arg-type]
    return list(chunk(ParsedDocument("text/plain", pages), max_chars=max_chars, overlap_chars=overlap_chars))


def sections(*texts: str, max_chars: int = 400, **page: object) -> list[str | None]:
    return [piece.section for piece in cut(*texts, max_chars=max_chars, overlap_chars=20, **page)]


# --- what holds for every document ---

WORDS = st.sampled_from(
    [
        "отпуск",
        "Работник",
        "г.",
        "ст. 5.",
        "\n",
        "\n\n",
        "Глава 3. Отпуска\n",
        "4.2. Порядок",
        "\t",
        "Приложение № 2\n",
        "12",
        "ё" * 90,
    ]
)
TEXTS = st.lists(st.one_of(WORDS, st.text(max_size=30)), max_size=60).map(" ".join)


@st.composite
def documents(draw: st.DrawFn) -> ParsedDocument:
    pages = []
    for number, text in enumerate(draw(st.lists(TEXTS, max_size=3)), 1):
        places = st.integers(0, max(len(text) - 1, 0))
        headings = tuple(
            Heading(at, draw(st.integers(1, 4)), "Раздел") for at in sorted(draw(st.sets(places, max_size=3)))
        )
        edges = sorted(draw(st.sets(places, max_size=5)))
        tables = (Table(edges[0], edges[-1], "Имя | Дни", tuple(edges[1:-1])),) if len(edges) > 2 else ()
        pages.append(Page(number, text, headings, tables))
    return ParsedDocument("text/plain", tuple(pages))


@settings(max_examples=300, deadline=None)
@given(documents(), st.integers(80, 300))
def test_passages_are_verbatim_within_the_limit_and_cover_their_page(document: ParsedDocument, max_chars: int) -> None:
    pieces = list(chunk(document, max_chars=max_chars, overlap_chars=max_chars // 4))
    for position, page in enumerate(document.pages):
        covered = [False] * len(page.text)
        for piece in (piece for piece in pieces if piece.page_position == position):
            assert piece.page == page.number
            assert piece.text == page.text[piece.start : piece.end] == piece.text.strip()
            assert 0 < len(piece.text) <= max_chars
            assert piece.section is None or 0 < len(piece.section) <= 150
            covered[piece.start : piece.end] = [True] * len(piece.text)
        assert all(done or letter.isspace() for done, letter in zip(covered, page.text, strict=True))


@settings(max_examples=100, deadline=None)
@given(documents())
def test_passages_stand_in_order_and_none_lies_within_another(document: ParsedDocument) -> None:
    pieces = list(chunk(document, max_chars=200, overlap_chars=40))
    for first, second in pairwise(pieces):
        assert (first.page_position, first.start) < (second.page_position, second.start)
        assert first.page_position < second.page_position or first.end < second.end


# --- structure ---


def test_points_and_appendices_are_named_and_figures_are_not() -> None:
    heading = (Heading(0, 1, "Положение об отпусках"),)
    text = "Положение об отпусках\n" + STATUTE
    found = [section for section, _ in groupby(sections(text, max_chars=80, headings=heading))]
    assert found == [
        "Положение об отпусках › 1. Общие положения › п. 1.1",
        "Положение об отпусках › 1. Общие положения › п. 1.2",
        "Положение об отпусках › 2. Порядок предоставления › 2.1. Продолжительность",
        "Положение об отпусках › 2. Порядок предоставления › п. 2.2",
        "Положение об отпусках › Приложение № 3",
        "Положение об отпусках › Приложение № 3 › п. 1.1",
    ]


def test_tiny_points_of_one_section_are_joined_and_named_as_a_range() -> None:
    text = "2. Порядок\n2.1. Первое правило.\n2.2. Второе правило.\n2.3. Третье правило.\n"
    assert sections(text) == ["2. Порядок › пп. 2.1–2.3"]


@pytest.mark.parametrize(
    ("line", "section"),
    [
        ("Глава 3. ОТПУСКА", "Глава 3. ОТПУСКА"),
        ("Раздел II", "Раздел II"),
        ("РАЗДЕЛ IV. ТРУД", "Раздел IV. ТРУД"),
        ("Статья 12.1. Право на обращение в суд", "Статья 12.1. Право на обращение в суд"),
        ("Статья 5. Каждый имеет право на отдых.", "Статья 5"),
        ("ПРИЛОЖЕНИЕ N 2", "Приложение № 2"),
        ("Приложение к приказу", "Приложение"),
        ("Статья 12 Кодекса применяется в этих случаях,", None),
        ("Часть 1 статьи 12", None),
        ("Приложение: акт на двух листах", None),
        ("1. Нажмите кнопку Создать", None),
        ("1.5 млн рублей", None),
        ("31.12.2024 Москва", None),
    ],
)
def test_what_opens_a_section(line: str, section: str | None) -> None:
    assert sections(f"{line}\nтекст без заголовка") == [section]


def test_a_title_in_capitals_goes_on_over_lines() -> None:
    assert sections("Глава 4. ЛИЦА, УЧАСТВУЮЩИЕ В ДЕЛЕ,\nИ ДРУГИЕ УЧАСТНИКИ\n\nТекст") == [
        "Глава 4. ЛИЦА, УЧАСТВУЮЩИЕ В ДЕЛЕ, И ДРУГИЕ УЧАСТНИКИ"
    ]


def test_a_section_goes_on_over_the_page() -> None:
    assert sections("Глава 1. Начало\nТекст.", "Продолжение.", "Глава 2. Дальше\nЕщё.") == [
        "Глава 1. Начало",
        "Глава 1. Начало",
        "Глава 2. Дальше",
    ]


def test_parts_of_an_article_are_not_points() -> None:
    assert sections("Статья 3. Право\n\n1. Лицо вправе.\n1.1. Иск подаётся в суд.") == ["Статья 3. Право"]


def test_a_long_path_keeps_its_innermost_parts() -> None:
    headings = tuple(Heading(at, at + 1, "Очень длинный заголовок " * 4) for at in range(3))
    section = sections("абв\nтекст", headings=(*headings, Heading(3, 4, "п. 7")))[-1]
    assert section is not None
    assert section.endswith("… › п. 7")
    assert len(section) <= 150


def test_a_table_is_cut_between_rows_and_its_header_goes_along() -> None:
    rows = ["Город | Дней\n", *(f"Город номер {n} | {n}\n" for n in range(60))]
    starts = [sum(map(len, rows[:n])) for n in range(len(rows))]
    text = "".join(rows)
    pieces = cut(text, tables=(Table(0, len(text), "Город | Дней", tuple(starts)),), max_chars=300)
    assert [piece.context for piece in pieces] == ["", *["Город | Дней"] * (len(pieces) - 1)]
    assert all(piece.start in starts for piece in pieces)
    assert sum(len(piece.text.splitlines()) for piece in pieces) == len(rows)
    assert embedded_text("Города.xlsx", pieces[1]).splitlines()[:2] == ["Города", "Город | Дней"]


# --- sentences ---


def test_sentences_stay_whole_and_neighbours_share_one() -> None:
    sentence = "Согласно п. 3 ст. 115 ТК РФ и приказу А. П. Чехова от 12 мая 2024 г. отпуск длится 28 дней. "
    pieces = cut(sentence * 12, max_chars=400, overlap_chars=120)
    assert len(pieces) > 3
    assert all(piece.text.startswith("Согласно") and piece.text.endswith("дней.") for piece in pieces)
    assert all(second.start < first.end for first, second in pairwise(pieces))


def test_a_word_without_end_is_cut_all_the_same() -> None:
    pieces = cut("ё" * 100_000, max_chars=1000, overlap_chars=0)
    assert sum(len(piece.text) for piece in pieces) == 100_000


@pytest.mark.skipif(not LAW.exists(), reason="the shared data set is not here")
def test_a_real_code_is_cut_by_its_articles() -> None:
    text = LAW.read_text(encoding="cp1251")
    pieces = cut(text, max_chars=1200, overlap_chars=150)
    article = [piece for piece in pieces if piece.section and "Статья 13. " in piece.section]
    assert article[0].text.startswith("Статья 13. Обязательность судебных постановлений")
    assert not any("Статья 14." in piece.text for piece in article)
    named = {match[0] for piece in pieces if piece.section and (match := re.search(r"Статья [\d.]+\d", piece.section))}
    assert len(named) > 440
    assert sum(len(piece.text) for piece in pieces) < 1.15 * len(text)


def page_of_tables(count: int) -> Page:
    text = PageText()
    for number in range(count):
        text.table([["а", "б"], ["в", "г"]])
        text.paragraph(f"{number % 90 + 1}.1 Пункт о сроках.")
    return text.page(None)


def test_thirty_thousand_tables_among_as_many_points_are_cut_in_seconds() -> None:
    document = ParsedDocument("text/html", (page_of_tables(30_000),))
    began = time.process_time()
    pieces = list(chunk(document, max_chars=1200, overlap_chars=150))
    assert time.process_time() - began < 10, (
        "trying each table for each point would take half a minute, and grow squared"
    )
    assert sum(piece.text.count("Пункт") for piece in pieces) >= 30_000


def test_a_table_is_found_by_any_place_in_it_and_by_none_beside_it() -> None:
    page = page_of_tables(20)
    places = TablePlaces(page.tables)
    for offset in range(len(page.text)):
        assert places.at(offset) == next((one for one in page.tables if one.start <= offset < one.end), None)
        met = [one for one in page.tables if one.start < offset + 9 and offset < one.end]
        assert list(places.within(offset, offset + 9)) == met


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Положение об отпусках.docx", "Положение об отпусках"),
        ("архив/Приказ от 12.05.2024", "Приказ от 12.05.2024"),
        (".env", ".env"),
    ],
)
def test_the_embedded_text_begins_with_the_document(name: str, title: str) -> None:
    assert embedded_text(name, Chunk(0, 1, "Глава 1", "", "Текст.", 0, 6)) == f"{title}\nГлава 1\nТекст."


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("Eжегoдный oплaчивaeмый oтпycк", "Ежегодный оплачиваемый отпуск"),
        ("раsswоrd", "password"),
        ("приказ № 112-OД, 5 мA", "приказ № 112-ОД, 5 мА"),
        ("форма T-13, COM-порт, 1C, web.сайт", None),
        ("Ежегодный отпуск, T-13, «IT», ½ ﬁ ё й", None),
    ],
)
def test_words_of_both_alphabets_are_embedded_in_one_and_no_other_text_changes(typed: str, read: str | None) -> None:
    piece = Chunk(0, 1, typed, typed, typed, 0, len(typed))
    embedded = embedded_text(f"{typed}.docx", piece)
    assert embedded == "\n".join([read or typed] * 4)
    assert (embedded == verbatim_text(f"{typed}.docx", piece)) == (read is None)
    assert piece.text == typed, "what is stored and quoted"
