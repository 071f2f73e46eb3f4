"""BM25 over stems, by SQLite's FTS5 (k1 = 1.2, b = 0.75). Scores are positive; greater is better."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from core.types import Principal

_BEST = (
    "SELECT rowid, -bm25(passage_stems) FROM passage_stems WHERE passage_stems MATCH :query ORDER BY rank LIMIT :limit"
)
_BEST_WITHIN = """
SELECT s.rowid, -bm25(passage_stems) AS score
FROM passage_stems AS s JOIN passages AS p ON p.id = s.rowid JOIN documents AS d ON d.id = p.document_id
WHERE passage_stems MATCH :query AND d.collection IN (SELECT value FROM json_each(:collections))
ORDER BY score DESC LIMIT :limit
"""
_EVERY = "SELECT rowid, -bm25(passage_stems) FROM passage_stems WHERE passage_stems MATCH :query"
_OF = """
SELECT rowid, -bm25(passage_stems) FROM passage_stems
WHERE passage_stems MATCH :query AND rowid IN (SELECT value FROM json_each(:ids))
"""


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
    rows = conn.execute(text(_EVERY), {"query": match_any(stems)}).all() if stems else []
    found = np.array([tuple(row) for row in rows], np.float64).reshape(-1, 2)
    return Matches(found[:, 0].astype(np.int64), found[:, 1].astype(np.float32))


def best(
    conn: Connection, stems: Sequence[str], principal: Principal, *, collection: str | None, limit: int
) -> dict[int, float]:
    """Return up to `limit` passage ids with their scores, of what the principal may read."""
    if not stems:
        return {}
    allowed = allowed_collections(principal, collection)
    if allowed is None:
        rows = conn.execute(text(_BEST), {"query": match_any(stems), "limit": limit})
    else:
        values = {"query": match_any(stems), "limit": limit, "collections": json.dumps(sorted(allowed))}
        rows = conn.execute(text(_BEST_WITHIN), values)
    return {row[0]: row[1] for row in rows}


def scores_of(conn: Connection, stems: Sequence[str], ids: Iterable[int]) -> dict[int, float]:
    """Return the score of those of these passages that hold any of the stems."""
    if not stems:
        return {}
    rows = conn.execute(text(_OF), {"query": match_any(stems), "ids": json.dumps(list(ids))})
    return {row[0]: row[1] for row in rows}


def allowed_collections(principal: Principal, collection: str | None) -> frozenset[str] | None:
    """Return the collections to search: None means all, an empty set means nothing is open to this caller."""
    if collection is None:
        return principal.collections
    if principal.collections is None or collection in principal.collections:
        return frozenset({collection})
    return frozenset()


def match_any(stems: Sequence[str]) -> str:
    """Return an FTS5 query for passages with any of the stems; each is quoted, so none is taken as syntax."""
    return " OR ".join('"' + stem.replace('"', '""') + '"' for stem in dict.fromkeys(stems))
