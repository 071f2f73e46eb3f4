"""Prompts as token ids: a template's markers become control tokens, what people and documents say never does."""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Special(Enum):
    """A token that the vocabulary names by its role, whatever its text."""

    BOS = "bos"
    EOS = "eos"
    NEWLINE = "newline"


@dataclass(frozen=True, slots=True)
class Markup:
    """Text of a prompt template: markers that stand in it become control tokens."""

    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """Text of a person, a document or a model: only ever text."""

    text: str


Piece = Special | Markup | Content


class Vocabulary(Protocol):
    """A model's tokenizer, without its context: may be asked while the model speaks."""

    @property
    def adds_bos(self) -> bool:
        """Whether every sequence of this model starts with BOS."""

    @property
    def markers(self) -> Mapping[str, int]:
        """Control tokens by their text."""

    def special(self, role: Special) -> int:
        """Id of a special token."""

    def tokenize(self, text: str) -> list[int]:
        """Ids of plain text, markers not looked for, BOS not added."""

    def piece(self, token: int) -> bytes:
        """Bytes of one token; those of a control token too."""


def encode(pieces: Iterable[Piece], vocabulary: Vocabulary) -> list[int]:
    """Token ids of a prompt with exactly one BOS where the model wants one.

    Text between two markers is tokenised in one go, so that ids at the seam of template and content are those
    that the model was trained on.
    """
    ids: list[int] = []
    for run in _runs(pieces, vocabulary):
        ids += [run] if isinstance(run, int) else _plain(run, vocabulary)
    bos = vocabulary.special(Special.BOS)
    if vocabulary.adds_bos and ids[:1] != [bos]:
        ids.insert(0, bos)
    return ids


def spell(pieces: Iterable[Piece], vocabulary: Vocabulary) -> str:
    """The prompt as text, markers written out."""
    return "".join(
        vocabulary.piece(vocabulary.special(piece)).decode() if isinstance(piece, Special) else piece.text
        for piece in pieces
    )


def _runs(pieces: Iterable[Piece], vocabulary: Vocabulary) -> Iterator[int | str]:
    """Control token ids, and between them the longest stretches of text."""
    text = ""
    for part in _parts(pieces, vocabulary):
        if isinstance(part, str):
            text += part
            continue
        if text:
            yield text
        text = ""
        yield part
    if text:
        yield text


def _parts(pieces: Iterable[Piece], vocabulary: Vocabulary) -> Iterator[int | str]:
    for piece in pieces:
        match piece:
            case Special():
                yield vocabulary.special(piece)
            case Content(text):
                yield text
            case Markup(text):
                markers = vocabulary.markers
                yield from (markers.get(part, part) for part in re.split(f"({_any_of(markers)})", text))


def _plain(text: str, vocabulary: Vocabulary) -> list[int]:
    """Ids of text that hold no control token, even where a tokenizer merges letters into one.

    SentencePiece in llama.cpp looks merged pieces up by their text, so `<s` + `>` may become BOS; such a word
    is cut after its first letter.
    """
    ids = vocabulary.tokenize(text)
    forged = set(ids).intersection(vocabulary.markers.values())
    if not forged:
        return ids
    words = [marker for marker, token in vocabulary.markers.items() if token in forged]
    cuts = [found.start() + 1 for found in re.finditer(f"(?={_any_of(words)})", text)]
    parts = (text[start:end] for start, end in itertools.pairwise([0, *cuts, len(text)]))
    return [token for part in parts for token in vocabulary.tokenize(part) if token not in forged]


def _any_of(words: Iterable[str]) -> str:
    """A pattern that finds the longest of the words, or nothing when there are none."""
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True))) or r"(?!)"


class TextStream:
    """Turns tokens' bytes into text that never shows half a letter nor a part of a stop word."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = tuple(word for word in stop if word)
        self._held = ""
        self.is_stopped = False

    def push(self, piece: bytes, *, final: bool = False) -> str:
        """Text that is now certain; after a stop word always the empty string."""
        if self.is_stopped:
            return ""
        self._held += self._decoder.decode(piece, final)
        found = [at for word in self._stop if (at := self._held.find(word)) >= 0]
        if found:
            self.is_stopped = True
            return self._held[: min(found)]
        certain = len(self._held) - (0 if final else self._possible_stop_chars())
        text, self._held = self._held[:certain], self._held[certain:]
        return text

    def _possible_stop_chars(self) -> int:
        """Length of the longest end of the held text that a stop word may begin with."""
        return max(
            (n for word in self._stop for n in range(1, len(word)) if self._held.endswith(word[:n])),
            default=0,
        )
