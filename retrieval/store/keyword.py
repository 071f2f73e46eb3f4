"""BM25 over terms, by SQLite's FTS5 (k1 = 1.2, b = 0.75). Scores are positive; greater is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, text, update

from retrieval.store.schema import index_state

_EVERY = "SELECT rowid, -bm25(passage_stems) FROM passage_stems WHERE passage_stems MATCH :query"
_HELD = "SELECT rowid, stems FROM passage_stems WHERE rowid IN :ids"
_COUNT = "SELECT term, doc FROM passage_stems_vocab WHERE term IN :terms"
_REPLACE = "UPDATE passage_stems SET stems = :stems WHERE rowid = :id"


@dataclass(frozen=True, slots=True)
class Matches:
    """Passages that hold some of the terms: ids (n), ascending, and their scores (n)."""

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]


def every(conn: Connection, terms: Sequence[str]) -> Matches:
    """Return all passages with any of the terms, whoever may read them.

    One pass costs less than the best few and then the scores of others that were found by meaning:
    SQLite would count every term's passages again for each of those.
    """
    result = conn.execute(text(_EVERY), {"query": match_any(terms)}) if terms else None
    # The driver's own tuples: thousands of rows, and the library would wrap each of them.
    rows = result.cursor.fetchall() if result and result.cursor else []
    found = np.array(rows, np.float64).reshape(-1, 2)
    return Matches(found[:, 0].astype(np.int64), found[:, 1].astype(np.float32))


def match_any(terms: Sequence[str]) -> str:
    """Return an FTS5 query for passages with any of the terms; each is quoted, so none is taken as syntax."""
    return " OR ".join('"' + term.replace('"', '""') + '"' for term in dict.fromkeys(terms))


def held(conn: Connection, ids: Iterable[int]) -> dict[int, str]:
    """Return what the index holds of these passages: a line a sentence, terms joined by spaces."""
    rows = conn.execute(text(_HELD).bindparams(bindparam("ids", expanding=True)), {"ids": list(ids)})
    return {row[0]: row[1] for row in rows}


def counts(conn: Connection, terms: Iterable[str]) -> dict[str, int]:
    """Return in how many passages each of the terms stands; one that stands in none is missing."""
    rows = conn.execute(text(_COUNT).bindparams(bindparam("terms", expanding=True)), {"terms": list(terms)})
    return {row[0]: row[1] for row in rows}


def replace(conn: Connection, stems: Mapping[int, str]) -> None:
    """Give passages other terms; those deleted meanwhile stay deleted."""
    if stems:
        conn.execute(text(_REPLACE), [{"id": id_, "stems": lines} for id_, lines in stems.items()])


def set_version(conn: Connection, version: int) -> None:
    """Note which form all stored terms have."""
    conn.execute(update(index_state).values(terms=version))


def check(conn: Connection) -> None:
    """Let FTS5 examine its own tables; raises the database's error for a damaged one."""
    conn.execute(text("INSERT INTO passage_stems (passage_stems) VALUES ('integrity-check')"))
