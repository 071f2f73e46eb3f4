"""What happened, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from api.access_wire import AuditOut, EntryOut
from api.dependencies import AdministratorDep, PartsDep
from retrieval.store import audit
from retrieval.store.audit import Action, Span

router = APIRouter(prefix="/v1", tags=["access"])


@router.get("/audit")
def entries(
    found: PartsDep,
    witness: AdministratorDep,
    *,
    cursor: Annotated[int, Query(ge=0, description="the `next_cursor` of the call before")] = 0,
    since: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AuditOut:
    """List who asked, opened, changed and decided over rights, oldest first; reading this is written down too."""
    found.audit.flush()
    span = Span(after=cursor, since=since.timestamp() if since else None)
    with found.database.read() as conn:
        read = audit.listing(conn, span, limit=limit + 1)
    if cursor == 0:
        witness.note(Action.AUDIT_READ)
    items = [EntryOut.of(entry) for entry in read[:limit]]
    return AuditOut(items=items, next_cursor=items[-1].id if len(read) > limit else None)
