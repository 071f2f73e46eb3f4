"""Search without an answer: the passages alone."""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import APIRouter

from api.dependencies import PartsDep, WitnessDep
from api.questions import checked
from api.wire import InterpretationOut, PassageOut, SearchIn, SearchOut, SearchTimingsOut
from retrieval.neighbours import search_joined
from retrieval.store.audit import Action

router = APIRouter(prefix="/v1", tags=["questions"])


@router.post("/search")
async def search(wanted: SearchIn, found: PartsDep, witness: WitnessDep) -> SearchOut:
    """Find the passages nearest to a query, by meaning and by Russian keywords; neighbours come as one."""
    query = checked(wanted.query, found.settings)
    witness.note_question(Action.SEARCHED, query, wanted.collection or "", collection=wanted.collection)
    search_once = partial(
        found.searcher.search,
        query,
        principal=witness.principal,
        collection=wanted.collection,
        exact=wanted.exact,
    )
    call = partial(search_joined, search_once, found.database, top_k=wanted.top_k or found.settings.top_k)
    with found.metrics.search_s.time():
        result = await asyncio.get_running_loop().run_in_executor(found.search_pool, call)
    return SearchOut(
        passages=[PassageOut.of(passage) for passage in result.passages],
        timings=SearchTimingsOut(search_ms=result.timings.search_ms),
        interpretation=InterpretationOut.of(result.interpretation),
    )
