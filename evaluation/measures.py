"""What one question scores: pure functions of what was expected and what came, between 0 and 1 each."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

_CITATION = re.compile(r"\[\d{1,3}\]")
_LETTER = re.compile(r"[^\W\d_]")
_CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)
_LATIN_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
_RUSSIAN_SHARE = 0.5


def hit(rank: int | None, depth: int) -> float:
    """Whether the right place is among the first `depth`; `rank` counts from 1, None where it was not found."""
    return float(rank is not None and rank <= depth)


def reciprocal_rank(rank: int | None, depth: int = 10) -> float:
    """One divided by the rank, 0 beyond `depth`; its mean is MRR."""
    return 1 / rank if rank is not None and rank <= depth else 0.0


def ndcg(rank: int | None, depth: int = 10) -> float:
    """Discounted cumulative gain with one right place (Järvelin and Kekäläinen, 2002): 1 / log2(1 + rank)."""
    return 1 / math.log2(1 + rank) if rank is not None and rank <= depth else 0.0


def normalise(text: str) -> str:
    """Fold what SQuAD folds (case, punctuation, white space), and for Russian ё; our `[n]` goes, articles stay.

    Russian has none to drop, and inflections stay: «в Казани» is not «Казань».
    """
    folded = unicodedata.normalize("NFKC", _CITATION.sub(" ", text)).casefold().replace("ё", "е")
    return " ".join("".join(char if char.isalnum() else " " for char in folded).split())


def exact_match(said: str, expected: str) -> float:
    """Whether both are the same once normalised."""
    return float(normalise(said) == normalise(expected))


def token_f1(said: str, expected: str) -> float:
    """Harmonic mean of precision and recall over the words, repetitions counted (Rajpurkar et al., 2016)."""
    ours, theirs = Counter(normalise(said).split()), Counter(normalise(expected).split())
    if not ours or not theirs:
        return float(ours == theirs)
    return 2 * (ours & theirs).total() / (ours.total() + theirs.total())


def holds(said: str, expected: str) -> float:
    """Whether the expected words stand in the answer, one after another."""
    return float(bool(normalise(expected)) and f" {normalise(expected)} " in f" {normalise(said)} ")


def is_russian(text: str, sources: Iterable[str] = ()) -> bool:
    """Whether at least half of the letters are Cyrillic; foreign names that Russian sources have do not count.

    A text without letters, such as a number, is in no other language.
    """
    names = {word.casefold() for source in sources if _is_cyrillic(source) for word in _LATIN_WORD.findall(source)}
    return _is_cyrillic(_LATIN_WORD.sub(lambda word: "" if word[0].casefold() in names else word[0], text))


def _is_cyrillic(text: str) -> bool:
    letters = len(_LETTER.findall(text))
    return not letters or len(_CYRILLIC.findall(text)) / letters >= _RUSSIAN_SHARE
