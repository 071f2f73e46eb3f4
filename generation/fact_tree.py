"""A JSON answer in the making: every value with the words it rests on, windows merged, what has no words taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jsonschema import Draft202012Validator

from generation.citations import Quote
from generation.grounding import Ground
from generation.json_schema import Schema, allows_null, types_of

_OMITTED = object()


@dataclass(frozen=True, slots=True)
class Leaf:
    """A string, number, choice or null. Without a `quote` it is not known to be said anywhere, unless it `is_fixed`."""

    value: Any
    is_nullable: bool
    quote: Quote | None = None
    is_fixed: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """An object; `required` are the members that it must have."""

    members: Mapping[str, Tree]
    required: frozenset[str]
    is_nullable: bool


@dataclass(frozen=True, slots=True)
class Items:
    """A list of at least `least` and at most `most` members."""

    members: tuple[Tree, ...]
    least: int
    most: int | None
    is_nullable: bool


Tree = Leaf | Fields | Items


@dataclass(slots=True)
class Settled:
    """The finished value; quotes and what is unsupported by JSON pointers (RFC 6901)."""

    value: Any = None
    quotes: dict[str, Quote] = field(default_factory=dict)
    unsupported: list[str] = field(default_factory=list)


def grounded(value: Any, node: Schema, label: str, ground: Ground) -> Tree:
    """Look for each value of a valid answer in the passages. `label` says in words what the value is."""
    chosen, is_nullable = alternative(node, value), allows_null(node)
    if isinstance(value, dict):
        inner = {name: member_of(chosen, name) for name in value}
        members = {
            name: grounded(each, inner[name], said_of(name, inner[name], label), ground) for name, each in value.items()
        }
        return Fields(members, frozenset(chosen.get("required", ())), is_nullable)
    if isinstance(value, list):
        items = tuple(grounded(each, chosen.get("items", {}), label, ground) for each in value)
        return Items(items, chosen.get("minItems", 0), chosen.get("maxItems"), is_nullable)
    if "const" in chosen:
        return Leaf(value, is_nullable, is_fixed=True)
    return Leaf(value, is_nullable, None if value is None else ground.find(value, chosen, label))


def alternative(node: Schema, value: Any) -> Schema:
    """The alternative of an `anyOf` that a value is valid by; the node itself where there is no choice."""
    if "anyOf" not in node:
        return node
    found = (each for each in node["anyOf"] if Draft202012Validator(without_patterns(each)).is_valid(value))
    return alternative(next(found, node["anyOf"][0]), value)


def without_patterns(node: Any) -> Any:
    """A schema whose patterns cannot keep Python's `re` busy."""
    if isinstance(node, dict):
        return {
            word: without_patterns(inner)
            for word, inner in node.items()
            if not (word == "pattern" and isinstance(inner, str))
        }
    return [without_patterns(inner) for inner in node] if isinstance(node, list) else node


def member_of(node: Schema, name: str) -> Schema:
    """The schema of a property, a further one included."""
    further = node.get("additionalProperties")
    found: Schema = node.get("properties", {}).get(name, further if isinstance(further, dict) else {})
    return found


def said_of(name: str, node: Schema, around: str = "") -> str:
    """What a field is, in words: its description, title or name, after what it belongs to."""
    own = node.get("description") or node.get("title") or name.replace("_", " ").replace("-", " ")
    return f"{around}: {own}" if around else str(own)


def merge(first: Tree, second: Tree) -> Tree:
    """Two windows of one document: what stands in the first is kept, lists go on."""
    match first, second:
        case Fields(), Fields():
            names = dict.fromkeys((*first.members, *second.members))
            joined = {
                name: merge(first.members[name], second.members[name])
                if name in first.members and name in second.members
                else first.members.get(name) or second.members[name]
                for name in names
            }
            return Fields(joined, first.required, first.is_nullable)
        case Items(), Items():
            known = [plain_value(each) for each in first.members]
            new = (each for each in second.members if plain_value(each) not in known)
            return Items((*first.members, *new)[: first.most], first.least, first.most, first.is_nullable)
    return second if is_supported(second) and not is_supported(first) else first


def completed(tree: Tree, guess: Tree) -> Tree:
    """What is still empty takes a guessed value, which rests on nothing."""
    match tree, guess:
        case Fields(), Fields():
            inner = {
                name: completed(each, guess.members[name]) if name in guess.members else each
                for name, each in tree.members.items()
            }
            return replace(tree, members=inner)
        case Items(), Items():
            more = guess.members[: max(0, tree.least - len(tree.members))]
            return replace(tree, members=(*tree.members, *more))
        case Leaf(quote=None, is_fixed=False), Leaf():
            return replace(tree, value=guess.value)
    return tree


def is_supported(tree: Tree) -> bool:
    """Whether some value of it rests on words of a document."""
    match tree:
        case Leaf():
            return tree.quote is not None
        case Fields():
            return any(is_supported(each) for each in tree.members.values())
        case Items():
            return any(is_supported(each) for each in tree.members)


def plain_value(tree: Tree) -> Any:
    """The value as the model said it."""
    match tree:
        case Leaf():
            return tree.value
        case Fields():
            return {name: plain_value(each) for name, each in tree.members.items()}
        case Items():
            return [plain_value(each) for each in tree.members]


def settle(tree: Tree) -> Settled:
    """Take out what rests on nothing: null where that is allowed, absent where that is, else reported."""
    settled = Settled()
    settled.value = _settle(tree, "", settled, is_optional=False)
    return settled


def _settle(tree: Tree, pointer: str, into: Settled, *, is_optional: bool) -> Any:
    match tree:
        case Leaf(value=value, quote=Quote() as quote):
            into.quotes[pointer] = quote
            return value
        case Leaf(value=value, is_fixed=True):
            return value
    if not is_supported(tree) and tree.is_nullable:
        return None
    if not is_supported(tree) and is_optional:
        return _OMITTED
    match tree:
        case Fields():
            made = {
                name: _settle(each, f"{pointer}/{_escaped(name)}", into, is_optional=name not in tree.required)
                for name, each in tree.members.items()
            }
            return {name: each for name, each in made.items() if each is not _OMITTED}
        case Items():
            kept = _kept(tree.members, tree.least)
            return [_settle(each, f"{pointer}/{n}", into, is_optional=False) for n, each in enumerate(kept)]
    into.unsupported.append(pointer)
    return tree.value


def _kept(members: Sequence[Tree], least: int) -> list[Tree]:
    """The members that rest on something, and as many others as the list may not do without."""
    supported = [each for each in members if is_supported(each)]
    others = [each for each in members if not is_supported(each)]
    return supported + others[: max(0, least - len(supported))]


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def blank(node: Schema) -> Tree:
    """The tree of a schema with nothing in it, for answers that are found field by field."""
    is_nullable = allows_null(node)
    chosen = next((each for each in node.get("anyOf", ()) if types_of(each) != {"null"}), node)
    if "properties" in chosen:
        members = {name: blank(inner) for name, inner in chosen["properties"].items()}
        return Fields(members, frozenset(chosen.get("required", ())), is_nullable)
    if "items" in chosen:
        return Items((), chosen.get("minItems", 0), chosen.get("maxItems"), is_nullable)
    return Leaf(chosen.get("const"), is_nullable, is_fixed="const" in chosen)
