"""A small API with the shapes of the contract, for the page's tests: real HTTP, documents in memory."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, File, Form, Request, Response, UploadFile
from fastapi.responses import JSONResponse, StreamingResponse
from PIL import Image

NOW = "2026-11-20T09:30:00Z"
PAGE = "4.2. Ежегодный отпуск составляет 28 календарных дней.\nЗаявление подают за 14 дней до начала отпуска."
QUOTE = "Заявление подают за 14 дней до начала отпуска."


@dataclass
class Double:
    """What the API holds and what it is told to do; tests set and read these fields."""

    url: str = ""
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    chatted: list[dict[str, Any]] = field(default_factory=list)
    feedback: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    answer: str = "Заявление подают за 14 дней до начала отпуска [1]."
    plain: tuple[str, ...] = ("Dear ", "colleagues")
    refused: bool = False
    escalate: bool = False
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    notice: str | None = None
    queue: int = 0
    pause_s: float = 0.0
    busy: int | None = None
    pages: list[str] = field(default_factory=lambda: [PAGE])
    hung_up: threading.Event = field(default_factory=threading.Event)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    questions: list[dict[str, Any]] = field(default_factory=list)
    refusal: str = ""
    withheld: str = ""
    session: dict[str, Any] = field(
        default_factory=lambda: {"name": "local", "role": "administrator", "editable": None, "edits_all": True}
    )

    def evaluate(self, name: str, **more: Any) -> dict[str, Any]:
        """Begin an evaluation, or keep one that has been."""
        run = {
            "id": f"e{len(self.evaluations) + 1}", "name": name, "collection": None, "status": "running",
            "done": 12, "total": 50, "eta_s": 180, "created_at": NOW, "finished_at": None, "error": None,
            "failed": None, "figures": [], "compared_with": None, **more,
        }  # fmt: skip
        self.evaluations.insert(0, run)
        return run

    def finished(self, *, failed: int = 1, text: str = "28 дней") -> dict[str, Any]:
        """What an evaluation has when it is done, `failed` of its questions being wrong."""
        place = {"document": "Положение.pdf", "page": 7, "section": "п. 4.2", "text": text, "is_right": True}
        question = "Сколько дней длится отпуск?" if text == "28 дней" else text
        got = "К сожалению, в найденных документах нет ответа на этот вопрос." if text == "28 дней" else text
        wrong = {"question": question, "expected": text, "got": got, "failure": "напрасный отказ", "passages": [place]}
        self.questions = [wrong] * failed + [{**wrong, "failure": None, "passages": []}]
        names = {"right": (0.84, 0.7, "better"), "found_place": (0.9, 0.88, "noise"),
                 "cited_place": (0.88, 0.9, "noise"), "wrongly_refused": (0.06, 0.02, "worse"),
                 "refused": (0.8, None, None)}  # fmt: skip
        figures = [
            {"measure": name, "title": name, "value": value, "low": value - 0.05, "high": value + 0.05, "count": 50,
             "better": "higher", "before": before, "verdict": verdict}
            for name, (value, before, verdict) in names.items()
        ]  # fmt: skip
        return {"status": "done", "done": 50, "failed": failed, "figures": figures, "compared_with": "e0"}

    def add(self, name: str, *, collection: str = "default", status: str = "ready", **more: Any) -> dict[str, Any]:
        """Put a document into the base as if it had been uploaded before."""
        document = {
            "id": f"d{len(self.documents) + 1}", "name": name, "collection": collection,
            "media_type": "text/plain", "size_bytes": 1536, "sha256": hashlib.sha256(name.encode()).hexdigest(),
            "status": status, "progress": None, "pages": 3, "passages": 12, "error": None,
            "created_at": NOW, "updated_at": NOW, **more,
        }  # fmt: skip
        self.documents[document["id"]] = document
        return document


def problem(status: int, code: str, detail: str, **headers: str) -> JSONResponse:
    body = {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code}
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def make_app(double: Double) -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def remember_key(request: Request, call_next: Any) -> Response:
        double.keys.add(request.headers.get("Authorization", ""))
        return await call_next(request)

    _add_documents(app, double)
    _add_pages(app, double)
    _add_answers(app, double)
    _add_evaluations(app, double)
    return app


def _add_documents(app: FastAPI, double: Double) -> None:
    @app.post("/v1/documents", status_code=202)
    async def upload(
        file: Annotated[list[UploadFile], File()],
        collection: Annotated[str, Form()] = "default",
        replace: Annotated[bool, Form()] = False,
    ) -> Any:
        answers = []
        for item in file:
            content = await item.read()
            if not content:
                return problem(422, "empty_file", "Файл пуст: проверьте его и загрузите снова.")
            sha256 = hashlib.sha256(content).hexdigest()
            known = [d for d in double.documents.values() if (d["sha256"], d["collection"]) == (sha256, collection)]
            if replace:
                double.documents = {k: d for k, d in double.documents.items() if d["name"] != item.filename}
            document = known[0] if known else double.add(
                item.filename or "", collection=collection, status="queued", sha256=sha256, size_bytes=len(content)
            )  # fmt: skip
            double.contents[document["id"]] = content
            answers.append(document)
        return answers

    @app.get("/v1/documents")
    def listed(name: str = "", collection: str = "", status: str = "", limit: int = 50, cursor: int = 0) -> Any:
        matching = [
            d for d in double.documents.values()
            if name.casefold() in d["name"].casefold()
            and collection in ("", d["collection"]) and status in ("", d["status"])
        ]  # fmt: skip
        more = cursor + limit < len(matching)
        return {"items": matching[cursor : cursor + limit], "next_cursor": str(cursor + limit) if more else None}

    @app.get("/v1/documents/{document_id}/content")
    def content(document_id: str) -> Response:
        return Response(double.contents.get(document_id, b"text"), media_type="application/octet-stream")

    @app.delete("/v1/documents/{document_id}", status_code=204)
    def delete(document_id: str) -> Response:
        if double.documents.pop(document_id, None) is None:
            return problem(404, "not_found", "Такого документа нет.")
        return Response(status_code=204)

    @app.get("/v1/session")
    def session() -> Any:
        return double.session

    @app.get("/v1/collections")
    def collections() -> Any:
        names = [d["collection"] for d in double.documents.values()]
        return {"items": [{"name": name, "documents": names.count(name)} for name in sorted(set(names))]}


def _add_pages(app: FastAPI, double: Double) -> None:
    @app.get("/v1/documents/{document_id}/pages/{page}")
    def page_text(document_id: str, page: int) -> Any:
        if document_id not in double.documents or page > len(double.pages):
            return problem(404, "not_found", "Такой страницы нет.")
        return {"page": page, "position": page - 1, "text": double.pages[page - 1]}

    @app.get("/v1/documents/{document_id}/pages/{page}/image")
    def page_image(document_id: str, page: int, quote: str = "", width_px: int = 1000) -> Response:
        if double.documents[document_id]["media_type"] != "application/pdf":
            return problem(415, "no_image", "У этого документа нет изображений страниц.")
        png = io.BytesIO()
        Image.new("RGB", (width_px, width_px * 14 // 10), "white").save(png, "PNG")
        return Response(png.getvalue(), media_type="image/png")

    @app.post("/v1/feedback", status_code=204)
    async def feedback(request: Request) -> Response:
        double.feedback.append(await request.json())
        return Response(status_code=204)


def _event(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _add_evaluations(app: FastAPI, double: Double) -> None:
    @app.post("/v1/evaluations", status_code=202)
    async def start(file: Annotated[UploadFile, File()], collection: Annotated[str | None, Form()] = None) -> Any:
        if double.refusal:
            return problem(422, "bad_pair", double.refusal)
        return double.evaluate(file.filename or "", collection=collection)

    @app.get("/v1/evaluations")
    def listed() -> Any:
        return {"items": double.evaluations}

    @app.get("/v1/evaluations/{run_id}")
    def one(run_id: str) -> Any:
        return next(run for run in double.evaluations if run["id"] == run_id)

    @app.delete("/v1/evaluations/{run_id}", status_code=204)
    def delete(run_id: str) -> Response:
        run = one(run_id)
        if run["status"] == "running":
            run.update(status="stopped", error={"code": "stopped", "detail": "Проверку остановили."})
        else:
            double.evaluations.remove(run)
        return Response(status_code=204)

    @app.get("/v1/evaluations/{run_id}/report")
    def report(run_id: str) -> Response:
        if double.withheld:
            return problem(404, "report_outdated", double.withheld)
        return Response("<!doctype html>", media_type="text/html")

    @app.get("/v1/evaluations/{run_id}/report.json")
    def data(run_id: str) -> Any:
        if double.withheld:
            return problem(404, "report_outdated", double.withheld)
        return {"questions": double.questions}

    @app.get("/v1/feedback/pairs")
    def rated() -> Response:
        return Response("\ufeffвопрос;ответ\r\n".encode(), media_type="text/csv")


def _add_answers(app: FastAPI, double: Double) -> None:
    @app.post("/v1/ask")
    async def ask(request: Request) -> Response:
        double.asked.append(await request.json())
        if double.busy is not None:
            return problem(503, "queue_full", "Сейчас слишком много вопросов.", **{"Retry-After": str(double.busy)})
        return StreamingResponse(_answering(double), media_type="text/event-stream")

    @app.get("/v1/models")
    def models() -> Any:
        return {"object": "list", "data": [{"id": "znayka", "object": "model"}, {"id": "saiga", "object": "model"}]}

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        double.chatted.append(await request.json())

        async def chunks() -> AsyncIterator[str]:
            for position in range(double.queue, 0, -1):
                yield f": queued {position} {20 * position}\n\n"
            yield ": another comment\n\n"
            for text in double.plain:
                await asyncio.sleep(double.pause_s)
                yield f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(chunks(), media_type="text/event-stream")


async def _answering(double: Double) -> AsyncIterator[str]:
    try:
        for position in range(double.queue, 0, -1):
            yield _event("queued", {"position": position, "eta_s": 20.0 * position})
            await asyncio.sleep(double.pause_s)
        latest = next(reversed(double.documents.values()), None)
        place = latest and {"document_id": latest["id"], "document": latest["name"], "page": 1, "section": "п. 4.2"}
        shown = [{**place, "text": double.pages[0], "score": 0.8}] if place else []
        understood = {"searched": "отпуск", "notice": double.notice}
        yield _event("sources", {"passages": shown, "interpretation": understood})
        for word in double.answer.split(" "):
            await asyncio.sleep(double.pause_s)
            yield _event("token", {"text": word + " "})
        cited = [] if double.refused or not place else [{"n": 1, **place, "quote": QUOTE}]
        timings = {"search_ms": 12.0, "first_token_ms": 300.0, "total_ms": 900.0}
        whole = {"answer": double.answer, "refused": double.refused, "citations": cited}
        yield _event(
            "done",
            {**whole, "model": "saiga", "timings": timings, "escalate": double.escalate, "conflicts": double.conflicts},
        )
    except asyncio.CancelledError:
        double.hung_up.set()
        raise


@contextlib.contextmanager
def serve(double: Double) -> Iterator[Double]:
    """Serve the double on a free port of loopback until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    double.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(make_app(double), log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield double
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()
