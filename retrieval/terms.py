"""What the keyword index holds of a text, and what a query looks for in it: roots, sentence by sentence."""

from __future__ import annotations

import re

from retrieval.sentences import split_sentences
from retrieval.stems import stem_text

# Snowball leaves «завоеван» and «завоева», «рассчитыва» and «рассчита» apart. Their beginning is the same word, and of
# the lengths 4, 5, 6, 7 and whole this one found most (docs/decisions/0011-roots-in-the-keyword-index.md).
ROOT_LETTERS = 5
# Raise it when `index_text` changes: the worker then derives the terms of stored passages anew.
TERMS_VERSION = 2
_RUSSIAN = re.compile(r"[а-я]+\Z")


def root_text(text: str) -> list[str]:
    """Return the roots of a text's words in order, repetitions included; codes, numbers and Latin words stay whole."""
    return [_root(stem) for stem in stem_text(text)]


def index_text(text: str) -> str:
    """Return what is indexed of a text: a line for each of its sentences that has words, roots joined by spaces."""
    lines = (" ".join(root_text(sentence.text)) for sentence in split_sentences(text))
    return "\n".join(line for line in lines if line)


def _root(stem: str) -> str:
    return stem[:ROOT_LETTERS] if _RUSSIAN.match(stem) else stem
