"""Whether a value is valid by a schema, in bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from generation.json_grammar import PatternMatcher
from generation.json_schema import Schema


class Validity:
    """JSON Schema Draft 2020-12, formats included, its patterns matched in linear time."""

    def __init__(self) -> None:
        matcher = PatternMatcher()

        def pattern(_validator: Any, wanted: str, value: Any, _node: Any) -> Iterator[ValidationError]:
            if isinstance(value, str) and not matcher.matches(wanted, value):
                yield ValidationError("does not match the pattern")

        self._validator = extend(Draft202012Validator, {"pattern": pattern})
        self._formats = Draft202012Validator.FORMAT_CHECKER

    def __call__(self, value: Any, node: Schema) -> bool:
        """Whether `value` is valid by `node`."""
        return bool(self._validator(node, format_checker=self._formats).is_valid(value))
