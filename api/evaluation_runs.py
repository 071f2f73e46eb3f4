"""Evaluations as they are kept: a folder each with the pairs, the state of the run, and its report once it is done."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from core.errors import Forbidden, InvalidRequest, NotFound, StorageFull
from core.types import Principal, Problem, Reach
from evaluation.intervals import Estimate, Verdict
from evaluation.report import Measure, Report, load, save

log = logging.getLogger(__name__)

REPORT, PAGE = "report.json", "report.html"
_STATE = "run.json"
_ASIDE = "."  # names that begin so are unfinished and are swept at the next start
INTERRUPTED = Problem("interrupted", "Сервис был остановлен во время проверки. Запустите её снова.")


class RunStatus(StrEnum):
    """A run is running until it comes to one of four ends."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class RunFigure:
    """A figure of a run; `before` and `verdict` are None where there is no earlier run to compare with."""

    measure: Measure
    estimate: Estimate
    before: float | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One evaluation. `scope` are the collections that it may have read, None being all, `singles` documents besides.

    `name` and `sha256` are those of the file of pairs; `failed` counts the questions that are not all right;
    `sources` are the documents that its report may quote, None where an earlier release took no note of them.
    """

    id: str
    name: str
    sha256: str
    collection: str | None
    scope: frozenset[str] | None
    total: int
    created_at: datetime
    status: RunStatus = RunStatus.RUNNING
    finished_at: datetime | None = None
    error: Problem | None = None
    failed: int | None = None
    figures: tuple[RunFigure, ...] = ()
    compared_with: str | None = None
    singles: frozenset[str] = frozenset()
    sources: frozenset[str] | None = None

    def is_open_to(self, principal: Principal) -> bool:
        """Whether the principal may read all that the report may quote."""
        return self._is_within(principal.reads)

    def is_editable_by(self, principal: Principal) -> bool:
        """Whether the principal may stop or remove it."""
        return self._is_within(principal.changes)

    def require_shown(self, principal: Principal, *, is_masked: bool) -> None:
        """Raise `Forbidden` where the principal may not read its report.

        That holds what its author expected, and may be older than the policy that masks: editors alone read it then.
        """
        if is_masked and not self.is_editable_by(principal):
            raise Forbidden(
                "personal_data_masked",
                "В этой коллекции персональные данные скрываются, поэтому отчёт проверки открывает только её редактор.",
            )

    def _is_within(self, reach: Reach) -> bool:
        if reach.collections is None:
            return True
        return self.scope is not None and self.scope <= reach.collections and self.singles <= reach.documents


class RunStore:
    """Runs under one folder, each file written aside, fsynced and renamed. One process writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, run: Run, pairs: bytes) -> None:
        """Keep a new run with its file of pairs; raise `StorageFull` when there is no room."""
        with _full_mapped(), self.aside() as folder:
            _write(folder / f"pairs{Path(run.name).suffix.lower()}", pairs)
            _write(folder / _STATE, _STATES.dump_json(run))
            folder.rename(self._folder / run.id)
            _sync(self._folder)

    @contextmanager
    def aside(self) -> Iterator[Path]:
        """A folder for what is not a run yet; what is still there in the end is removed."""
        folder = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=self._folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def save(self, run: Run) -> None:
        """Keep the state of a run that is there."""
        with _full_mapped():
            _write(self._folder / run.id / _STATE, _STATES.dump_json(run))

    def finish(self, run: Run, report: Report, page: str) -> None:
        """Keep a run with its report; the state comes last, so that a run is done only when all is there."""
        folder = self._folder / run.id
        with _full_mapped():
            aside = folder / f"{_ASIDE}{REPORT}"
            save(report, aside)
            _settle(aside, folder / REPORT)
            _write(folder / PAGE, page.encode())
        self.save(run)

    def get(self, run_id: str, principal: Principal) -> Run:
        """A run; raise `NotFound` for one that is unknown, or reads more than the principal may."""
        try:
            run = self._load(str(UUID(run_id)))
        except ValueError:
            run = None
        if run is None or not run.is_open_to(principal):
            raise NotFound("evaluation_not_found", "Проверка не найдена: она удалена или такой не было.")
        return run

    def listing(self, principal: Principal) -> tuple[Run, ...]:
        """All runs that the principal may see, newest first."""
        return tuple(run for run in self._all() if run.is_open_to(principal))

    def file(self, run: Run, name: str) -> Path:
        """Where a file of a finished run lies; raise `NotFound` before it is there."""
        path = self._folder / run.id / name
        if run.status is not RunStatus.DONE or not path.exists():
            raise NotFound("no_report", "Отчёта нет: проверка не дошла до конца.")
        return path

    def before(self, run: Run) -> tuple[Run, Report] | None:
        """The last finished run of the same file (by its bytes, else by its name) over the same collection."""
        older = [
            one
            for one in self._all()
            if one.status is RunStatus.DONE
            and one.created_at < run.created_at
            and (one.collection, one.scope, one.singles) == (run.collection, run.scope, run.singles)
            and (one.sha256 == run.sha256 or one.name == run.name)
        ]
        for one in sorted(older, key=lambda each: each.sha256 != run.sha256):
            try:
                return one, load(self.file(one, REPORT))
            except (InvalidRequest, NotFound):
                log.warning("the report of evaluation %s cannot be compared with", one.id)
        return None

    def remove(self, run: Run) -> None:
        """Remove a run with all its files."""
        gone = self._folder / f"{_ASIDE}{run.id}"
        (self._folder / run.id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def recover(self, now: datetime) -> None:
        """Mark what the last process left running as interrupted and sweep what it left half written."""
        for leftover in self._folder.glob(f"{_ASIDE}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for run in self._all():
            if run.status is RunStatus.RUNNING:
                self.save(replace(run, status=RunStatus.INTERRUPTED, finished_at=now, error=INTERRUPTED))

    def _all(self) -> list[Run]:
        # Ids are UUIDv7, which sort by time.
        names = sorted((path.parent.name for path in self._folder.glob(f"*/{_STATE}")), reverse=True)
        return [run for name in names if not name.startswith(_ASIDE) and (run := self._load(name)) is not None]

    def _load(self, run_id: str) -> Run | None:
        try:
            return _STATES.validate_json((self._folder / run_id / _STATE).read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            log.warning("the state of evaluation %s cannot be read", run_id)
            return None


_STATES = TypeAdapter(Run)


def _write(path: Path, data: bytes) -> None:
    aside = path.with_name(f"{_ASIDE}{path.name}")
    aside.write_bytes(data)
    _settle(aside, path)


def _settle(aside: Path, path: Path) -> None:
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    aside.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _full_mapped() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                "disk_full", "На диске не хватает места для проверки. Освободите место и запустите её снова."
            ) from exc
        raise
