"""Questions of other passages that a passage surely leaves open: what it must learn to pass over, and no more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from retrieval.stems import stem_text
from training.material import Material, Question

_SPACE = re.compile(r"\s+")
_NAME = re.compile(r"(?<!^)\b[А-ЯЁA-Z][\w-]*|\b\w*\d\w*|\b[A-Za-z][\w-]*")


class Shown:
    """What a lesson shows, and which questions that are asked of other passages it leaves open."""

    def __init__(self, materials: Sequence[Material]) -> None:
        self._text = _folded(" ".join(f"{material.title} {material.text}" for material in materials))
        self._documents = frozenset(material.document for material in materials)

    def leaves_open(self, question: Question, asked_of: Material) -> bool:
        """Whether nothing shown answers a question on another passage, as far as words can tell.

        A document rarely says a thing twice, so that a question on its other passage is open unless the answer's words
        stand here as well. Another document may well answer it, as every company's regulation says how long a leave
        lasts: there the question must name something that is not shown.
        """
        if any(_folded(answer) in self._text for answer in question.answers):
            return False
        return asked_of.document in self._documents or bool(names_in(question.text) - self._stems)

    @cached_property
    def _stems(self) -> frozenset[str]:
        return frozenset(stem_text(self._text))


def names_in(question: str) -> frozenset[str]:
    """Stems of a question's names, numbers and Latin words; its first word's capital is not a name's."""
    return frozenset(stem_text(" ".join(_NAME.findall(question.strip()))))


def _folded(text: str) -> str:
    return _SPACE.sub(" ", text).casefold()
