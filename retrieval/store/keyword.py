"""BM25 over stems, by SQLite's FTS5 (k1 = 1.2, b = 0.75). Scores are positive; greater is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

_EVERY = "SELECT rowid, -bm25(passage_stems) FROM passage_stems WHERE passage_stems MATCH :query"


@dataclass(frozen=True, slots=True)
class Matches:
    """Passages that hold some of the stems: ids (n), ascending, and their scores (n)."""

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]


def every(conn: Connection, stems: Sequence[str]) -> Matches:
    """Return all passages with any of the stems, whoever may read them.

    One pass costs less than the best few and then the scores of others that were found by meaning:
    SQLite would count every stem's passages again for each of those.
    """
    result = conn.execute(text(_EVERY), {"query": match_any(stems)}) if stems else None
    # The driver's own tuples: thousands of rows, and the library would wrap each of them.
    rows = result.cursor.fetchall() if result and result.cursor else []
    found = np.array(rows, np.float64).reshape(-1, 2)
    return Matches(found[:, 0].astype(np.int64), found[:, 1].astype(np.float32))


def match_any(stems: Sequence[str]) -> str:
    """Return an FTS5 query for passages with any of the stems; each is quoted, so none is taken as syntax."""
    return " OR ".join('"' + stem.replace('"', '""') + '"' for stem in dict.fromkeys(stems))
