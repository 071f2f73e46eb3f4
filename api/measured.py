"""Counts and times every request, streams untouched."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics


class Measured:
    """ASGI middleware: one count and one duration a request, up to the response's start."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, noting the status as it goes by."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The route's pattern, never the path itself: a label must not grow with every document.
                route = getattr(scope.get("route"), "path", "unknown")
                self._metrics.requests.labels(scope["method"], route, message["status"]).inc()
                self._metrics.request_s.labels(route).observe(time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, noted)
