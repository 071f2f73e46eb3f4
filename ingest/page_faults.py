"""Pages that gave no text, told in Russian: a fact to report, not a success to claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from core.errors import UnreadableDocument
from core.types import Page, ParsedDocument, Problem
from ingest.limits import Limits
from ingest.ocr import INSTALL_HINT
from ingest.reasons import too_many_pages


class Fault(Enum):
    """Why a page gave no text, or less than it shows; the value names such pages."""

    PICTURE = "Страницы без текстового слоя, только изображение: {pages}."
    BROKEN = "Страницы с испорченным текстовым слоем: {pages}."
    NOT_RECOGNISED = "Страницы, на которых распознавание не нашло текста: {pages}."
    TOO_SLOW = "Страницы, на распознавание которых не хватило времени: {pages}."
    DAMAGED = "Повреждённые страницы: {pages}."


_NEED_OCR = (Fault.PICTURE, Fault.BROKEN)


def check_page_count(count: int, limits: Limits) -> int:
    """Give `count` back, or raise `UnreadableDocument`: `no_pages`, `too_many_pages`."""
    if count == 0:
        raise UnreadableDocument("no_pages", "В файле нет ни одной страницы.")
    if count > limits.max_pages:
        raise too_many_pages(count, limits)
    return count


def conclude(media_type: str, pages: Sequence[Page], faults: Mapping[int, Fault]) -> ParsedDocument:
    """Make the document of its pages and of what is wrong with some of them, by page number.

    Raises `UnreadableDocument` when no page has any text: `damaged` where only damage is to blame, else `no_text`.
    """
    if not any(page.text.strip() for page in pages):
        raise _without_text(faults)
    problem = Problem("pages_without_text", describe(faults)) if faults else None
    return ParsedDocument(media_type, tuple(pages), problem)


def _without_text(faults: Mapping[int, Fault]) -> UnreadableDocument:
    """Nobody knows whether there is text on pages that cannot be opened: the file must not be called empty."""
    told = describe(faults)
    if set(faults.values()) == {Fault.DAMAGED}:
        return UnreadableDocument(
            "damaged",
            f"Файл повреждён, текст прочитать не удалось. {told} "
            "Откройте и сохраните его заново в исходной программе, затем загрузите ещё раз.",
        )
    return UnreadableDocument("no_text", f"В файле нет текста. {told or 'Все страницы пустые.'}")


def describe(faults: Mapping[int, Fault]) -> str:
    """Say what is wrong with which pages, and what would help."""
    sentences = [
        fault.value.format(pages=name_pages(number for number, found in faults.items() if found is fault))
        for fault in Fault
        if fault in faults.values()
    ]
    if any(fault in _NEED_OCR for fault in faults.values()):
        sentences.append(
            f"Чтобы прочитать их, нужна программа распознавания Tesseract с русским языком. {INSTALL_HINT}"
        )
    return " ".join(sentences)


def name_pages(numbers: Iterable[int]) -> str:
    """Write page numbers for people: 1, 2, 3, 7 as «1–3, 7»."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
