"""The model's own tokenizer, as training needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from generation.engine import load_vocabulary
from generation.tokens import Content, Special, Vocabulary, encode


class Tokenizer(Protocol):
    """Plain text to token ids; no marker is looked for."""

    @property
    def bos(self) -> int:
        """Id of the token that begins a sequence."""

    def ids(self, text: str) -> tuple[int, ...]:
        """Token ids of `text`, without BOS."""


class ModelTokenizer:
    """Asks the vocabulary by the same function as the model process does, so that both see the same ids."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    @classmethod
    def of(cls, model: Path) -> ModelTokenizer:
        """The tokenizer of a GGUF. Raises `Misconfigured`."""
        return cls(load_vocabulary(model))

    @property
    def bos(self) -> int:
        """Id of the token that begins a sequence."""
        return self._vocabulary.special(Special.BOS)

    def ids(self, text: str) -> tuple[int, ...]:
        """Token ids of `text`, without BOS."""
        ids = encode([Content(text)], self._vocabulary)
        return tuple(ids[1:] if self._vocabulary.adds_bos else ids)
