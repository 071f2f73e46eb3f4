from __future__ import annotations

import re
from pathlib import Path

import openpyxl
import pytest

from core.errors import InvalidRequest
from evaluation.cases import Group, Place
from evaluation.pairs import Pair, read_pairs
from ingest.limits import Limits

QUESTIONS = Path(__file__).parent / "data" / "questions.jsonl"


def read(path: Path, content: str | bytes) -> tuple[Pair, ...]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_pairs(path, Limits())


def test_a_table_as_russian_excel_saves_it_is_read(tmp_path: Path) -> None:
    table = (
        "Вопрос;Ожидаемый ответ;Документ;Страница\r\n"
        "За сколько дней подают заявление?;за 14 дней;Положение об отпусках.docx;3\r\n"
        "Кто директор «Рассвета»?;;;\r\n"
    )
    first, second = read(tmp_path / "вопросы.csv", table.encode("cp1251"))

    assert first == Pair(2, "За сколько дней подают заявление?", "за 14 дней", "Положение об отпусках.docx", 3)
    assert first.case.place == Place("Положение об отпусках.docx", 3)
    assert (second.answer, second.case.is_answerable, second.case.group) == ("", False, Group.PAIRS)


def test_a_workbook_is_read_with_its_own_row_numbers(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["question", "answer", "page", "document", "заметка"], [], ["Сколько?", 28, 2, "a.pdf", "x"], []):
        book.active.append(row)
    book.save(tmp_path / "pairs.xlsx")

    assert read_pairs(tmp_path / "pairs.xlsx", Limits()) == (Pair(3, "Сколько?", "28", "a.pdf", 2),)


def test_lines_of_json_are_read_and_null_is_empty(tmp_path: Path) -> None:
    lines = '{"question": "Что?", "answer": null}\n\n{"вопрос": "Где?", "ответ": "тут", "page": 4, "файл": "b.pdf"}\n'

    assert read(tmp_path / "pairs.jsonl", lines) == (Pair(1, "Что?", ""), Pair(3, "Где?", "тут", "b.pdf", 4))


def test_our_own_questions_over_documents_are_such_a_file() -> None:
    pairs = read_pairs(QUESTIONS, Limits())

    assert len(pairs) == 26
    assert sum(pair.case.is_answerable for pair in pairs) == 20


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "вопрос,ответ\nЧто?,да\n,нет\n", "Строка 3: пустой вопрос"),
        ("a.csv", "вопрос,ответ,документ,стр\nЧто?,да,a.pdf,третья\n", "Строка 2: страница .*третья"),
        ("a.csv", "вопрос,ответ,документ,стр\nЧто?,да,,3\n", "Строка 2: страница указана, а документ"),
        ("a.csv", "вопросы,ответы\nЧто?,да\n", "названия столбцов"),
        ("a.csv", "", "названия столбцов"),
        ("a.csv", "вопрос,ответ\n", "ни одного вопроса"),
        ("a.jsonl", '{"question": "Что?", "answer": "да"}\n{"question": \n', "Строка 2: это не JSON"),
        ("a.jsonl", '["Что?", "да"]\n', "Строка 1: нужен объект"),
        ("a.jsonl", '{"question": "Что?"}\n', "Строка 1: нет поля answer"),
        ("a.xlsx", "вовсе не книга", "."),
        ("a.txt", "Что?", "CSV, XLSX или JSONL"),
    ],
)
def test_what_is_wrong_is_said_with_its_row(tmp_path: Path, name: str, content: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(tmp_path / name, content)

    assert re.search(said, refused.value.detail)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"нет\.csv"):
        read_pairs(tmp_path / "нет.csv", Limits())
