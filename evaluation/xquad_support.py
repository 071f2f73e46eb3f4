"""How well the check of a sentence tells statements that a paragraph supports from those it does not.

`python -m evaluation.xquad_support FOLDER` prints the shares; FOLDER holds `xquad`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.types import Passage
from generation.support import Evidence

THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8)
_QUESTION_WORDS = re.compile(
    r"\b(?:кто|что|какой|какая|какое|какие|каких|каким|каком|какую|какого|когда|где|куда|сколько|почему|как|кем|чем|чего|кого)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Case:
    """A statement, the passage that supports it and one that should not."""

    statement: str
    right: Passage
    neighbour: Passage


def measure_support(data: Path) -> dict[str, Any]:
    """Share let through, by the share of words asked for, over XQuAD's `train` questions.

    A statement is a question with its answer in the place of the question word, a rough paraphrase of its paragraph.
    `right`: against its own paragraph; `neighbour`: against the next one of the same article.
    """
    cases = list(_cases(data / "xquad"))
    figures: dict[str, Any] = {"statements": len(cases)}
    for threshold in THRESHOLDS:
        for kind, against in (("right", [c.right for c in cases]), ("neighbour", [c.neighbour for c in cases])):
            passed = sum(
                Evidence([passage], min_coverage=threshold).support(case.statement, 1) is not None
                for case, passage in zip(cases, against, strict=True)
            )
            figures[f"{kind}_passed_at_{threshold}"] = round(passed / len(cases), 3)
    return figures


def _cases(folder: Path) -> Iterator[Case]:
    train = set(json.loads((folder / "split.json").read_text(encoding="utf-8"))["train"])
    for article in json.loads((folder / "xquad.ru.json").read_text(encoding="utf-8"))["data"]:
        if article["title"] not in train:
            continue
        passages = [_passage(article["title"], n, p["context"]) for n, p in enumerate(article["paragraphs"])]
        for n, paragraph in enumerate(article["paragraphs"]):
            # Every third is enough: the share is known to two points.
            for qa in paragraph["qas"][::3]:
                yield Case(_statement(qa), passages[n], passages[(n + 1) % len(passages)])


def _passage(title: str, n: int, text: str) -> Passage:
    return Passage(n, title, title.replace("_", " "), None, None, text, 0, len(text))


def _statement(qa: dict[str, Any]) -> str:
    answer = qa["answers"][0]["text"]
    question, found = _QUESTION_WORDS.subn(lambda _: answer, qa["question"].rstrip("? "), count=1)
    return f"{question}." if found else f"{question} — {answer}."


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with xquad/")
    figures = measure_support(parser.parse_args().data)
    sys.stdout.write("".join(f"{name:28}{value}\n" for name, value in figures.items()))


if __name__ == "__main__":
    main()
