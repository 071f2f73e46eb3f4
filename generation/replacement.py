"""The words that one sentence has in the place of another's: «согласует руководитель», «согласует директор»."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from retrieval.stems import stem_text

_WORD = re.compile(r"[^\W_]+(?:[-.:/@_][^\W_]+)*")
_MIN_KEPT = 3  # words with a meaning that both have, besides what is replaced
_MAX_ADDED = 2  # words that only one of them has, besides what is replaced


@dataclass(frozen=True, slots=True)
class Replacement:
    """`old` words of a sentence, from `start` on, where another has `new` ones, from `new_start` on."""

    old: str
    new: str
    start: int
    new_start: int


def replacement(sentence: str, other: str) -> Replacement | None:
    """The one place where two sentences differ; None where they differ in more, or in nothing."""
    words, others = list(_WORD.finditer(sentence)), list(_WORD.finditer(other))
    keys, other_keys = [_key(word[0]) for word in words], [_key(word[0]) for word in others]
    steps = SequenceMatcher(None, keys, other_keys, autojunk=False).get_opcodes()
    replaced = [step for step in steps if step[0] == "replace"]
    kept = sum(bool(stem_text(word[0])) for tag, i, j, _, _ in steps if tag == "equal" for word in words[i:j])
    added = sum((j - i) + (m - k) for tag, i, j, k, m in steps if tag in ("insert", "delete"))
    if len(replaced) != 1 or kept < _MIN_KEPT or added > _MAX_ADDED:
        return None
    _, i, j, k, m = replaced[0]
    start, new_start = words[i].start(), others[k].start()
    return Replacement(sentence[start : words[j - 1].end()], other[new_start : others[m - 1].end()], start, new_start)


def _key(word: str) -> str:
    return " ".join(stem_text(word)) or word.lower()
