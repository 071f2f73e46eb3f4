"""What handlers are given: the service's parts, and who is asking."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.audit_log import AuditLog, Witness
from api.door import Door, Shown
from api.evaluations import Evaluations
from api.metrics import Metrics
from api.readiness import Readiness
from api.turns import TurnQueue
from api.uploads import UploadDesk
from core.errors import Forbidden, Unauthorized
from core.settings import LOOPBACK, Settings
from core.types import Principal
from generation.chain import Answerer
from generation.extraction import Extractor
from generation.language_model import LanguageModel
from ingest.files import FileStore
from ingest.reembed import Share
from ingest.sandbox import Sandbox
from retrieval.searcher import Searcher
from retrieval.store.audit import Action
from retrieval.store.database import Database


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything the API is made of; built once by the entry point."""

    settings: Settings
    database: Database
    files: FileStore
    searcher: Searcher
    search_pool: Executor
    answer_pool: Executor
    uploads: UploadDesk
    answerer: Answerer
    extractor: Extractor
    language_model: LanguageModel
    sandbox: Sandbox
    turns: TurnQueue
    evaluations: Evaluations
    metrics: Metrics
    readiness: Readiness
    door: Door
    audit: AuditLog
    reembedding: Callable[[], Share | None] = lambda: None
    wall_clock: Callable[[], float] = time.time


def parts(request: Request) -> Parts:
    """Return the parts that the application was built with."""
    built: Parts = request.app.state.parts
    return built


PartsDep = Annotated[Parts, Depends(parts)]
_bearer = HTTPBearer(auto_error=False, description="Ключ (znayka keys create) или токен сервера входа")


def principal(
    request: Request, found: PartsDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """Return who asks; raise `Unauthorized` when nobody vouches for them."""
    shown = Shown(
        credentials.credentials if credentials else None,
        _header(request, found.settings.trusted_proxy_user_header),
        _header(request, found.settings.trusted_proxy_groups_header),
        _address(request),
        is_from_elsewhere=_is_from_elsewhere(request),
    )
    try:
        return found.door.admit(shown)
    except Unauthorized as exc:
        found.audit.note_refusal("; ".join(getattr(exc, "__notes__", [])), shown.address)
        raise


PrincipalDep = Annotated[Principal, Depends(principal)]


async def witness(request: Request, found: PartsDep, known: PrincipalDep) -> AsyncIterator[Witness]:
    """Return who tells the audit log what this caller does; what is forbidden to them is told too."""
    told = Witness(known, _address(request), found.audit)
    try:
        yield told
    except Forbidden:
        told.note(Action.FORBIDDEN, f"{request.method} {request.url.path}")
        raise


WitnessDep = Annotated[Witness, Depends(witness)]


def administrator(found: WitnessDep) -> Witness:
    """Return the caller; raise `Forbidden` for one who is no administrator."""
    if not found.principal.is_administrator:
        raise Forbidden("role_too_low", "Это может только администратор. Попросите его или войдите с его правами.")
    return found


AdministratorDep = Annotated[Witness, Depends(administrator)]


def _header(request: Request, name: str) -> tuple[str, ...]:
    # HTTP's headers are bytes; proxies write Russian names in UTF-8.
    values = (value.encode("latin-1") for value in request.headers.getlist(name))
    return tuple(value.decode("utf-8", errors="replace") for value in values)


def _is_from_elsewhere(request: Request) -> bool:
    """Whether a browser asks for a page of another site, or took this address by a name that is not this machine's."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    try:
        return urlsplit(f"//{host}").hostname not in LOOPBACK or (
            origin is not None and urlsplit(origin).netloc != host
        )
    except ValueError:  # no address at all
        return True


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
