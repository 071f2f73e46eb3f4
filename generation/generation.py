"""One answer as it is made: a model's tokens to text, up to the first thing that ends it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Protocol

from generation.likelihoods import Choice, Likelihoods
from generation.sampling import Sampling, Timings
from generation.tokens import TextStream


class Spelling(Protocol):
    """How a model's tokens are written, and which of them end its turn."""

    def piece(self, token: int) -> bytes:
        """Bytes of one token."""

    def ends_turn(self, token: int) -> bool:
        """Whether the model says with this token that it has finished."""


class Decoding(Protocol):
    """A model at work on one prompt, which leaves `room_tokens` of its context for the answer."""

    sampling: Sampling
    timings: Timings
    likelihoods: Likelihoods | None
    room_tokens: int

    @property
    def vocabulary(self) -> Spelling:
        """The model's own."""

    @property
    def is_cancelled(self) -> Callable[[], bool]:
        """To be asked at every token."""

    def tokens(self) -> Generator[int, None, None]:
        """Tokens as the model gives them, for ever or until it is cancelled. Raises `TryLater` when it fails."""


class Generation:
    """One answer: iterating yields its text; `timings` is complete when that ends."""

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding
        self._sampling = decoding.sampling
        self._vocabulary = decoding.vocabulary
        self.timings = decoding.timings
        self.choices: list[Choice] = []  # a token each, when alternatives were asked for

    def __iter__(self) -> Iterator[str]:
        """Yield text as it becomes certain. Raises `TryLater` when the model fails."""
        stream = TextStream(self._sampling.stop)
        with closing(self._tokens()) as tokens:
            for token in tokens:
                if text := stream.push(self._vocabulary.piece(token)):
                    yield text
                if stream.is_stopped:
                    self.timings.finish_reason = "stop"
                    return
        if text := stream.push(b"", final=True):
            yield text

    def _tokens(self) -> Generator[int, None, None]:
        limit = min(self._sampling.max_tokens, self._decoding.room_tokens)
        if limit < 1:
            return
        with closing(self._decoding.tokens()) as decoded:
            for token in decoded:
                if self._decoding.is_cancelled():
                    self.timings.finish_reason = "cancelled"
                    return
                if self._sampling.constraint:
                    self._sampling.constraint.advance(token)
                if self._decoding.likelihoods:
                    self.choices.append(self._decoding.likelihoods.of(token))
                if self._vocabulary.ends_turn(token):
                    self.timings.finish_reason = "stop"
                    return
                yield token
                if self.timings.completion_tokens == limit:
                    return
