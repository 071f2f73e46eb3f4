"""JSON by construction: which tokens may come next so that the text stays valid by a schema. The only llguidance."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper
from numpy.typing import NDArray

from core.errors import InvalidRequest
from generation.json_schema import Schema, SchemaLimits, bounded, resolve
from generation.tokens import Special

# A step over these ends the answer with an error instead of holding the model: some 15 ms of work.
LIMITS = LLParserLimits(
    initial_lexer_fuel=1_000_000, step_lexer_fuel=200_000, step_max_items=50_000, max_lexer_states=20_000,
    max_grammar_size=200_000, verbose_errors=False,
)  # fmt: skip
# One way to write each value: spaces after separators, as models have read most of their JSON.
STYLE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
ANY_OBJECT: Schema = {"type": "object"}


class Pieces(Protocol):
    """What a grammar needs of a vocabulary."""

    def __len__(self) -> int:
        """Number of tokens."""

    @property
    def markers(self) -> Mapping[str, int]:
        """Control tokens by their text."""

    def special(self, role: Special) -> int:
        """Id of a special token."""

    def tokenize(self, text: str) -> list[int]:
        """Ids of plain text."""

    def piece(self, token: int) -> bytes:
        """Bytes of one token."""

    def ends_turn(self, token: int) -> bool:
        """Whether the model says with this token that it has finished."""


class JsonConstraint:
    """Follows one answer token by token. Not for use by two answers."""

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher

    def advance(self, token: int) -> None:
        """Note the token that was chosen. Raises `InvalidRequest` when the grammar met one of its limits."""
        if self._matcher.is_error() or not self._matcher.consume_token(token):
            raise _too_complex()

    def allowed(self, size: int) -> NDArray[np.bool_]:
        """Which of the first `size` tokens may come next, (size,); only the end once the JSON is whole."""
        mask = np.frombuffer(self._matcher.compute_logit_bias(), dtype=np.uint8)[:size] != 0
        return np.pad(mask, (0, size - len(mask)))


class JsonGrammars:
    """Makes constraints for one vocabulary. Safe to use from several threads."""

    def __init__(self, vocabulary: Pieces, limits: SchemaLimits) -> None:
        """The first constraint costs one or two seconds: the vocabulary is laid out as a tree then."""
        self._vocabulary = vocabulary
        self._limits = limits
        self._lock = threading.Lock()
        self._tokenizer: LLTokenizer | None = None

    def constraint(self, schema: Schema = ANY_OBJECT) -> JsonConstraint:
        """Hold an answer to `schema`. Raises `InvalidRequest` or `TooLarge`, as `json_schema.resolve` does."""
        grammar = _grammar(bounded(resolve(schema, self._limits)))
        matcher = LLMatcher(self._tree(), grammar, limits=LIMITS, log_level=0)
        if matcher.is_error():
            raise _unusable()
        return JsonConstraint(matcher)

    def following(self, grammar: str) -> JsonConstraint:
        """Hold an answer to a grammar in llguidance's dialect of Lark. Raises `InvalidRequest` for an unusable one."""
        matcher = LLMatcher(self._tree(), LLMatcher.grammar_from_lark(grammar), limits=LIMITS, log_level=0)
        if matcher.is_error():
            raise _unusable()
        return JsonConstraint(matcher)

    def _tree(self) -> LLTokenizer:
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = LLTokenizer(TokenizerWrapper(_Tokens(self._vocabulary)))
            return self._tokenizer


def check_usable(schema: Schema) -> None:
    """Raise `InvalidRequest` when no grammar can be made of a resolved schema, with no vocabulary at hand."""
    if LLMatcher.validate_grammar(_grammar(schema), limits=LIMITS):
        raise _unusable()


class PatternMatcher:
    """Tells whether a string matches a pattern, in time linear in its length; Python's `re` may hang."""

    def __init__(self) -> None:
        self._tokenizer = LLTokenizer(TokenizerWrapper(_Bytes()))

    def matches(self, pattern: str, text: str) -> bool:
        """Whether the pattern is found in `text`, by the same rules as the grammar writes by."""
        grammar = _grammar({"type": "string", "pattern": pattern})
        matcher = LLMatcher(self._tokenizer, grammar, limits=LIMITS, log_level=0)
        said = list(json.dumps(text, ensure_ascii=False).encode(errors="replace"))
        return matcher.try_consume_tokens(said) == len(said) and matcher.is_accepting()


class _Tokens:
    """A vocabulary as llguidance reads it, once."""

    bos_token_id = None

    def __init__(self, vocabulary: Pieces) -> None:
        self._vocabulary = vocabulary
        self.tokens = [vocabulary.piece(token) for token in range(len(vocabulary))]
        self.special_token_ids = sorted({*vocabulary.markers.values()})
        self.eos_token_id = vocabulary.special(Special.EOS)

    def __call__(self, text: str) -> list[int]:
        return self._vocabulary.tokenize(text)


class _Bytes:
    """A vocabulary of the 256 bytes and an end."""

    bos_token_id = None
    eos_token_id = 256
    special_token_ids = (256,)
    tokens: tuple[bytes, ...] = (*(bytes([byte]) for byte in range(256)), b"<end>")

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


def _grammar(schema: Schema) -> str:
    """The schema in llguidance's own words; raises `InvalidRequest` for numbers beyond 64 bits."""
    try:
        return LLMatcher.grammar_from_json_schema(dict(schema), overrides=STYLE)  # type: ignore[arg-type]
    except ValueError as exc:
        raise _unusable() from exc


def _unusable() -> InvalidRequest:
    detail = "Схема JSON не подходит: ей не отвечает ни одно значение, или её шаблоны слишком сложны. Упростите её."
    return InvalidRequest("schema_unusable", detail)


def _too_complex() -> InvalidRequest:
    return InvalidRequest("schema_too_complex", "Схема JSON слишком сложна для этого ответа. Упростите её.")


def object_of(text: str) -> Any:
    """The JSON value that `text` is; None when it was cut off."""
    try:
        return json.loads(text)
    except ValueError:
        return None
