"""Near-duplicates as Saiga's data dropped them: ROUGE-L, the F-measure of the longest common run of words, over 0.7."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from rapidfuzz.distance import LCSseq

from training.material import Material, Question

LIMIT = 0.7
_WORD = re.compile(r"\w+")


def rouge_l(one: Sequence[str], other: Sequence[str]) -> float:
    """F-measure of the longest common subsequence of two texts' words, 0..1."""
    if not one or not other:
        return 0.0
    return 2 * LCSseq.similarity(one, other) / (len(one) + len(other))


class Seen:
    """Texts kept so far; `is_new` adds the text it is asked of, unless it is a near-duplicate of one of them."""

    def __init__(self) -> None:
        self._texts: list[tuple[list[str], Counter[str]]] = []

    def is_new(self, text: str) -> bool:
        """Whether no text before was nearly this one."""
        words = _WORD.findall(text.casefold().replace("ё", "е"))
        bag = Counter(words)
        for others, other_bag in self._texts:
            # Words in common, whatever their order, bound the subsequence from above and are quick to count.
            if 2 * (bag & other_bag).total() <= LIMIT * (len(words) + len(others)):
                continue
            if rouge_l(words, others) > LIMIT:
                return False
        self._texts.append((words, bag))
        return True


def without_duplicates(materials: Sequence[Material]) -> tuple[list[Material], Counter[str]]:
    """Materials whose passages are new, with those of their questions that are new in their document; what was dropped.

    The same question may be asked of two documents: which of them is shown decides its answer.
    """
    passages, asked = Seen(), dict[str, Seen]()
    kept: list[Material] = []
    dropped: Counter[str] = Counter()
    for material in materials:
        if not passages.is_new(material.text):
            dropped["отрывок почти повторяет другой"] += 1
            continue
        seen = asked.setdefault(material.document, Seen())
        questions = tuple(q for q in material.questions if seen.is_new(q.text))
        unanswered = tuple(q for q in material.unanswered if seen.is_new(q))
        lost = len(material.questions) + len(material.unanswered) - len(questions) - len(unanswered)
        dropped["вопрос почти повторяет другой о том же документе"] += lost
        kept.append(replace(material, questions=questions, unanswered=unanswered))
    return kept, dropped


def without_foreign_words(material: Material) -> tuple[Material, int]:
    """The material without questions whose answers do not stand in it word for word; how many those were."""
    kept = tuple(q for q in material.questions if _stands(q, material.text))
    return replace(material, questions=kept), len(material.questions) - len(kept)


def _stands(question: Question, text: str) -> bool:
    return bool(question.answers) and all(answer.strip() and answer in text for answer in question.answers)
