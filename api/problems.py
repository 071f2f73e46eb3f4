"""Errors as RFC 9457 problems, with the one table from our errors to HTTP status codes."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from api.confined import HEADERS
from core.errors import (
    Forbidden,
    InvalidRequest,
    Misconfigured,
    NotFound,
    ServiceError,
    StorageFull,
    TooLarge,
    TooManyRequests,
    TooSlow,
    TryLater,
    Unauthorized,
    UnreadableDocument,
    UnsupportedType,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
OPENAI_PATH = "/v1/chat/completions"

# The first class that fits decides, so children stand before their parents.
STATUS: tuple[tuple[type[ServiceError], HTTPStatus], ...] = (
    (InvalidRequest, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Unauthorized, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (TooSlow, HTTPStatus.REQUEST_TIMEOUT),
    (UnsupportedType, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (UnreadableDocument, HTTPStatus.UNPROCESSABLE_ENTITY),
    (StorageFull, HTTPStatus.INSUFFICIENT_STORAGE),
    (TooManyRequests, HTTPStatus.TOO_MANY_REQUESTS),
    (TryLater, HTTPStatus.SERVICE_UNAVAILABLE),
    (Misconfigured, HTTPStatus.SERVICE_UNAVAILABLE),
    (ServiceError, HTTPStatus.INTERNAL_SERVER_ERROR),
)
MISCONFIGURED_RETRY_AFTER_S = 60


class ProblemOut(BaseModel):
    """A problem on the wire. `detail` is a Russian sentence for a person, `code` a stable word for a program."""

    type: str
    title: str
    status: int
    detail: str
    code: str


def problem_of(error: ServiceError) -> ProblemOut:
    """Return what the caller is told of an error."""
    status = next(status for kind, status in STATUS if isinstance(error, kind))
    return _problem(status, error.code, error.detail)


def problem_response(error: ServiceError, *, path: str) -> JSONResponse:
    """Return the problem as a response; for the OpenAI protocol with an `error` object that its clients read."""
    headers = {}
    if isinstance(error, TryLater):
        headers["Retry-After"] = str(error.retry_after_s)
    elif isinstance(error, Misconfigured):
        headers["Retry-After"] = str(MISCONFIGURED_RETRY_AFTER_S)
    elif isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, TooSlow):
        headers["Connection"] = "close"  # what is still to come of the request is not waited for
    return _response(problem_of(error), path, headers)


def install(app: FastAPI) -> None:
    """Make every error that leaves a handler a problem."""

    @app.exception_handler(ServiceError)
    def _on_service_error(request: Request, exc: ServiceError) -> JSONResponse:
        if problem_of(exc).status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("%s %s: %s", request.method, request.url.path, exc.code)
        return problem_response(exc, path=request.url.path)

    @app.exception_handler(RequestValidationError)
    def _on_bad_request(request: Request, exc: RequestValidationError) -> JSONResponse:
        return _response(_bad_fields(exc), request.url.path, {})

    @app.exception_handler(HTTPException)
    def _on_http_error(request: Request, exc: HTTPException) -> JSONResponse:
        status = HTTPStatus(exc.status_code)
        detail = _HTTP_DETAILS.get(status, "Запрос не выполнен. Сверьтесь с описанием: /openapi.json.")
        problem = _problem(status, status.name.lower(), detail)
        return _response(problem, request.url.path, dict(exc.headers or {}))

    @app.exception_handler(Exception)
    def _on_bug(request: Request, exc: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=exc)
        detail = "Внутренняя ошибка сервиса. Повторите запрос; если не поможет, сообщите администратору."
        problem = _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail)
        # Starlette makes this answer outside of every middleware.
        return _response(problem, request.url.path, dict(HEADERS))


_HTTP_DETAILS = {
    HTTPStatus.NOT_FOUND: "Такого адреса нет. Список адресов: /openapi.json.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Этот адрес не принимает такой метод. Список адресов и методов: /openapi.json.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Запрос слишком большой. Сократите его.",
}


def _bad_fields(exc: RequestValidationError) -> ProblemOut:
    fields = sorted({".".join(str(part) for part in error["loc"][1:]) or "тело запроса" for error in exc.errors()})
    reasons = "; ".join(f"{'.'.join(str(p) for p in e['loc'][1:]) or 'тело запроса'}: {e['msg']}" for e in exc.errors())
    detail = f"Проверьте поля запроса: {', '.join(fields)}. Подробности: {reasons}."
    return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_field", detail)


def _problem(status: HTTPStatus, code: str, detail: str) -> ProblemOut:
    return ProblemOut(
        type=f"urn:znayka:problem:{code}", title=status.phrase, status=status.value, detail=detail, code=code
    )


def _response(problem: ProblemOut, path: str, headers: dict[str, str]) -> JSONResponse:
    body = problem.model_dump()
    if path == OPENAI_PATH:
        kind = "server_error" if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        body["error"] = {"message": problem.detail, "type": kind, "code": problem.code, "param": None}
    return JSONResponse(body, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)
