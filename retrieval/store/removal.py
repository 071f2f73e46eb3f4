"""Removing documents so that nothing of them is found again: rows, stems, and a note for loaded indexes."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, delete, insert, select, text, update

from retrieval.store import grants
from retrieval.store.schema import documents, index_state, passages, removals


def remove_documents(conn: Connection, which: ColumnElement[bool], *, heir: str | None = None) -> None:
    """Delete the documents that `which` selects, in the caller's transaction.

    Those to whom one of them was open singly may read `heir`, the document that takes their place.
    """
    ids = select(documents.c.id).where(which)
    if heir is not None:
        grants.inherit(conn, heir, list(conn.execute(ids).scalars()))
    grants.forget_documents(conn, which)
    gone = select(passages.c.id).where(passages.c.document_id.in_(ids))
    if conn.execute(gone.limit(1)).first() is not None:
        revision = next_revision(conn)
        passage_ids = [{"id": id_} for id_ in conn.execute(gone).scalars()]
        conn.execute(insert(removals), [{"passage_id": row["id"], "revision": revision} for row in passage_ids])
        conn.execute(text("DELETE FROM passage_stems WHERE rowid = :id"), passage_ids)
    conn.execute(delete(documents).where(which))  # pages and passages follow by cascade


def next_revision(conn: Connection) -> int:
    """Move the base's revision on by one and return it."""
    revision: int = conn.execute(
        update(index_state).values(revision=index_state.c.revision + 1).returning(index_state.c.revision)
    ).scalar_one()
    return revision
