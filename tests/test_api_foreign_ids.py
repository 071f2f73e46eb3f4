"""Ids and names of others: answered as if there were none, to the byte and in as much time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import httpx
import pytest

from tests.rights_table import PAIRS, ROWS, SCHEMA, UNKNOWN, filled
from tests.rights_world import World, a_document, a_finished_run, rights_world

UNKNOWN_COLLECTION = "Z"
PAIRS_TIMED = 100
MESSAGE = {"role": "user", "content": "Отпуск?"}
OPINION = {"verdict": "up", "question": "Отпуск?", "answer": "28."}
# How an id, or a collection, is named elsewhere than in the path.
NAMED: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/extract"): {"json": {"instruction": "Дни", "json_schema": SCHEMA, "document_id": "{a}"}},
    ("POST", "/v1/search"): {"json": {"query": "отпуск", "collection": "{collection}"}},
    ("POST", "/v1/ask"): {"json": {"question": "Отпуск?", "collection": "{collection}"}},
    ("POST", "/v1/chat/completions"): {"json": {"messages": [MESSAGE], "collection": "{collection}"}},
    ("GET", "/v1/documents"): {"params": {"collection": "{collection}"}},
    ("POST", "/v1/documents"): {"files": {"file": ("a.txt", b"text")}, "data": {"collection": "{collection}"}},
    ("POST", "/v1/evaluations"): {"files": {"file": ("q.csv", PAIRS)}, "data": {"collection": "{collection}"}},
    ("POST", "/v1/feedback"): {"json": OPINION | {"document_ids": ["{a}"]}},
}
BY_NAME = [*(which for which, row in ROWS.items() if "{a}" in row.path or "{run}" in row.path), *NAMED]
TIMED = [which for which in BY_NAME if which != ("POST", "/v1/feedback")]  # each is a write that is synced
FOUND_EMPTY = {("GET", "/v1/documents"): 200, ("POST", "/v1/feedback"): 204}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with rights_world(tmp_path_factory.mktemp("foreign")) as made:
        yield made


@dataclass(frozen=True)
class Both:
    """The same call with the name of what is of others, and with one of nothing."""

    foreign: Callable[[], httpx.Response]
    unknown: Callable[[], httpx.Response]
    names: tuple[str, str]


def both(world: World, which: tuple[str, str]) -> Both:
    # A reader of B is refused whatever they upload; who may change something else has their collection looked up.
    client = world.clients["editor of B" if "files" in NAMED.get(which, {}) else "reader of B"]
    path, call = ROWS[which].path or which[1], NAMED.get(which, {})
    mark = next(one for one in ("{a}", "{run}", "{collection}") if one in f"{path} {call}")
    made = {"{a}": a_document, "{run}": a_finished_run, "{collection}": lambda _world: "A"}[mark](world)
    names = made, UNKNOWN_COLLECTION if mark == "{collection}" else UNKNOWN

    def calling(name: str) -> Callable[[], httpx.Response]:
        filled_path, filled_call = filled(path, {mark: name}), filled(call, {mark: name})
        return lambda: client.request(which[0], filled_path, **filled_call)

    return Both(calling(names[0]), calling(names[1]), names)


@pytest.mark.parametrize("which", BY_NAME, ids=" ".join)
def test_what_is_of_others_answers_to_the_byte_as_what_does_not_exist(world: World, which: tuple[str, str]) -> None:
    two = both(world, which)
    foreign, unknown = two.foreign(), two.unknown()
    assert foreign.status_code == unknown.status_code == FOUND_EMPTY.get(which, 404)
    assert foreign.content.replace(*(name.encode() for name in quoted(*two.names))) == unknown.content
    assert comparable(foreign) == comparable(unknown)


def quoted(foreign: str, unknown: str) -> tuple[str, str]:
    """A collection's name of one letter is looked for as sentences quote it."""
    return (foreign, unknown) if len(foreign) > 1 else (f"«{foreign}»", f"«{unknown}»")


def comparable(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "date"}


@pytest.mark.parametrize("which", TIMED, ids=" ".join)
def test_what_is_of_others_takes_as_long_as_what_does_not_exist(world: World, which: tuple[str, str]) -> None:
    two = both(world, which)
    assert not Pairs(two.foreign, two.unknown).measured(PAIRS_TIMED).tell_apart


def test_the_clock_of_the_test_above_notices_a_quarter_more(world: World) -> None:
    unknown = both(world, ("GET", "/v1/documents/{document_id}")).unknown
    times = [time_of(unknown) for _ in range(21)]

    def slower() -> None:
        unknown()
        until = time.perf_counter() + median(times) / 4
        while time.perf_counter() < until:
            pass

    pairs = Pairs(slower, unknown)
    assert any(pairs.measured(PAIRS_TIMED).tell_apart for _ in range(5)), pairs  # more pairs where others work too


@dataclass
class Pairs:
    """Two calls, made one after the other in random order, and how many times as long the first took in each pair."""

    one: Callable[[], object]
    other: Callable[[], object]
    ratios: list[float] = field(default_factory=list)
    order: random.Random = field(default_factory=lambda: random.Random(7))

    def measured(self, pairs: int) -> Pairs:
        for _ in range(pairs):
            spent = {}
            for which in self.order.sample((0, 1), 2):
                spent[which] = time_of((self.one, self.other)[which])
            self.ratios.append(spent[0] / spent[1])
        return self

    @property
    def tell_apart(self) -> bool:
        """Whether one is slower more often than four standard deviations of a fair coin, and by a tenth at that."""
        share = sum(ratio > 1 for ratio in self.ratios) / len(self.ratios)
        return abs(share - 0.5) > 2 / len(self.ratios) ** 0.5 and abs(median(self.ratios) - 1) > 0.1


def time_of(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
