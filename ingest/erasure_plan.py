"""What is to be erased, written down before the first step, so that whatever cuts the work off, it can be finished."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from retrieval.store.erasing import Doomed, Marks


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be erased, kept in a file until it is: after a death the documents themselves tell nothing more.

    `before` counts what each place held.
    """

    documents: tuple[Doomed, ...]
    marks: Marks
    before: Mapping[str, int] = field(default_factory=dict)

    @property
    def hashes(self) -> tuple[str, ...]:
        """The names of the documents' bytes."""
        return tuple(dict.fromkeys(one.sha256 for one in self.documents))

    def is_of(self, known: Collection[str]) -> bool:
        """Whether one of its documents is among these ids and names."""
        return any(one.id in known or one.name in known for one in self.documents)


def keep(folder: Path, plan: Plan) -> Path:
    """Write a plan down, for the owner's eyes: it quotes the document; return where."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{plan.marks.ids[0]}.json"
    aside = path.with_suffix(".tmp")
    with aside.open("w", encoding="utf-8") as file:
        json.dump(asdict(plan), file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    return path


def cut_off(folder: Path) -> Iterator[Plan]:
    """Yield the plans that were not carried out to the end."""
    for path in sorted(folder.glob("*.json")):
        with suppress(FileNotFoundError, ValidationError):
            yield _PLANS.validate_json(path.read_bytes())


def together(plans: Sequence[Plan]) -> Plan:
    """One plan of several: a document erased half way, and one of the same name that came since."""
    joined = {
        name: tuple(dict.fromkeys(value for plan in plans for value in getattr(plan.marks, name)))
        for name in ("ids", "passage_ids", "terms", "excerpts")
    }
    found = tuple(dict.fromkeys(one for plan in plans for one in plan.documents))
    before = {name: number for plan in plans for name, number in plan.before.items()}
    return Plan(found, Marks(**joined), before)


_PLANS = TypeAdapter(Plan)
