"""The application: routes, errors, measures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from fastapi import FastAPI

from api import problems
from api.bodies import Bodies, BodyLimits
from api.confined import Confined
from api.dependencies import Parts
from api.measured import Measured
from api.routes import access, ask, audit, chat, documents, evaluations, extract, health, pages, policies, search
from core.settings import Settings

DESCRIPTION = "Answers, in Russian, from your own documents. Errors are RFC 9457 problems with a Russian `detail`."
THREADS = 40
STREAMED = (documents.UPLOAD_PATH, evaluations.UPLOAD_PATH)


def create_app(parts: Parts) -> FastAPI:
    """Build the application over `parts`, which it closes when it ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield
        await parts.evaluations.aclose()
        await parts.language_model.aclose()
        parts.readiness.close()
        parts.sandbox.close()
        parts.search_pool.shutdown(cancel_futures=True)
        parts.answer_pool.shutdown(cancel_futures=True)
        parts.audit.close()
        parts.database.close()

    # FastAPI's own pages of documentation load their scripts from elsewhere; nothing of ours leaves the house.
    app = FastAPI(
        title="Знайка", description=DESCRIPTION, version="1", lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.parts = parts
    problems.install(app)
    for module in (documents, pages, search, ask, extract, chat, evaluations, access, policies, audit, health):
        app.include_router(module.router)

    app.add_middleware(Bodies, limits=_body_limits(parts.settings), streamed=STREAMED)
    app.add_middleware(Confined)
    app.add_middleware(Measured, metrics=parts.metrics)
    return app


def _body_limits(settings: Settings) -> BodyLimits:
    return BodyLimits(
        max_bytes=settings.api_body_max_bytes,
        timeout_s=settings.api_body_timeout_s,
        bytes_per_s=settings.api_body_min_bytes_per_s,
    )
