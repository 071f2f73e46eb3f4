"""Measures what is found of queries as they are typed: with repair, without it, and typed right.

`python -m evaluation.queries --data ../shared/data` fills a base once, asks and prints a table for each way to search.
The words alone show what a repair gives; beside meaning, which forgives a typo, it shows what a user sees.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import TextIO

from core.settings import load_settings
from core.types import Passage
from evaluation.base import EVERYONE, key_of, open_base
from evaluation.measures import hit
from evaluation.query_sets import REFERENCE, Typed, load_clean, load_documents, load_spoilt, load_written
from evaluation.retrieval_sets import load_kb_asked
from retrieval.chosen_models import chosen_encoder, chosen_reranker
from retrieval.query.reference import Kind, references
from retrieval.searcher import Searcher
from retrieval.stems import plain_text

TOP = 5
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a query: ranks from 1 of the right passage, None where it is not among the first five.

    `said` is the query as the search understood it, `notice` what the user is told of that.
    """

    asked: Typed
    meant: int | None
    typed: int | None
    mended: int | None
    said: str
    notice: str | None

    @property
    def is_altered(self) -> bool:
        """Whether the search did not take the query as typed."""
        return self.said != self.asked.typed

    @property
    def is_right(self) -> bool:
        """Whether what the user is told to have been searched for is what was meant."""
        right = self.asked.typed if self.asked.kind == REFERENCE else self.asked.meant
        return _words(self.said) == _words(right)


@dataclass(frozen=True, slots=True)
class Line:
    """A kind's figures, per cent: hits of the `findable` queries, `altered` of all, `right` of the `notices`."""

    kind: str
    queries: int
    findable: int
    meant: tuple[float, float]
    typed: tuple[float, float]
    mended: tuple[float, float]
    altered: float
    notices: int
    right: float | None


def ask(asked: Typed, searcher: Searcher) -> Outcome:
    """Search for what was meant and for what was typed, the latter also without repair.

    Without repair the number of a reference is cut off its name by a comma: the same words, but nothing refers.
    """
    found = searcher.search(asked.typed, principal=EVERYONE, collection=None, top_k=TOP)
    return Outcome(
        asked,
        _rank(_exactly(asked.meant, searcher), asked),
        _rank(_exactly(_unread(asked.typed), searcher), asked),
        _rank(found.passages, asked),
        found.interpretation.searched,
        found.interpretation.notice,
    )


def summed(outcomes: Sequence[Outcome]) -> tuple[Line, ...]:
    """One line for each kind, in the order in which kinds come."""
    kinds = dict.fromkeys(one.asked.kind for one in outcomes)
    return tuple(_line(kind, [one for one in outcomes if one.asked.kind == kind]) for kind in kinds)


def _line(kind: str, outcomes: Sequence[Outcome]) -> Line:
    findable = [one for one in outcomes if one.asked.document]
    noticed = [one for one in outcomes if one.notice]
    return Line(
        kind,
        len(outcomes),
        len(findable),
        _hits([one.meant for one in findable]),
        _hits([one.typed for one in findable]),
        _hits([one.mended for one in findable]),
        _share([one.is_altered for one in outcomes]),
        len(noticed),
        _share([one.is_right for one in noticed]) if noticed else None,
    )


def _hits(ranks: Sequence[int | None]) -> tuple[float, float]:
    return _share([hit(rank, 1) for rank in ranks]), _share([hit(rank, TOP) for rank in ranks])


def _share(values: Sequence[float]) -> float:
    return round(100 * fmean(values), 1) if values else 0.0


def _exactly(query: str, searcher: Searcher) -> Sequence[Passage]:
    return searcher.search(query, principal=EVERYONE, collection=None, top_k=TOP, exact=True).passages


def _rank(found: Sequence[Passage], asked: Typed) -> int | None:
    return next((at for at, passage in enumerate(found, start=1) if _is_right(passage, asked)), None)


def _is_right(passage: Passage, asked: Typed) -> bool:
    if passage.document != asked.document:
        return False
    return _flat(asked.holds) in _flat(f"{passage.section}\n{passage.text}")


def _flat(text: str) -> str:
    return " ".join(text.split())


def _unread(query: str) -> str:
    for one in references(query):
        if one.kind is not Kind.DATE:
            query = re.sub(rf"\s*({re.escape(one.number)})", r", \1", query, count=1, flags=re.IGNORECASE)
    return query


def _words(text: str) -> list[str]:
    return _WORD.findall(plain_text(text))


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point."""
    wanted = _arguments(arguments)
    settings = load_settings()
    encoder = chosen_encoder(settings)
    kb = load_kb_asked(wanted.data, settings)
    clean = load_clean(wanted.data, kb)
    asked = (*load_written(), *load_spoilt(clean, each=wanted.each, seed=wanted.seed), *clean)
    sources = load_documents(wanted.data, wanted.examples, kb, settings)
    folder = settings.cache_dir / "evaluation" / f"queries-{key_of(sources, encoder)}"
    base = open_base(folder, sources, encoder, _show_filled)
    report: dict[str, object] = {"seed": wanted.seed, "load_average": os.getloadavg(), "model": encoder.name}
    reranker = chosen_reranker(settings)
    for name, weight in (("both", settings.dense_weight), ("words", 0.0)):
        searcher = base.searcher(encoder, dense_weight=weight, reranker=reranker)
        outcomes = [ask(one, searcher) for one in asked]
        _show(name, summed(outcomes))
        report[name] = [asdict(one) for one in outcomes]
    base.close()
    wanted.json.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with xquad/, kb/ and documents/")
    parser.add_argument("--examples", type=Path, default=Path("examples"), help="folder with the example documents")
    parser.add_argument("--each", type=int, default=40, help="questions spoilt in each way")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, default=Path("queries.json"))
    return parser.parse_args(arguments)


def _show(name: str, lines: Sequence[Line]) -> None:
    heads = "".join(f"{head:>14}" for head in ("typed right", "unrepaired", "repaired"))
    _say(f"\n{name}\n{'':14}{'n':>5}{heads}{'altered':>9}{'notices':>9}{'right':>7}\n")
    for one in lines:
        hits = "".join(f"{first:8.1f}{five:6.1f}" for first, five in (one.meant, one.typed, one.mended))
        right = "" if one.right is None else f"{one.right:7.1f}"
        _say(f"{one.kind:14}{one.queries:5}{hits}{one.altered:9.1f}{one.notices:9}{right}\n")


def _show_filled(done: int, total: int) -> None:
    _say(f"\r{done} of {total} documents{'' if done < total else chr(10)}", sys.stderr)


def _say(text: str, stream: TextIO = sys.stdout) -> None:
    stream.write(text)
    stream.flush()


if __name__ == "__main__":
    main()
