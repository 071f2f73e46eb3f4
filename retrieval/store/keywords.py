"""The full-text table over stems, and its BM25."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

STEMS_MAX = 64  # of one query: beyond that a question is a text, and the rest adds time rather than sense


@dataclass(frozen=True, slots=True)
class KeywordScores:
    """BM25 of every passage that holds one of the stems: ids (n) ascending, scores (n), greater is better."""

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]


def score(conn: Connection, stems: Iterable[str]) -> KeywordScores:
    """Score passages by SQLite's BM25 (k1 1.2, b 0.75) against any of `stems`, whoever may read them.

    All of them rather than the best few: the fusion wants the score of passages that were found by meaning, too.
    """
    wanted = list(dict.fromkeys(stems))[:STEMS_MAX]
    if not wanted:
        return KeywordScores(np.zeros(0, np.int64), np.zeros(0, np.float32))
    phrases = " OR ".join('"' + stem.replace('"', "") + '"' for stem in wanted)
    rows = conn.execute(
        text("SELECT rowid, bm25(passage_stems) FROM passage_stems WHERE passage_stems MATCH :phrases"),
        {"phrases": phrases},
    ).all()
    found = np.array([tuple(row) for row in rows], np.float64).reshape(-1, 2)
    return KeywordScores(found[:, 0].astype(np.int64), (-found[:, 1]).astype(np.float32))
