"""What the crasher does, as a pure function of its seed: the same operations and kills in the same order."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

CLIENTS = 4
NAMES_A_CLIENT = 5
KILL_EVERY_STEPS = 12
LONGEST_SECTIONS = 40
LETTERS = "бвгджзклмнпрстфхцч"
VOWELS = "аеиоу"
ACTIONS = {"replace": 25, "upload": 12, "again": 5, "delete": 15, "search": 33, "ask": 10}
POINTS = {"api": ("K1", "K2", "K3"), "worker": ("K4", "K5", "K6", "K7", "K8", "K9")}


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a client on a document's name, or the death of a part (`client` -1).

    For a kill `name` is the part, and `fault` arms its next life, which then dies at a point of its own accord.
    """

    number: int
    client: int
    action: str
    name: str
    edition: int = 0
    fault: str = ""


def steps(seed: int) -> Iterator[Step]:
    """Yield steps without end."""
    chance = random.Random(seed)
    editions: Counter[str] = Counter()
    number = 0
    while True:
        number += 1
        if number % KILL_EVERY_STEPS == 0:
            yield _kill(number, chance)
            continue
        client = chance.randrange(CLIENTS)
        name = f"документ {client}-{chance.randrange(NAMES_A_CLIENT)}.md"
        (action,) = chance.choices(list(ACTIONS), list(ACTIONS.values()))
        if action == "again" and not editions[name]:
            action = "replace"
        editions[name] += action in ("replace", "upload")
        yield Step(number, client, action, name, editions[name])


def _kill(number: int, chance: random.Random) -> Step:
    part = chance.choice(("api", "worker", "worker", "llm"))
    points = POINTS.get(part)
    fault = f"{chance.choice(points)}@{chance.randint(1, 3)}" if points and chance.random() < 0.5 else ""
    return Step(number, -1, "kill", part, fault=fault)


def subject(name: str) -> str:
    """The word that all editions of a document share and no other document has."""
    return _word(name)


@cache
def canary(name: str, edition: int) -> str:
    """The word of one edition alone."""
    return _word(f"{name}/{edition}")


def text(name: str, edition: int) -> str:
    """One edition of a document: between one and forty short sections, each with both words."""
    sections = random.Random(f"{name}/{edition}").choice((1, 1, 2, 3, 5, LONGEST_SECTIONS))
    said = f"{subject(name)}: правило имеет силу, основание {canary(name, edition)}."
    return "\n\n".join(f"# Раздел {n}\n\n{said} Номер {n}." for n in range(sections))


def _word(seed: str) -> str:
    digest = hashlib.sha256(seed.encode()).digest()
    pairs = zip(digest[:7], digest[7:14], strict=True)
    return "".join(LETTERS[one % len(LETTERS)] + VOWELS[other % len(VOWELS)] for one, other in pairs)
