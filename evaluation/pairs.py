"""A user's own questions with the answers they expect: CSV in any Russian encoding, XLSX or JSONL."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from core.errors import InvalidRequest, UnreadableDocument
from evaluation.cases import Case, Group, Place
from ingest.encoding import decode
from ingest.limits import Limits
from ingest.readers.csv import table_rows
from ingest.readers.spreadsheet import first_sheet

PAIRS_MAX = 10_000
TO_FILL_IN = "ВПИШИТЕ ВЕРНЫЙ ОТВЕТ"  # stands in a file of rated questions where the answer given was bad
_COLUMNS: Mapping[str, frozenset[str]] = {
    "question": frozenset({"question", "вопрос", "query", "запрос"}),
    "answer": frozenset({"answer", "expected", "expected answer", "ответ", "ожидаемый ответ", "правильный ответ"}),
    "document": frozenset({"document", "file", "source", "документ", "файл", "источник", "имя файла"}),
    "page": frozenset({"page", "страница", "стр", "стр.", "номер страницы"}),
}
_SUFFIXES = (".csv", ".xlsx", ".jsonl")


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with the answer expected, empty where none is to be given, and where it stands, as far as told."""

    row: int
    question: str
    answer: str
    document: str = ""
    page: int | None = None

    @property
    def case(self) -> Case:
        """The pair as it is asked; the row of the file is its name."""
        place = Place(self.document, self.page) if self.document else None
        return Case(Group.PAIRS, f"{self.row}", self.question, self.answer, place)


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    cells: Mapping[str, str]


def read_pairs(path: Path, limits: Limits) -> tuple[Pair, ...]:
    """Read a file by its suffix; rows without anything are skipped.

    Raises `InvalidRequest` that names the row for what is wrong in it, or says what the file lacks.
    """
    try:
        pairs = tuple(_pair(row) for row in _read(path, limits) if any(row.cells.values()))
    except csv.Error as exc:
        raise InvalidRequest("bad_pairs_file", "Таблица повреждена. Сохраните файл заново как CSV или XLSX.") from exc
    if not pairs:
        raise InvalidRequest("no_pairs", "В файле нет ни одного вопроса. Добавьте строки с вопросами и ответами.")
    if len(pairs) > PAIRS_MAX:
        raise InvalidRequest("too_many_pairs", f"В файле больше {PAIRS_MAX} вопросов. Разделите его на части.")
    return pairs


def _read(path: Path, limits: Limits) -> Iterator[_Row]:
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise InvalidRequest(
            "bad_pairs_file",
            f"Файлы «{suffix or 'без расширения'}» не читаются. Сохраните вопросы как CSV, XLSX или JSONL.",
        )
    try:
        if suffix == ".xlsx":
            return _table(first_sheet(path, limits))
        text = decode(path.read_bytes())
    except OSError as exc:
        raise InvalidRequest("no_pairs_file", f"Файл с вопросами не читается: {path}.") from exc
    except UnreadableDocument as exc:
        raise InvalidRequest("bad_pairs_file", exc.detail) from exc
    return _table(table_rows(text)) if suffix == ".csv" else _lines(text)


def _table(rows: Iterable[Sequence[str]]) -> Iterator[_Row]:
    """Rows under a header, which is the first row with anything in it."""
    numbered = ((number, row) for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row))
    _, header = next(numbered, (0, ()))
    names = [_column(cell) for cell in header]
    if not {"question", "answer"} <= set(names):
        raise InvalidRequest(
            "no_columns",
            "В первой строке нужны названия столбцов: «вопрос» и «ответ» (или question и answer); "
            "по желанию «документ» и «страница».",
        )
    for number, row in numbered:
        cells = zip_longest(names, row[: len(names)], fillvalue="")
        yield _Row(number, {name: cell.strip() for name, cell in cells if name})


def _lines(text: str) -> Iterator[_Row]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as exc:
            raise _wrong(number, f"это не JSON ({exc.msg}, знак {exc.colno})") from exc
        if not isinstance(value, dict):
            raise _wrong(number, 'нужен объект вида {"question": "…", "answer": "…"}')
        cells = {_column(name): "" if cell is None else str(cell).strip() for name, cell in value.items()}
        if "answer" not in cells:
            raise _wrong(number, "нет поля answer («ответ»); для вопроса без ответа оставьте его пустым")
        yield _Row(number, cells)


def _column(name: str) -> str:
    """Our name of a column, empty for one that is not ours."""
    folded = " ".join(name.casefold().replace("ё", "е").replace("_", " ").split())
    return next((ours for ours, known in _COLUMNS.items() if folded in known), "")


def _pair(row: _Row) -> Pair:
    question, document, page = (row.cells.get(name, "") for name in ("question", "document", "page"))
    if not question:
        raise _wrong(row.number, "пустой вопрос")
    if page and not (page.isdecimal() and int(page) > 0):
        raise _wrong(row.number, f"страница должна быть целым числом от 1, а здесь «{page}»")
    if row.cells.get("answer") == TO_FILL_IN:
        raise _wrong(row.number, "не вписан верный ответ; впишите его или оставьте пустым, если верен отказ")
    if page and not document:
        raise _wrong(row.number, "страница указана, а документ — нет")
    return Pair(row.number, question, row.cells.get("answer", ""), document, int(page) if page else None)


def _wrong(row: int, what: str) -> InvalidRequest:
    return InvalidRequest("bad_pair", f"Строка {row}: {what}. Исправьте файл и повторите.")
