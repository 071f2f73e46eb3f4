"""What people thought of answers. Kept only because they pressed a button to say so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, insert, select
from uuid_utils import uuid7

from core.types import Principal
from retrieval import personal_data
from retrieval.store import policies
from retrieval.store.schema import feedback

Verdict = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Opinion:
    """A verdict on one answer, and the documents it cited."""

    verdict: Verdict
    question: str
    answer: str
    comment: str
    document_ids: tuple[str, ...]


def add(conn: Connection, opinion: Opinion, principal: Principal, *, now: float) -> None:
    """Keep an opinion."""
    conn.execute(
        insert(feedback).values(
            id=str(uuid7()),
            principal=principal.name,
            verdict=opinion.verdict,
            question=opinion.question,
            answer=opinion.answer,
            comment=opinion.comment,
            document_ids=json.dumps(opinion.document_ids),
            created_at=now,
        )
    )


def listing(conn: Connection, principal: Principal, *, limit: int) -> tuple[Opinion, ...]:
    """The latest opinions first: everybody's for one who may change everything, their own for the others."""
    wanted = select(feedback).order_by(feedback.c.id.desc()).limit(limit)
    if principal.collections is not None or principal.edits is not None:
        wanted = wanted.where(feedback.c.principal == principal.name)
    # A document may be gone, and an answer may be older than the policy: one masked collection hides in all of them.
    shown = personal_data.masked if policies.masked(conn) else str
    return tuple(
        Opinion(
            row.verdict,
            shown(row.question),
            shown(row.answer),
            shown(row.comment),
            tuple(json.loads(row.document_ids)),
        )
        for row in conn.execute(wanted)
    )


def count_by_verdict(conn: Connection) -> dict[str, int]:
    """Return how many answers were praised and blamed."""
    rows = conn.execute(select(feedback.c.verdict, func.count()).group_by(feedback.c.verdict))
    return {row[0]: row[1] for row in rows}
