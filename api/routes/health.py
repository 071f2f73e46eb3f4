"""What orchestrators and monitoring ask, without a key."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from api.dependencies import PartsDep
from retrieval.store import documents, feedback

router = APIRouter(tags=["health"])


@router.get("/live")
def live() -> dict[str, str]:
    """Say that the process runs."""
    return {"status": "ok"}


@router.get("/ready")
def ready(found: PartsDep) -> JSONResponse:
    """Say whether every part can work; 503 names the parts that cannot."""
    states = found.readiness.parts()
    share = None if any(state.name == "database" and not state.is_ready for state in states) else found.reembedding()
    failing = [state for state in states if not state.is_ready]
    body = {
        "status": "failing" if failing else "ok",
        "parts": {state.name: state.detail or "ok" for state in states},
        "failing": [state.name for state in failing],
        "reembedding": asdict(share) if share else None,
    }
    status = HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK
    return JSONResponse(body, status_code=status, headers={"Retry-After": "5"} if failing else {})


@router.get("/metrics", response_class=Response)
def metrics(found: PartsDep) -> Response:
    """Give counters and durations as Prometheus text."""
    with found.database.read() as conn:
        by_status, by_verdict = documents.count_by_status(conn), feedback.count_by_verdict(conn)
    for status, number in by_status.items():
        found.metrics.documents.labels(status).set(number)
    for verdict, number in by_verdict.items():
        found.metrics.feedback.labels(verdict).set(number)
    share = found.reembedding()
    found.metrics.reembedding.labels("done").set(share.done if share else 0)
    found.metrics.reembedding.labels("total").set(share.total if share else 0)
    found.metrics.waiting.set(found.turns.waiting)
    found.metrics.running.set(found.turns.running)
    return Response(found.metrics.text(), media_type=CONTENT_TYPE_LATEST)
