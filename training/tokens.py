"""The model's own tokenizer, as training needs it."""

from __future__ import annotations

from typing import Protocol


class Tokenizer(Protocol):
    """Plain text to token ids; no marker is looked for."""

    @property
    def bos(self) -> int:
        """Id of the token that begins a sequence."""

    def ids(self, text: str) -> tuple[int, ...]:
        """Token ids of `text`, without BOS."""
