"""What handlers are given: the service's parts, and who is asking."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.evaluations import Evaluations
from api.metrics import Metrics
from api.readiness import Readiness
from api.turns import TurnQueue
from core.errors import Unauthorized
from core.settings import Settings
from core.types import Principal
from generation.chain import Answerer
from generation.extraction import Extractor
from generation.language_model import LanguageModel
from ingest.files import FileStore
from ingest.reembed import Share
from ingest.sandbox import Sandbox
from retrieval.searcher import Searcher
from retrieval.store import keys
from retrieval.store.database import Database

# Without any key the service listens on loopback only, and whoever reaches it is the owner of the machine.
LOCAL = Principal("local")


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything the API is made of; built once by the entry point."""

    settings: Settings
    database: Database
    files: FileStore
    searcher: Searcher
    search_pool: Executor
    answerer: Answerer
    extractor: Extractor
    language_model: LanguageModel
    sandbox: Sandbox
    turns: TurnQueue
    evaluations: Evaluations
    metrics: Metrics
    readiness: Readiness
    reembedding: Callable[[], Share | None] = lambda: None
    wall_clock: Callable[[], float] = time.time


def parts(request: Request) -> Parts:
    """Return the parts that the application was built with."""
    built: Parts = request.app.state.parts
    return built


PartsDep = Annotated[Parts, Depends(parts)]
_bearer = HTTPBearer(auto_error=False, description="Ключ: znayka keys create")


def principal(
    found: PartsDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """Return who asks; raise `Unauthorized` without a valid key once there is any key."""
    with found.database.read() as conn:
        known = keys.resolve(conn, credentials.credentials) if credentials else None
        if known is not None:
            return known
        # OpenAI's clients always send some key, so while there is none to compare with, any will do.
        if not found.settings.needs_key and not keys.exist(conn):
            return LOCAL
    raise Unauthorized(
        "bad_key", "Нужен действующий ключ в заголовке Authorization: Bearer. Ключ создаёт команда znayka keys create."
    )


PrincipalDep = Annotated[Principal, Depends(principal)]
