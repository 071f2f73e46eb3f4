"""Runs evaluations in the background, one at a time, each question behind those of people."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from api.evaluation_runs import Run, RunFigure, RunStatus, RunStore
from api.turns import TurnQueue
from core.errors import ServiceError, TryLater
from core.types import Answer, Principal, Problem
from evaluation.asking import Examiner, stored_pages
from evaluation.comparison import Comparison, compare
from evaluation.examination import examine_pairs
from evaluation.pairs import Pair
from evaluation.report import Figure, Origin, Report
from generation.chain import Answerer, Search
from generation.request import AnswerRequest
from retrieval.store.database import Database

log = logging.getLogger(__name__)

BUSY_S = 60
BUG = Problem("internal_error", "Проверка прервалась из-за внутренней ошибки сервиса. Сообщите администратору.")
STOPPED = Problem("stopped", "Проверку остановили. Ответы, полученные до этого, не сохранены.")


@dataclass(frozen=True, slots=True)
class Asking:
    """What the questions of a run are asked with: the parts that answer people, behind people's questions."""

    answerer: Answerer
    search: Search
    database: Database
    turns: TurnQueue
    top_k: int

    def examiner(self, principal: Principal, collection: str | None, sources: set[str]) -> Examiner:
        """Ask with the rights of the principal; ids of documents that answers were made from are put into `sources`."""

        async def ask(request: AnswerRequest) -> Answer:
            answer = await self._in_turn(request)
            sources.update(_sources(answer))
            return answer

        pages = stored_pages(self.database, principal)
        return Examiner(ask, self.search, pages, principal, collection, self.top_k)

    async def _in_turn(self, request: AnswerRequest) -> Answer:
        async with self.turns.wait_aside(request.principal.name) as turn:
            await turn.come()
            return await self.answerer.answer(request)


def _sources(answer: Answer) -> set[str]:
    cited = (*answer.citations, *(conflict.citation for conflict in answer.conflicts))
    return {passage.document_id for passage in answer.passages} | {citation.document_id for citation in cited}


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How many questions are asked, and the seconds left when that can be told."""

    done: int
    eta_s: int | None


@dataclass(slots=True)
class _Current:
    run: Run
    started_s: float
    done: int = 0
    is_finishing: bool = False
    is_unwanted: bool = False
    task: asyncio.Task[None] | None = None


class Evaluations:
    """The runs of one process. Lives in one event loop; `runs` may be read from any thread."""

    def __init__(
        self, runs: RunStore, asking: Asking, origin: Callable[[], Origin], clock: Callable[[], float]
    ) -> None:
        """`origin` describes what is measured on; `clock` counts seconds. Runs left by a dead process are closed."""
        self.runs = runs
        self._asking = asking
        self._origin = origin
        self._clock = clock
        self._current: _Current | None = None
        self._is_closed = False
        runs.recover(_now())

    def require_free(self) -> None:
        """Raise `TryLater` while questions are asked; a run that writes its report is waited for by the next."""
        if self._current is not None and not self._current.is_finishing:
            left_s = self.progress(self._current.run).eta_s
            raise TryLater(
                "evaluation_running",
                "Уже идёт другая проверка. Дождитесь её конца или остановите её.",
                retry_after_s=left_s or BUSY_S,
            )

    async def start(self, run: Run, file: bytes, pairs: Sequence[Pair], asker: Principal) -> None:
        """Keep the run with its file and begin to ask; raise `TryLater` while another one is on."""
        if self._current is not None and self._current.is_finishing and self._current.task is not None:
            await asyncio.wait({self._current.task})
        self.require_free()
        current = self._current = _Current(run, self._clock())
        try:
            await asyncio.to_thread(self.runs.add, run, file)
        except BaseException:
            self._vacate(current)
            raise
        if current.is_unwanted:
            self._vacate(current)
            await asyncio.to_thread(self._close, run, RunStatus.STOPPED, STOPPED)
        elif not self._is_closed:
            current.task = asyncio.create_task(self._run(current, pairs, asker))

    def progress(self, run: Run) -> RunProgress:
        """How far a run is."""
        current = self._current
        if current is None or current.run.id != run.id:
            return RunProgress(run.total if run.status is RunStatus.DONE else 0, None)
        if not current.done:
            return RunProgress(0, None)
        each_s = (self._clock() - current.started_s) / current.done
        return RunProgress(current.done, math.ceil(each_s * (run.total - current.done)))

    async def delete(self, run: Run) -> None:
        """Stop a run that is on, which stays in the list as stopped; remove one that is over."""
        current = self._current
        if current is None or current.run.id != run.id:
            await asyncio.to_thread(self.runs.remove, run)
            return
        current.is_unwanted = True  # heeded by a run that is kept already and has not begun to ask
        if await self._end(current):
            await asyncio.to_thread(self._close, run, RunStatus.STOPPED, STOPPED)

    async def aclose(self) -> None:
        """End the run that is on and begin no other; the next start of the service says that it was interrupted."""
        self._is_closed = True
        while self._current is not None and self._current.task is not None:
            await self._end(self._current)

    async def _end(self, current: _Current) -> bool:
        """Cancel the run unless its report is being written, which is waited for; say whether it was cancelled."""
        if current.task is None:
            return False
        is_cancelled = not current.is_finishing
        if is_cancelled:
            current.task.cancel()
        await asyncio.wait({current.task})
        self._vacate(current)
        return is_cancelled

    def _vacate(self, current: _Current) -> None:
        # Who waited for this run to end may have been woken late, when the next one is on.
        if self._current is current:
            self._current = None

    async def _run(self, current: _Current, pairs: Sequence[Pair], asker: Principal) -> None:
        run = current.run
        sources: set[str] = set()

        def on_asked(done: int, _total: int) -> None:
            current.done = done

        try:
            origin = await asyncio.to_thread(self._origin)
            examiner = self._asking.examiner(asker, run.collection, sources)
            report = await examine_pairs(pairs, examiner, origin, on_asked)
            current.is_finishing = True
            await asyncio.to_thread(self._finish, replace(run, sources=frozenset(sources)), report)
        except ServiceError as exc:
            await asyncio.to_thread(self._close, run, RunStatus.FAILED, Problem(exc.code, exc.detail))
        except Exception:
            log.exception("evaluation %s broke off", run.id)
            await asyncio.to_thread(self._close, run, RunStatus.FAILED, BUG)
        finally:
            self._vacate(current)

    def _finish(self, run: Run, report: Report) -> None:
        # Drawing loads matplotlib, which a service that evaluates nothing should not carry.
        from evaluation.page import render_page

        before = self.runs.before(run)
        comparison = compare(_by_question(before[1]), _by_question(report)) if before else None
        done = replace(
            run,
            status=RunStatus.DONE,
            finished_at=_now(),
            failed=len(report.failed),
            figures=tuple(_figure(each, comparison) for each in report.figures),
            compared_with=before[0].id if before else None,
        )
        self.runs.finish(done, report, render_page(report, comparison))

    def _close(self, run: Run, status: RunStatus, error: Problem) -> None:
        self.runs.save(replace(run, status=status, finished_at=_now(), error=error))


def _by_question(report: Report) -> Report:
    """Questions named by their text and what was expected: rows move when somebody edits the file."""
    named = (replace(one, id=f"{one.question}\n{one.expected}") for one in report.questions)
    return replace(report, questions=tuple(named))


def _figure(figure: Figure, comparison: Comparison | None) -> RunFigure:
    change = comparison.of(figure) if comparison else None
    if change is None:
        return RunFigure(figure.measure, figure.estimate)
    return RunFigure(figure.measure, figure.estimate, change.before, change.verdict)


def _now() -> datetime:
    return datetime.now(UTC)
