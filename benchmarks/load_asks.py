"""A thousand questions within seconds, and questions beside searches: who is answered, who is refused, how soon."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, cycle

import numpy as np

from benchmarks.plain_http import Event, Reply, Request, send
from benchmarks.tenants import COMMON, OWN_QUESTION, QUERIES, QUESTIONS, Tenant, Tenants

RETRY_S = 1.0  # where a refusal names no time, which is counted as a fault
REFUSALS = (429, 503)
ETA_SHOWN = 3  # positions in the queue whose promise is compared with what came


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds; all 0 when there were none."""

    count: int
    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        """Summarise."""
        if not seconds:
            return cls(0, 0.0, 0.0, 0.0, 0.0)
        ms = np.asarray(seconds) * 1000
        p50, p95, p99 = (round(float(value), 1) for value in np.percentile(ms, [50, 95, 99]))
        return cls(len(seconds), p50, p95, p99, round(float(ms.max()), 1))


@dataclass(slots=True)
class Heard:
    """One question on its way: what its stream said, and when."""

    tenant: Tenant
    number: int
    events: list[Event] = field(default_factory=list)
    reply: Reply = field(default_factory=Reply)

    @property
    def outcome(self) -> str:
        """`answered`, or the status it was refused with, or what broke."""
        if self.reply.status != 200:
            return str(self.reply.status or "broken")
        if not self.events:
            return "answered"
        return "answered" if self.events[-1].name == "done" else self.events[-1].name

    @property
    def is_misplaced(self) -> bool:
        """Whether the answer is not to this question: its number is missing from what was searched for."""
        if self.outcome != "answered":
            return False
        answer = self.events[-1].data if self.events else json.loads(self.reply.body)
        return str(self.number) not in (answer["interpretation"] or {"searched": ""})["searched"]

    def promises(self) -> list[tuple[int, float, float]]:
        """Each place that was told: position, expected wait, and the real one, to the first word; in seconds."""
        spoke = [event.at_s for event in self.events if event.name in ("token", "done")]
        queued = [event for event in self.events if event.name == "queued"]
        return [(event.data["position"], event.data["eta_s"], spoke[0] - event.at_s) for event in queued if spoke]


@dataclass(frozen=True, slots=True)
class Asks:
    """How questions came out. `foreign` and `misplaced` must be 0, `own` must not: it shows that words are told."""

    outcomes: dict[str, int]
    refusals: Spread
    answers: Spread
    without_retry_after: int
    own: int
    foreign: int
    misplaced: int

    @classmethod
    def of(cls, heard: Sequence[Heard], tenants: Tenants) -> Asks:
        """Count."""
        refused = [one.reply for one in heard if one.reply.status in REFUSALS]
        texts = [(one.tenant, one.reply.text.casefold()) for one in heard if one.reply.status == 200]
        return cls(
            outcomes=dict(Counter(one.outcome for one in heard)),
            refusals=Spread.of([reply.spent_s for reply in refused]),
            answers=Spread.of([one.reply.spent_s for one in heard if one.outcome == "answered"]),
            without_retry_after=sum(not reply.headers.get("retry-after", "").isdecimal() for reply in refused),
            own=sum(tenant.canary in text for tenant, text in texts),
            foreign=sum(bool(tenants.foreign(text, tenant)) for tenant, text in texts),
            misplaced=sum(one.is_misplaced for one in heard),
        )


@dataclass(frozen=True, slots=True)
class Promises:
    """Expected and real waits in the queue, seconds, by position."""

    position: int
    count: int
    expected_mean_s: float
    real_mean_s: float
    off_by_p50_s: float


@dataclass(frozen=True, slots=True)
class Mixed:
    """Searches beside questions."""

    searches: Spread
    failed_searches: int
    asks: Asks
    promises: tuple[Promises, ...]


async def burst(port: int, tenants: Tenants, *, asks: int, within_s: float) -> Asks:
    """Send that many questions, evenly, whether or not those before are answered; wait for every end."""
    numbers = count(100_000)
    heard = [Heard(tenant, next(numbers)) for tenant, _ in zip(cycle(tenants.each), range(asks), strict=False)]
    sending = []
    began_s = time.monotonic()
    for at, one in enumerate(heard):
        await asyncio.sleep(max(0.0, began_s + at * within_s / asks - time.monotonic()))
        sending.append(asyncio.create_task(ask(port, one, is_stream=at % 2 == 0)))
    await asyncio.gather(*sending)
    return Asks.of(heard, tenants)


async def mixed(port: int, tenants: Tenants, *, askers: int, searches_per_s: float, seconds: float) -> Mixed:
    """Keep that many questions under way for `seconds` while searches come evenly."""
    ends_s = time.monotonic() + seconds
    numbers = count(100_000)
    asking = [
        asyncio.create_task(_ask_on(port, tenant, numbers, ends_s))
        for tenant, _ in zip(cycle(tenants.each), range(askers), strict=False)
    ]
    searched = await search_evenly(port, tenants, per_s=searches_per_s, ends_s=ends_s)
    heard = [one for each in await asyncio.gather(*asking) for one in each]
    good = [reply.spent_s for reply in searched if reply.status == 200]
    return Mixed(Spread.of(good), len(searched) - len(good), Asks.of(heard, tenants), _promises(heard))


async def search_evenly(port: int, tenants: Tenants, *, per_s: float, ends_s: float) -> list[Reply]:
    """Search until `ends_s`, whether or not the searches before have ended."""
    sending = []
    began_s = time.monotonic()
    for at, (tenant, query) in enumerate(zip(cycle(tenants.each), cycle(_queries(tenants)), strict=False)):
        if (wait_s := began_s + at / per_s - time.monotonic()) > 0:
            await asyncio.sleep(wait_s)
        if time.monotonic() >= ends_s:
            break
        request = Request.of("/v1/search", tenant.key, query=f"{query} {at}", collection=COMMON)
        sending.append(asyncio.create_task(send(port, request)))
    return list(await asyncio.gather(*sending))


def _queries(tenants: Tenants) -> list[str]:
    """One more than a multiple of the tenants, so that everybody searches for everything."""
    wanted = list(QUERIES)
    return wanted if len(wanted) % len(tenants.each) else [*wanted, QUERIES[0]]


async def ask(port: int, one: Heard, *, is_stream: bool) -> None:
    """Ask one question, with its number in it."""
    question = QUESTIONS[one.number % len(QUESTIONS)] if one.number % 2 else OWN_QUESTION
    body = {"question": f"Обращение {one.number}. {question}", "collection": one.tenant.name, "stream": is_stream}
    one.reply = await send(port, Request.of("/v1/ask", one.tenant.key, **body), one.events.append)


async def _ask_on(port: int, tenant: Tenant, numbers: count[int], ends_s: float) -> list[Heard]:
    """One person: asks, reads, asks again; refused, comes back when told to."""
    asked: list[Heard] = []
    while time.monotonic() < ends_s:
        asked.append(Heard(tenant, next(numbers)))
        await ask(port, asked[-1], is_stream=True)
        if asked[-1].reply.status in REFUSALS:
            wait_s = float(asked[-1].reply.headers.get("retry-after", RETRY_S))
            await asyncio.sleep(min(wait_s, max(0.0, ends_s - time.monotonic())))
    return asked


def _promises(heard: Sequence[Heard]) -> tuple[Promises, ...]:
    told = [promise for one in heard for promise in one.promises()]
    positions = sorted({position for position, _, _ in told})
    shown = {positions[0], positions[len(positions) // 2], positions[-1]} if len(positions) >= ETA_SHOWN else positions
    return tuple(_promise(position, told) for position in sorted(shown))


def _promise(position: int, told: Sequence[tuple[int, float, float]]) -> Promises:
    expected, real = (np.array([one[at] for one in told if one[0] == position], float) for at in (1, 2))
    means = round(float(expected.mean()), 1), round(float(real.mean()), 1)
    return Promises(position, len(real), *means, round(float(np.median(np.abs(expected - real))), 1))
