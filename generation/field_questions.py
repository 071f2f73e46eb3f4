"""Facts one field at a time, for a small model: it copies words of a passage, never writes any of its own."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from core.types import Passage
from generation.citations import Quote, shorten
from generation.fact_tree import Fields, Items, Leaf, Tree, blank, said_of
from generation.found_words import Found, as_shown, locate
from generation.json_schema import Schema, types_of
from generation.language_model import Completion
from generation.marks import harmless_line
from generation.span_prompt import REFUSAL, answer_grammar, context_text, question_text, read_answer
from generation.written_values import dates, numbers
from retrieval.stems import stem_text

OPENING = " ["  # the token that an answer begins with, where a refusal has its own
_EXAMPLES = """Отрывки:

[1] Приказ № 7
Приказ № 7 от 3 мая 2024 г. Назначить ответственным за склад Ильина Петра Олеговича с окладом 54 000 рублей.

Вопрос: Номер приказа
Ответ: [1] 7

Вопрос: Оклад в рублях
Ответ: [1] 54 000

Вопрос: Ответственный
Ответ: [1] Ильина Петра Олеговича

Вопрос: Срок действия доверенности
Ответ: нет

Вопрос: Дата приказа
Ответ: [1] 3 мая 2024

---

"""
_EDGES = " .,;:!?"
_PAIRS = {"«": "»", "“": "”", "(": ")"}
_BEFORE = 12  # characters: «не оплачен», of which the model may have chosen «оплачен»
_NO = re.compile(r"\b(?:нет|не|без|отсутству\w+|запрещ\w+|исключ\w+)\b", re.IGNORECASE)

Valid = Callable[[Any, Schema], bool]


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask for one value at a JSON `path` of the schema; `is_list` when every mention counts."""

    path: tuple[str, ...]
    text: str
    node: Schema
    is_list: bool


def questions(node: Schema, path: tuple[str, ...] = (), around: str = "") -> Iterator[Question]:
    """A question for each field that words of a text can answer; lists of objects are beyond one question."""
    chosen = next((each for each in node.get("anyOf", ()) if types_of(each) != {"null"}), node)
    if "properties" in chosen:
        for name, inner in chosen["properties"].items():
            yield from questions(inner, (*path, name), said_of(name, inner, around))
    elif "items" in chosen and not {"object", "array"} & types_of(chosen["items"]):
        yield Question(path, around, chosen["items"], is_list=True)
    elif not {"object", "array"} & types_of(chosen) and "const" not in chosen:
        yield Question(path, around, chosen, is_list=False)


class FieldPrompt:
    """One set of passages and what may be said of them; the questions come last, so that the model reads it once."""

    def __init__(self, passages: Sequence[Passage], *, is_taught: bool) -> None:
        """`is_taught`: the model was trained to answer so and needs no examples."""
        self._passages = passages
        shown = [as_shown(passage) for passage in passages]
        self._context = ("" if is_taught else _EXAMPLES) + context_text(shown)
        self.grammar = answer_grammar(shown)

    def text(self, question: Question) -> str:
        """The prompt for one question."""
        return self._context + question_text(harmless_line(question.text))

    def found(self, said: Completion, question: Question) -> tuple[Found, ...]:
        """The words that the model chose, where they stand; none when it would rather have refused."""
        if said.first.get(REFUSAL, -math.inf) > said.first.get(OPENING, -math.inf):
            return ()
        return locate(read_answer(said.text), self._passages, question.text)


def answered(question: Question, found: Sequence[Found], is_valid: Valid) -> Tree | None:
    """The value, or the list of them, that the chosen words write; None when they write none of the asked kind."""
    leaves = [leaf for each in found if (leaf := _leaf(question, each, is_valid))]
    if not leaves:
        return None
    return Items(tuple(leaves), 0, None, is_nullable=False) if question.is_list else leaves[0]


def _leaf(question: Question, found: Found, is_valid: Valid) -> Leaf | None:
    for value in _readings(found.words, question.node):
        if is_valid(value, question.node):
            return Leaf(value, is_nullable=False, quote=shorten(found.sentence, found.words.start))
    return None


def _readings(words: Quote, node: Schema) -> Iterator[Any]:
    """What the words may mean, the likeliest first, by the kind of value that is asked for."""
    types, text = types_of(node), words.text
    if "enum" in node:
        said = frozenset(stem_text(text))
        yield from (each for each in node["enum"] if isinstance(each, str) and frozenset(stem_text(each)) <= said)
        return
    if node.get("format") == "date":
        yield from (found.day.isoformat() for found in dates(text))
        return
    if types & {"number", "integer"}:
        yield from (as_json(found.value) for found in numbers(text))
    if "boolean" in types:
        yield not _NO.search(words.passage.text, max(0, words.start - _BEFORE), words.end)
    if "string" in types:
        yield _trimmed(words)
        yield from (word.strip(f'{_EDGES}«»"()') for word in text.split() if "pattern" in node)


def _trimmed(words: Quote) -> str:
    """The words without the punctuation around them; a quotation that they open is closed as the document closes it."""
    text = " ".join(words.text.split()).strip(_EDGES)
    following = words.passage.text[words.end : words.end + 1]
    for opening, closing in _PAIRS.items():
        if text.count(opening) > text.count(closing) and following == closing:
            return text + closing
        if text.count(closing) > text.count(opening):
            text = text.rstrip(closing + _EDGES)
        if text.startswith(opening) and text.endswith(closing) and text.count(opening) == 1:
            text = text[1:-1]
    return text


def as_json(value: Decimal) -> int | float:
    """A number as JSON has it: whole ones without a point."""
    return int(value) if value == value.to_integral_value() else float(value)


def filled(node: Schema, answers: dict[tuple[str, ...], Tree]) -> Tree:
    """The tree of a schema with the answers at their paths."""
    return _fill(blank(node), answers, ())


def _fill(tree: Tree, answers: dict[tuple[str, ...], Tree], path: tuple[str, ...]) -> Tree:
    if isinstance(tree, Fields):
        members = {name: _fill(each, answers, (*path, name)) for name, each in tree.members.items()}
        return replace(tree, members=members)
    answer = answers.get(path)
    if isinstance(tree, Items) and isinstance(answer, Items):
        return replace(tree, members=answer.members[: tree.most])
    if isinstance(tree, Leaf) and isinstance(answer, Leaf):
        return replace(tree, value=answer.value, quote=answer.quote)
    return tree
