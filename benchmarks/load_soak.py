"""Mixed use for a long time: does the memory grow, do descriptors leak."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from itertools import count, cycle
from random import Random

import httpx

from benchmarks.footprint import Sample, Slope, slope
from benchmarks.plain_http import Reply, Request, send
from benchmarks.tenants import COMMON, OWN_QUESTION, QUERIES, QUESTIONS, Tenant, Tenants

WARM_UP_SHARE = 0.3
MIB = 2**20
SEARCH_EVERY_S, ASK_EVERY_S, UPLOAD_EVERY_S, LEAVE_EVERY_S = 0.5, 2.0, 5.0, 7.0
KEPT_DOCUMENTS = 8  # of each department, replaced in turn
WORDS = ("отпуск", "приказ", "срок", "договор", "пропуск", "премия", "смена", "график", "отчёт", "заявка")


@dataclass(frozen=True, slots=True)
class Growth:
    """One process after the warm-up: its own memory (MiB) and its descriptors, and the peaks of both."""

    memory: Slope
    descriptors: Slope
    peak_resident_bytes: int
    peak_descriptors: int


@dataclass(slots=True)
class _Use:
    """The state of a run: what was done so often, and the documents of each department."""

    port: int
    tenants: Tenants
    rng: Random = field(default_factory=lambda: Random(1))
    done: Counter[str] = field(default_factory=Counter)
    foreign: int = 0
    documents: dict[str, list[str]] = field(default_factory=dict)
    numbers: count[int] = field(default_factory=lambda: count(1))

    def note(self, what: str, tenant: Tenant, reply: Reply) -> None:
        self.done[f"{what} {reply.status or 'broken'}"] += 1
        self.foreign += bool(self.tenants.foreign(reply.text, tenant))


async def soak(port: int, tenants: Tenants, *, seconds: float) -> tuple[dict[str, int], int]:
    """Search, ask, upload, replace, delete and walk away from streams for that long; say how often each, and `foreign`.

    Nobody hurries: each kind of use waits for its own last one, as people do.
    """
    use = _Use(port, tenants)
    ends_s = time.monotonic() + seconds
    uses = ((_search, SEARCH_EVERY_S), (_ask, ASK_EVERY_S), (_change, UPLOAD_EVERY_S), (_leave, LEAVE_EVERY_S))
    await asyncio.gather(*(_repeat(use, act, every_s, ends_s) for act, every_s in uses))
    return dict(sorted(use.done.items())), use.foreign


def growth(samples: Mapping[str, Sequence[Sample]], *, warm_up_s: float) -> dict[str, Growth]:
    """Fit memory and descriptors of each process over time, its first `warm_up_s` left out."""
    return {name: _growth(each, warm_up_s) for name, each in samples.items()}


def _growth(samples: Sequence[Sample], warm_up_s: float) -> Growth:
    warm = [one for one in samples if one.at_s >= samples[0].at_s + warm_up_s]
    times_s = [one.at_s for one in warm]
    return Growth(
        memory=slope(times_s, [one.own_bytes / MIB for one in warm]),
        descriptors=slope(times_s, [one.descriptors for one in warm]),
        peak_resident_bytes=max(one.resident_bytes for one in samples),
        peak_descriptors=max(one.descriptors for one in samples),
    )


async def _repeat(use: _Use, act: Callable[[_Use, Tenant], Awaitable[None]], every_s: float, ends_s: float) -> None:
    for tenant in cycle(use.tenants.each):
        next_s = time.monotonic() + every_s
        await act(use, tenant)
        await asyncio.sleep(max(0.0, min(next_s, ends_s) - time.monotonic()))
        if time.monotonic() >= ends_s:
            return


async def _search(use: _Use, tenant: Tenant) -> None:
    query = f"{use.rng.choice(QUERIES)} {use.rng.choice(WORDS)}"
    collection = use.rng.choice((COMMON, tenant.name, None))
    sent = Request.of("/v1/search", tenant.key, query=query, collection=collection)
    use.note("search", tenant, await send(use.port, sent))


async def _ask(use: _Use, tenant: Tenant) -> None:
    question = use.rng.choice(QUESTIONS)
    body = {"question": question, "collection": tenant.name, "stream": use.rng.random() < 0.5}
    use.note("ask", tenant, await send(use.port, Request.of("/v1/ask", tenant.key, **body)))


async def _leave(use: _Use, tenant: Tenant) -> None:
    """Close the stream once the sources are there, in the midst of the model's work."""
    sent = Request.of("/v1/ask", tenant.key, question=OWN_QUESTION, collection=tenant.name, stream=True)
    use.note("left", tenant, await send(use.port, replace(sent, is_left_after="sources")))


async def _change(use: _Use, tenant: Tenant) -> None:
    """Upload a document, replace one, or, once there are enough, delete the oldest."""
    own = use.documents.setdefault(tenant.name, [])
    if len(own) >= KEPT_DOCUMENTS:
        gone = await send(use.port, Request("DELETE", f"/v1/documents/{own.pop(0)}", tenant.key))
        # A replaced document is gone already.
        use.note("delete", tenant, gone)
        return
    number = next(use.numbers)
    words = " ".join(use.rng.choices(WORDS, k=300))
    note = tenant.note(f"Редакция {number}. {words}")
    name = f"записка {number % KEPT_DOCUMENTS}.txt"
    replaces = "true" if use.rng.random() < 0.5 else "false"
    form = {"collection": tenant.name, "replace": replaces}
    made = httpx.Request("POST", "http://127.0.0.1", files={"file": (name, note)}, data=form)
    sent = Request("POST", "/v1/documents", tenant.key, made.read(), made.headers["content-type"])
    reply = await send(use.port, sent)
    use.note("replace" if replaces == "true" else "upload", tenant, reply)
    if reply.status == HTTPStatus.ACCEPTED:
        own.append(json.loads(reply.body)[0]["id"])
