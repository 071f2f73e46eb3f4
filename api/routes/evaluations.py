"""Evaluations: the owner's questions with known answers, asked in the background, and how they came out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Literal, Self
from urllib.parse import quote

import anyio
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from sqlalchemy import Connection
from uuid_utils import uuid7

from api.audit_log import Witness
from api.dependencies import Parts, PartsDep, PrincipalDep, WitnessDep
from api.evaluation_runs import PAGE, REPORT, Run, RunFigure, RunStatus
from api.evaluations import Evaluations
from api.multipart import wait_for_chunks
from api.sent_pairs import pairs_of, receive
from api.wire import COLLECTION_MAX_CHARS, ErrorOut, Out
from core.errors import Forbidden, NotFound
from core.types import NOTHING, Principal, Reach
from evaluation.opinions import Rated, pairs_csv
from evaluation.report import LOWER_IS_BETTER, MEASURE_TITLES
from retrieval.store import documents, feedback, policies
from retrieval.store.audit import Action

router = APIRouter(prefix="/v1", tags=["evaluations"])

UPLOAD_PATH = "/v1/evaluations"
OPINIONS_MAX = 1000
_FIELDS = {
    "file": {"type": "string", "format": "binary", "description": "CSV, XLSX or JSONL"},
    "collection": {"type": "string", "description": "none: all that the key may read"},
}
_SCHEMA = {"type": "object", "required": ["file"], "properties": _FIELDS}
FORM = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _SCHEMA}}}}


class FigureOut(Out):
    """A measure over `count` questions with the ends of its 95 % interval; milliseconds where its name ends in `_ms`.

    `before` and `verdict` compare the questions that both this run and `compared_with` asked.
    """

    measure: str
    title: str
    value: float
    low: float
    high: float
    count: int
    better: Literal["higher", "lower"]
    before: float | None
    verdict: str | None

    @classmethod
    def of(cls, figure: RunFigure) -> Self:
        """Build from the service's own type."""
        return cls(
            measure=figure.measure,
            title=MEASURE_TITLES[figure.measure],
            value=figure.estimate.value,
            low=figure.estimate.low,
            high=figure.estimate.high,
            count=figure.estimate.count,
            better="lower" if figure.measure in LOWER_IS_BETTER else "higher",
            before=figure.before,
            verdict=figure.verdict.name.lower() if figure.verdict else None,
        )


class EvaluationOut(Out):
    """A run, `done` of `total` questions. `figures` and `failed` come in the end, or `error` says why they do not.

    `editable` says whether the caller may stop or remove it.
    """

    id: str
    name: str
    collection: str | None
    status: RunStatus
    done: int
    total: int
    eta_s: int | None
    created_at: datetime
    finished_at: datetime | None
    error: ErrorOut | None
    failed: int | None
    figures: list[FigureOut]
    compared_with: str | None
    editable: bool

    @classmethod
    def of(cls, run: Run, evaluations: Evaluations, principal: Principal) -> Self:
        """Build from the run and how far it is, for this caller."""
        progress = evaluations.progress(run)
        return cls(
            id=run.id,
            name=run.name,
            collection=run.collection,
            status=run.status,
            done=progress.done,
            total=run.total,
            eta_s=progress.eta_s,
            created_at=run.created_at,
            finished_at=run.finished_at,
            error=ErrorOut.of(run.error) if run.error else None,
            failed=run.failed,
            figures=[FigureOut.of(figure) for figure in run.figures],
            compared_with=run.compared_with,
            editable=run.is_editable_by(principal),
        )


class EvaluationsOut(Out):
    """All runs that this key may see, newest first."""

    items: list[EvaluationOut]


@router.post("/evaluations", status_code=HTTPStatus.ACCEPTED, openapi_extra=FORM)
async def start(request: Request, found: PartsDep, witness: WitnessDep) -> EvaluationOut:
    """Take a file of questions with the answers expected and ask them in the background, people's questions first."""
    _require_may_start(witness.principal)  # before the file comes, and alike for every collection
    found.evaluations.require_free()
    body = wait_for_chunks(request.stream())
    content_type = request.headers.get("content-type", "")
    sent = await found.uploads.run(partial(receive, body, content_type, max_bytes=found.settings.evaluation_max_bytes))
    reach = await anyio.to_thread.run_sync(_reach, found, witness.principal, sent.collection)
    pairs = await anyio.to_thread.run_sync(pairs_of, found, sent)
    run = Run(
        id=str(uuid7()),
        name=sent.name,
        sha256=hashlib.sha256(sent.data).hexdigest(),
        collection=sent.collection,
        scope=reach.collections,
        singles=reach.documents,
        total=len(pairs),
        created_at=datetime.now(UTC),
    )
    await found.evaluations.start(run, sent.data, pairs, witness.principal)
    witness.note(Action.EVALUATED, run.id, name=run.name)
    return EvaluationOut.of(run, found.evaluations, witness.principal)


@router.get("/evaluations")
def listing(found: PartsDep, principal: PrincipalDep) -> EvaluationsOut:
    """List the evaluations, newest first."""
    runs = found.evaluations.runs.listing(principal)
    return EvaluationsOut(items=[EvaluationOut.of(run, found.evaluations, principal) for run in runs])


@router.get("/evaluations/{evaluation_id}")
def show(evaluation_id: str, found: PartsDep, principal: PrincipalDep) -> EvaluationOut:
    """Show one: how far it is, its figures when it is done, the reason when it is not to be."""
    run = found.evaluations.runs.get(evaluation_id, principal)
    return EvaluationOut.of(run, found.evaluations, principal)


@router.get("/evaluations/{evaluation_id}/report", response_class=FileResponse)
def page(evaluation_id: str, found: PartsDep, witness: WitnessDep) -> FileResponse:
    """Give the report as one HTML page that asks nothing of any other address."""
    # The page quotes documents and answers; it needs no scripts and may run none.
    policy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return _file(found, witness, evaluation_id, PAGE, {"Content-Security-Policy": policy})


@router.get("/evaluations/{evaluation_id}/report.json", response_class=FileResponse)
def data(evaluation_id: str, found: PartsDep, witness: WitnessDep) -> FileResponse:
    """Give every question with its scores, as `znayka evaluate` writes it and compares with."""
    return _file(found, witness, evaluation_id, REPORT, {})


@router.delete("/evaluations/{evaluation_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete(evaluation_id: str, found: PartsDep, witness: WitnessDep) -> Response:
    """Stop a running evaluation, which stays in the list as stopped; remove one that is over, with its files."""
    run = await anyio.to_thread.run_sync(found.evaluations.runs.get, evaluation_id, witness.principal)
    if not run.is_editable_by(witness.principal):
        raise Forbidden("role_too_low", "Эта проверка открыта вам только для чтения. Удалить её может редактор.")
    await found.evaluations.delete(run)
    witness.note(Action.DELETED, run.id, name=run.name)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/feedback/pairs", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def rated_questions(found: PartsDep, principal: PrincipalDep) -> Response:
    """Give the rated questions as a file of pairs; where the answer was bad, the right one is to be written in."""
    with found.database.read() as conn:
        rated = []
        for opinion in feedback.listing(conn, principal, limit=OPINIONS_MAX):
            document = next(iter(_names(found, principal, opinion.document_ids)), "")
            is_good = opinion.verdict == "up"
            rated.append(Rated(opinion.question, opinion.answer, is_good, opinion.comment, document))
    name = quote("Оценённые вопросы.csv")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(pairs_csv(rated).encode(), media_type="text/csv; charset=utf-8", headers=headers)


def _names(found: Parts, principal: Principal, document_ids: Iterable[str]) -> Iterator[str]:
    with found.database.read() as conn:
        for document_id in document_ids:
            try:
                yield documents.get(conn, document_id, principal).name
            except NotFound:
                continue


def _file(found: Parts, witness: Witness, run_id: str, name: str, headers: dict[str, str]) -> FileResponse:
    run = found.evaluations.runs.get(run_id, witness.principal)
    with found.database.read() as conn:
        run.require_shown(witness.principal, is_masked=policies.is_any_masked(conn, Reach(run.scope, run.singles)))
        _require_all_there(conn, run, witness.principal)
    path = found.evaluations.runs.file(run, name)
    witness.note(Action.OPENED, run.id, name=name)
    return FileResponse(path, headers=headers)


def _require_all_there(conn: Connection, run: Run, principal: Principal) -> None:
    if run.status is not RunStatus.DONE:
        return
    if run.sources is None:
        raise NotFound(
            "report_untraced",
            "Отчёт сделан прежней версией программы и мог бы привести слова документов, которых уже нет. "
            "Показатели остались; чтобы увидеть вопросы по отдельности, запустите проверку снова.",
        )
    if not documents.are_all_there(conn, run.sources, principal):
        raise NotFound(
            "report_outdated",
            "Отчёт приводит слова документов, которых уже нет: их удалили, заменили новой редакцией или закрыли "
            "для вас. Показатели остались; чтобы увидеть вопросы по отдельности, запустите проверку снова.",
        )


def _require_may_start(principal: Principal) -> None:
    if principal.changes == NOTHING:
        raise Forbidden("role_too_low", "Запускать проверки вам нельзя. Это может редактор: попросите администратора.")


def _reach(found: Parts, principal: Principal, collection: str | None) -> Reach:
    """What the questions are asked of; raise `NotFound` or `Forbidden` where the principal may not have that done."""
    with found.database.read() as conn:
        if collection is not None and collection not in {one.name for one in documents.collections(conn, principal)}:
            raise documents.collection_not_found(collection[:COLLECTION_MAX_CHARS])
        documents.require_edits(conn, principal, collection)
        return documents.reach(conn, principal, collection)
