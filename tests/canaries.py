"""Words found nowhere else, and where to look for them: answers, streams put together again, files on the disk."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import httpx

SYLLABLES = ("зю", "бра", "кло", "мур", "тел", "фаг", "дри", "пох", "вын", "щук", "жел", "цам")
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp1251")


def new_word(rng: random.Random, mark: str) -> str:
    """A word of small letters that ends in `mark`."""
    return "".join(rng.choices(SYLLABLES, k=5)) + mark


def found_in(texts: Iterable[str], words: Sequence[str]) -> list[str]:
    """Those of the words that stand in a text, in whatever case and escaped as JSON or not."""
    forms = [(word, json.dumps(word)[1:-1]) for word in words]
    found = []
    for text in texts:
        folded = text.casefold()
        found += [word for word, escaped in forms if word in folded or escaped in text]
    return found


def said(answer: httpx.Response) -> str:
    """All that an answer says: as it came, and, of a stream, its pieces put together, which may cut a word in two."""
    pieces = [_piece(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    return answer.text + "".join(pieces)


def _piece(event: str) -> str:
    told = json.loads(event)
    if choices := told.get("choices"):
        return str(choices[0]["delta"].get("content") or "")
    return str(told.get("text") or "")


def files_holding(folder: Path, words: Sequence[str]) -> dict[Path, set[str]]:
    """The files in which any of the words stand, with those words: in small letters or beginning a sentence."""
    forms = [(word, shown.encode(code)) for word in words for shown in (word, word.capitalize()) for code in ENCODINGS]
    found = {}
    for path in (each for each in folder.rglob("*") if each.is_file()):
        data = path.read_bytes()
        if held := {word for word, form in forms if form in data}:
            found[path.relative_to(folder)] = held
    return found
