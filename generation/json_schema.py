"""The JSON schemas that an answer can be held to: a part of Draft 2020-12, bounded, with its references resolved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from core.errors import InvalidRequest, TooLarge
from core.settings import Settings

Schema = Mapping[str, Any]

ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
    | {"$schema", "$id", "$comment", "$defs", "definitions"}
)
CONSTRAINTS = frozenset(
    {"type", "enum", "const", "anyOf", "oneOf", "properties", "required", "additionalProperties", "items"}
    | {"minItems", "maxItems", "minLength", "maxLength", "pattern", "format"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
)
FORMAT_MAX_CHARS = {"time": 20, "date-time": 32, "email": 100}  # seconds may have any number of digits
FORMATS = frozenset({"date", "time", "date-time", "email", "uuid"})
LARGEST = 10**15  # below it every integer is a number of its own in JavaScript and in C
DECIMALS = 0.000001
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_IMPLIED = {"properties": "object", "items": "array", "pattern": "string", "format": "string"}


@dataclass(frozen=True, slots=True)
class SchemaLimits:
    """How large a schema may be. `max_nodes` counts subschemas with every reference followed."""

    max_bytes: int = 32 * 1024
    max_depth: int = 8
    max_nodes: int = 300
    max_choices: int = 300
    max_pattern_chars: int = 200

    @classmethod
    def of(cls, settings: Settings) -> SchemaLimits:
        """The limits that the settings name."""
        return cls(
            max_bytes=settings.schema_max_bytes,
            max_depth=settings.schema_max_depth,
            max_nodes=settings.schema_max_fields,
        )


DEFAULT_LIMITS = SchemaLimits()


def resolve(schema: Schema, limits: SchemaLimits) -> dict[str, Any]:
    """A copy without references, in which every subschema says its type; `oneOf` of distinct types becomes `anyOf`.

    Raises `TooLarge` over the limit of bytes, `InvalidRequest` for what is wrong, too deep or not supported: the
    sentence names the place as a JSON pointer.
    """
    if (size := len(json.dumps(schema, ensure_ascii=False).encode(errors="replace"))) > limits.max_bytes:
        raise TooLarge("schema_too_large", f"Схема занимает {size} байт, а можно не больше {limits.max_bytes}.")
    resolved = _Walk(schema, limits).node(schema, _Place("", 0, frozenset()))
    try:
        Draft202012Validator.check_schema(resolved)
    except SchemaError as exc:
        place = "/" + "/".join(str(part) for part in exc.absolute_path)
        raise _refused("bad_schema", f"неверное значение в {place}: это не JSON Schema Draft 2020-12") from exc
    return resolved


@dataclass(frozen=True, slots=True)
class _Place:
    pointer: str
    depth: int
    open_refs: frozenset[str]

    def inner(self, *names: str | int) -> _Place:
        return _Place("/".join([self.pointer, *map(str, names)]), self.depth + 1, self.open_refs)


class _Walk:
    def __init__(self, root: Schema, limits: SchemaLimits) -> None:
        self._root = root
        self._limits = limits
        self._nodes = 0

    def node(self, node: Any, at: _Place) -> dict[str, Any]:
        self._count(at)
        if not isinstance(node, Mapping):
            raise _refused("bad_schema", f"в {at.pointer or '/'} нужна схема — объект JSON")
        if "$ref" in node:
            return self._referred(node, at)
        self._check_words(node, at)
        made = {word: value for word, value in node.items() if not word.startswith("$") and word != "definitions"}
        if "properties" in node:
            made["properties"] = self._properties(node["properties"], at)
            self._check_required(node, at)
        if "items" in node:
            made["items"] = self.node(node["items"], at.inner("items"))
        if isinstance(node.get("additionalProperties"), Mapping):
            made["additionalProperties"] = self.node(node["additionalProperties"], at.inner("additionalProperties"))
        if "anyOf" in node or "oneOf" in node:
            return self._alternatives(made, at)
        return made if "enum" in made or "const" in made else made | {"type": _type_of(made, at)}

    def _count(self, at: _Place) -> None:
        self._nodes += 1
        if at.depth > 2 * self._limits.max_depth:  # a level of values is two of the schema: properties, name
            raise _refused("schema_too_deep", f"вложенность больше {self._limits.max_depth}")
        if self._nodes > self._limits.max_nodes:
            raise _refused("schema_too_complex", f"больше {self._limits.max_nodes} полей, если раскрыть ссылки")

    def _referred(self, node: Schema, at: _Place) -> dict[str, Any]:
        ref = node["$ref"]
        if not isinstance(ref, str) or not (ref == "#" or ref.startswith("#/")):
            raise _refused("schema_reference", f"в {at.pointer or '/'} $ref ведёт наружу; можно только «#/…»")
        if ref in at.open_refs or ref == "#":
            raise _refused("schema_recursive", f"в {at.pointer or '/'} $ref «{ref}» ссылается сам на себя")
        if beside := sorted(set(node) - ANNOTATIONS - {"$ref"}):
            raise _refused("schema_keyword", f"в {at.pointer or '/'} рядом с $ref стоит «{beside[0]}»")
        target = self.node(self._target(ref, at), _Place(at.pointer, at.depth, at.open_refs | {ref}))
        return target | {word: node[word] for word in ("title", "description") if word in node}

    def _target(self, ref: str, at: _Place) -> Any:
        found: Any = self._root
        for part in ref.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or name not in found:
                raise _refused("schema_reference", f"в {at.pointer or '/'} $ref «{ref}» никуда не ведёт")
            found = found[name]
        return found

    def _check_words(self, node: Schema, at: _Place) -> None:
        if unknown := sorted(set(node) - ANNOTATIONS - CONSTRAINTS):
            raise _refused(
                "schema_keyword",
                f"слово «{unknown[0]}» в {at.pointer or '/'} не поддерживается; есть {', '.join(sorted(CONSTRAINTS))}",
            )
        if node.get("format", "date") not in FORMATS:
            raise _refused("schema_format", f"format в {at.pointer or '/'} может быть {', '.join(sorted(FORMATS))}")
        if len(str(node.get("pattern", ""))) > self._limits.max_pattern_chars:
            raise _refused("schema_pattern", f"pattern в {at.pointer} длиннее {self._limits.max_pattern_chars} знаков")
        choices = node.get("enum", [node.get("const")])
        if not isinstance(choices, list) or any(isinstance(choice, list | dict) for choice in choices):
            raise _refused("schema_choice", f"enum и const в {at.pointer} — строки, числа, true, false или null")
        if not 1 <= len(choices) <= self._limits.max_choices:
            raise _refused("schema_too_complex", f"в enum {at.pointer} от 1 до {self._limits.max_choices} значений")

    def _properties(self, properties: Any, at: _Place) -> dict[str, Any]:
        if not isinstance(properties, Mapping):
            raise _refused("bad_schema", f"properties в {at.pointer or '/'} — объект JSON")
        return {name: self.node(inner, at.inner("properties", name)) for name, inner in properties.items()}

    def _check_required(self, node: Schema, at: _Place) -> None:
        required = node.get("required", [])
        if not isinstance(required, list) or not {*map(str, required)} <= set(node["properties"]):
            raise _refused("bad_schema", f"required в {at.pointer or '/'} называет поля, которых нет в properties")

    def _alternatives(self, node: dict[str, Any], at: _Place) -> dict[str, Any]:
        word = "oneOf" if "oneOf" in node else "anyOf"
        if beside := sorted(set(node) - ANNOTATIONS - {word}):
            raise _refused("schema_keyword", f"рядом с {word} в {at.pointer or '/'} стоит «{beside[0]}»")
        if not isinstance(node[word], list) or not node[word]:
            raise _refused("bad_schema", f"{word} в {at.pointer or '/'} — непустой список схем")
        inner = [self.node(each, at.inner(word, n)) for n, each in enumerate(node[word])]
        if word == "oneOf" and not _are_distinct(inner):
            raise _refused("schema_keyword", f"варианты oneOf в {at.pointer or '/'} одного типа; есть anyOf")
        return {key: value for key, value in node.items() if key != word} | {"anyOf": inner}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the writing of a value is held to where the schema does not say; None leaves a length open."""

    max_chars: int | None = None
    max_items: int | None = None


def bounded(node: Schema, bounds: Bounds = Bounds()) -> dict[str, Any]:
    """A stricter copy of a resolved schema, for the writing: a small model else writes zeros till its tokens end.

    Numbers stay below 10**15, with six decimals at most, and seconds end; with `bounds`, strings and lists end too, and
    objects have no properties but their own. What is valid by the copy is valid by the schema.
    """
    made = dict(node)
    if "anyOf" in node:
        return made | {"anyOf": [bounded(each, bounds) for each in node["anyOf"]]}
    if "enum" in node or "const" in node:
        return made
    types = types_of(node)
    if types & {"number", "integer"}:
        made |= _number_bounds(node) | ({"multipleOf": DECIMALS} if "number" in types else {})
    if node.get("format") in FORMAT_MAX_CHARS:
        made.setdefault("maxLength", FORMAT_MAX_CHARS[node["format"]])
    if "string" in types and bounds.max_chars and not {"format", "pattern"} & set(node):
        made.setdefault("maxLength", max(bounds.max_chars, node.get("minLength", 0)))
    if bounds.max_items and "array" in types:
        made.setdefault("maxItems", max(bounds.max_items, node.get("minItems", 0)))
    if "items" in node:
        made["items"] = bounded(node["items"], bounds)
    if "properties" in node:
        made["properties"] = {name: bounded(inner, bounds) for name, inner in node["properties"].items()}
        if bounds.max_items and not isinstance(node.get("additionalProperties"), Mapping):
            made["additionalProperties"] = False
    return made


def _number_bounds(node: Schema) -> dict[str, int]:
    low, high = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
    stated = [node[word] for word in (*low, *high) if word in node]
    size = max([LARGEST, *(abs(value) for value in stated)])
    below = {} if any(word in node for word in low) else {"minimum": -size}
    return below if any(word in node for word in high) else below | {"maximum": size}


def types_of(node: Schema) -> frozenset[str]:
    """The types that a resolved subschema allows a value to have."""
    if "anyOf" in node:
        return frozenset().union(*(types_of(each) for each in node["anyOf"]))
    stated = node.get("type")
    if stated is not None:
        return frozenset([stated] if isinstance(stated, str) else stated)
    return frozenset(_type_of_value(choice) for choice in node.get("enum", [node.get("const")]))


def allows_null(node: Schema) -> bool:
    """Whether null is a value of this subschema."""
    if "anyOf" in node:
        return any(allows_null(each) for each in node["anyOf"])
    return bool(Draft202012Validator(node).is_valid(None))


def _type_of(node: Schema, at: _Place) -> Any:
    """The type as stated, or as a keyword implies it; a field of any type at all is refused."""
    stated = node.get("type") or next((kind for word, kind in _IMPLIED.items() if word in node), None)
    names = stated if isinstance(stated, list) else [stated]
    if not names or any(name not in _TYPES for name in names):
        raise _refused("schema_type", f"у {at.pointer or '/'} нужен type: {', '.join(_TYPES)}")
    return stated


def _are_distinct(alternatives: list[dict[str, Any]]) -> bool:
    every = [kind for each in alternatives for kind in _numeric_once(types_of(each))]
    return len(every) == len(set(every))


def _numeric_once(types: frozenset[str]) -> Iterator[str]:
    yield from {"number" if kind == "integer" else kind for kind in types}


def _type_of_value(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "boolean", str: "string", int: "number", float: "number"}[type(value)]


def _refused(code: str, what: str) -> InvalidRequest:
    return InvalidRequest(code, f"Схема JSON не подходит: {what}.")
