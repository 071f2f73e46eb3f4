"""Questions that people rated as a file of pairs: what was praised is expected again, the rest is to be filled in."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass

from evaluation.pairs import TO_FILL_IN
from generation.refusal import NO_DOCUMENTS, NOT_FOUND, is_refusal

COLUMNS = ("вопрос", "ответ", "документ", "страница", "оценка", "замечание", "был ответ")
BOM = "\ufeff"  # without it Excel takes UTF-8 for the code page of the machine
_CITATION = re.compile(r"\s*\[\d{1,3}\]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Rated:
    """An answer with a person's verdict. `document` is the first it cited, empty where there is none any more."""

    question: str
    answer: str
    is_good: bool
    comment: str
    document: str


def pairs_csv(rated: Iterable[Rated]) -> str:
    """The file as Russian Excel reads and writes it: semicolons, a byte order mark; `read_pairs` reads it back.

    Each question stands once, with the verdict that comes first. An answer without a source is left out, unless it is
    a refusal: then nobody's document vouches for it.
    """
    chosen: dict[str, Rated] = {}
    for one in rated:
        if one.document or _is_refusal(one.answer) or not one.is_good:
            chosen.setdefault(one.question.strip(), one)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_inert(cell) for cell in _row(one)] for one in chosen.values())
    return BOM + text.getvalue()


def _row(one: Rated) -> tuple[str, ...]:
    expected = _expected(one.answer) if one.is_good else TO_FILL_IN
    document = one.document if one.is_good and expected else ""
    verdict = "хороший ответ" if one.is_good else "плохой ответ"
    return one.question.strip(), expected, document, "", verdict, one.comment, "" if one.is_good else one.answer


def _expected(answer: str) -> str:
    """The answer without its marks of citation; empty for a refusal, as a pair has it."""
    return "" if _is_refusal(answer) else _CITATION.sub("", answer).strip()


def _is_refusal(answer: str) -> bool:
    return answer.strip() in (NOT_FOUND, NO_DOCUMENTS) or is_refusal(answer.strip())


def _inert(cell: str) -> str:
    """What a spreadsheet would run as a formula is marked as text (OWASP, CSV injection)."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
