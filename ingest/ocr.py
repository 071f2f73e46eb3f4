"""Words off a picture by Tesseract, when it is installed with Russian; a program of its own, its crash is not ours."""

from __future__ import annotations

import csv
import math
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Self

from core.errors import ServiceError
from ingest.raster import Box, Raster

INSTALL_HINT = "Установите пакет tesseract-ocr-rus и загрузите файл снова."

_WORD_LEVEL = "5"
_MIN_WORD_CONFIDENCE = 30.0
_MIN_LINE_CONFIDENCE = 50.0
_LONG_SIDE_PX = 2500
_MAX_UPSCALING = 3.0
_MAX_PIXELS = 40_000_000
_LIST_TIMEOUT_S = 10.0
_LATIN_TWINS = str.maketrans("ABCEHKMOPTXYaceopxyk", "АВСЕНКМОРТХУасеорхук")
_NUMBER_SIGN = re.compile(r"\bМ(?= \d)")
_TWINS_ONLY = re.compile(r"\b[ABCEHKMOPTXYaceopxyk]+\b")


class OcrFailed(ServiceError):
    """Tesseract did not read this page: it took too long or crashed. Other pages may succeed."""


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word. `line` tells the words of one line: block, paragraph, line; confidence runs from 0 to 100."""

    text: str
    box: Box
    line: tuple[int, int, int]
    confidence: float


@dataclass(frozen=True, slots=True)
class Tesseract:
    """The program found on this machine, and what it knows. `finds_orientation` needs its `osd` data."""

    program: str
    languages: str
    finds_orientation: bool

    @classmethod
    def find(cls) -> Self | None:
        """Look for `tesseract` with Russian on the path."""
        program = shutil.which("tesseract")
        if program is None:
            return None
        try:
            listed = subprocess.run(
                [program, "--list-langs"], capture_output=True, text=True, timeout=_LIST_TIMEOUT_S, check=True
            ).stdout.split()
        except (OSError, subprocess.SubprocessError):
            return None
        if "rus" not in listed:
            return None
        return cls(program, "rus+eng" if "eng" in listed else "rus", "osd" in listed)

    def read(self, raster: Raster, *, timeout_s: float) -> tuple[Word, ...]:
        """Words of a page in reading order, columns and a page lying on its side recognised.

        Boxes are in `raster`'s pixels. Raises `OcrFailed`.
        """
        factor = _best_scale(raster.width, raster.height)
        table = self._run(raster if factor == 1 else raster.scaled(factor), timeout_s)
        return tuple(_words(table, factor))

    def _run(self, raster: Raster, timeout_s: float) -> str:
        mode = "1" if self.finds_orientation else "3"
        command = [self.program, "stdin", "stdout", "-l", self.languages, "--psm", mode, "--dpi", "300", "tsv"]
        try:
            # Same process group as ours, so that whoever kills the parser kills this too.
            done = subprocess.run(
                command,
                input=raster.pnm(),
                capture_output=True,
                timeout=max(0.1, timeout_s),
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
                check=True,
            )
        except subprocess.TimeoutExpired as exc:
            raise OcrFailed("ocr_timeout", "Распознавание страницы заняло слишком много времени.") from exc
        except (OSError, subprocess.SubprocessError) as exc:
            raise OcrFailed("ocr_failed", "Программа распознавания не справилась со страницей.") from exc
        return done.stdout.decode("utf-8", "replace")


def _best_scale(width: int, height: int) -> float:
    """Tesseract reads letters of some 30 pixels best: a coarse scan is enlarged, a huge photograph made smaller."""
    if width * height > _MAX_PIXELS:
        return math.sqrt(_MAX_PIXELS / (width * height))
    return min(_MAX_UPSCALING, max(1.0, _LONG_SIDE_PX / max(width, height)))


def text_of(words: Iterable[Word]) -> str:
    """Lines of text; an empty line parts paragraphs. What Tesseract itself doubts (specks, drawings) is left out."""
    paragraphs: list[str] = []
    for _, paragraph in groupby(words, key=lambda word: word.line[:2]):
        lines = [_line(tuple(line)) for _, line in groupby(paragraph, key=lambda word: word.line)]
        paragraphs.append("\n".join(filter(None, lines)))
    return "\n\n".join(filter(None, paragraphs))


def _line(words: tuple[Word, ...]) -> str:
    if sum(word.confidence for word in words) < _MIN_LINE_CONFIDENCE * len(words):
        return ""
    text = " ".join(word.text for word in words if word.confidence >= _MIN_WORD_CONFIDENCE)
    return _with_cyrillic_twins(text)


def _with_cyrillic_twins(line: str) -> str:
    """In a Russian line a word of letters that both alphabets share («B», «Ha») is Russian; «М 63-ФЗ» is «N 63-ФЗ»."""
    cyrillic = len(re.findall("[а-яё]", line, re.IGNORECASE))
    if cyrillic <= len(re.findall("[a-z]", line, re.IGNORECASE)):
        return line
    russian = _TWINS_ONLY.sub(lambda match: match.group().translate(_LATIN_TWINS), line)
    return _NUMBER_SIGN.sub("N", russian)


def _words(table: str, factor: float) -> Iterator[Word]:
    for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["level"] != _WORD_LEVEL or not row["text"].strip():
            continue
        left, top, width, height = (int(row[name]) / factor for name in ("left", "top", "width", "height"))
        box = Box(round(left), round(top), round(left + width), round(top + height))
        line = int(row["block_num"]), int(row["par_num"]), int(row["line_num"])
        yield Word(row["text"].strip(), box, line, float(row["conf"]))
