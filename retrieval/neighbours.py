"""Passages found side by side in one section are shown as one, with the words between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from core.types import Passage
from retrieval.searcher import SearchResult
from retrieval.store import passages
from retrieval.store.database import Database
from retrieval.store.passages import Place

_SPARE = 2  # times as many passages are searched for, because some will join


@dataclass(frozen=True, slots=True)
class _Run:
    """Passages of one section in the order of its text, each overlapping or following the one before."""

    passages: tuple[Passage, ...]
    place: Place
    end: int

    @property
    def best(self) -> Passage:
        return max(self.passages, key=lambda passage: passage.score)


def join_neighbours(database: Database, found: Sequence[Passage]) -> tuple[Passage, ...]:
    """Return passages, best first, with neighbours joined into the best of them; `text` stays verbatim.

    Of its page: `text` is the page's text[start:end], whatever was joined. What was deleted meanwhile stays as found.
    """
    with database.read() as conn:
        places = passages.places(conn, [passage.id for passage in found])
        runs = _runs([passage for passage in found if passage.id in places], places)
        joined = [
            replace(run.best, start=run.place.start, end=run.end, text=text)
            for run in runs
            if (text := passages.stretch(conn, run.place, run.end)) is not None
        ]
    gone = [passage for passage in found if passage.id not in places]
    return tuple(sorted([*joined, *gone], key=lambda passage: (-passage.score, passage.id)))


def search_joined(search: Callable[..., SearchResult], database: Database, *, top_k: int) -> SearchResult:
    """Run a search that takes `top_k`, and return that many passages after neighbours were joined.

    For people who read what was found. A model is given passages one by one as they were cut: it was taught on those.
    """
    found = search(top_k=_SPARE * top_k)
    return replace(found, passages=join_neighbours(database, found.passages)[:top_k])


def _runs(found: Sequence[Passage], places: dict[int, Place]) -> list[_Run]:
    runs: list[_Run] = []
    in_order = sorted(found, key=lambda p: (*_section(p, places), p.start, p.end))
    for _, section in groupby(in_order, key=lambda p: _section(p, places)):
        run: _Run | None = None
        for passage in section:
            place = places[passage.id]
            if run is not None and place.position <= places[run.passages[-1].id].position + 1:
                run = replace(run, passages=(*run.passages, passage), end=max(run.end, passage.end))
                runs[-1] = run
            else:
                run = _Run((passage,), place, passage.end)
                runs.append(run)
    return runs


def _section(passage: Passage, places: dict[int, Place]) -> tuple[str, int, str]:
    return passage.document_id, places[passage.id].page_position, passage.section or ""
