"""The API as typed calls. Every failure is a `ClientError` whose `detail` is a Russian sentence for a person."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, BinaryIO, TypeVar

import httpx

from core.types import Document, Turn
from ui.sse import read_events
from ui.wire import (
    EVENTS,
    UNEXPECTED,
    Answered,
    AskedQuestion,
    ClientError,
    Collection,
    CollectionList,
    DocumentList,
    Evaluation,
    EvaluationList,
    EvaluationReport,
    Event,
    ModelList,
    PageText,
    Queued,
    Session,
    Token,
    Verdict,
    parse,
)

T = TypeVar("T")

CALL_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
UPLOAD_TIMEOUT = httpx.Timeout(300.0, connect=5.0)
# A question may wait in the queue and a slow processor may read for minutes before the first word.
ANSWER_TIMEOUT = httpx.Timeout(600.0, connect=5.0)
UNNUMBERED_MAX = 50
MASKED = "personal_data_masked"
QUOTE_MAX_CHARS = 2000

DOWN = (
    "Сервис не отвечает. Подождите минуту и повторите. Если не поможет, попросите администратора "
    "проверить, запущен ли сервис (команда «znayka doctor»)."
)
NO_PLAIN_MODEL = "Модель без документов сейчас недоступна. Выключите «Без документов» и задайте вопрос по ним."
NOT_ADMITTED = "Страница не допущена к сервису. Администратору: задайте странице верный ключ в ZNAYKA_UI_API_KEY."
SIGNED_OUT = "Вас не удалось узнать: время входа истекло или доступ закрыт. Обновите страницу и войдите снова."
API_DOWN, TIMEOUT = "api_down", "timeout"
UNREACHED = frozenset({API_DOWN, TIMEOUT})  # codes of ours: the service said nothing
TOO_SLOW = "Сервис не ответил вовремя: он перегружен. Повторите через минуту."


class Client:
    """One API, one key. Safe to share between threads; `ask` and `chat` run in the caller's event loop."""

    def __init__(self, url: str, key: str, named: Sequence[tuple[str, str]] = ()) -> None:
        """`named` are the headers with the person for whom a key that may do so asks."""
        shown = [("Authorization", f"Bearer {key}")] if key else []
        # A company's proxy settings must not catch the calls to our own service.
        self._connection: dict[str, Any] = {
            "base_url": url,
            "headers": [(name.encode(), value.encode()) for name, value in (*shown, *named)],
            "trust_env": False,
            "verify": ssl.create_default_context(),
        }

    def session(self) -> Session:
        """What the visitor may do here."""
        return self._read(Session, "/v1/session")

    def documents(
        self, *, name: str = "", collection: str = "", cursor: str | None = None, limit: int = 20
    ) -> DocumentList:
        """One screen of documents, those whose name holds `name`."""
        wanted: dict[str, str | int] = {"name": name, "collection": collection, "cursor": cursor or "", "limit": limit}
        params = {key: value for key, value in wanted.items() if value}
        return self._read(DocumentList, "/v1/documents", params)

    def upload(self, name: str, content: BinaryIO, *, collection: str, replace: bool) -> Document:
        """Send one file, streamed from `content`; the answer is its new or already known document."""
        form = {"collection": collection, "replace": "true" if replace else "false"}
        files = {"file": (name, content)}
        answer = self._call("POST", "/v1/documents", data=form, files=files, timeout=UPLOAD_TIMEOUT)
        documents = parse(tuple[Document, ...], answer.content)
        if not documents:
            raise ClientError("unexpected_answer", UNEXPECTED)
        return documents[0]

    def delete(self, document_id: str) -> None:
        """Remove a document for good."""
        self._call("DELETE", f"/v1/documents/{document_id}")

    def content(self, document_id: str) -> bytes:
        """The original file."""
        return self._call("GET", f"/v1/documents/{document_id}/content", timeout=UPLOAD_TIMEOUT).content

    def page_text(self, document_id: str, page: int) -> PageText:
        """Text of a page, or of the page at that position where the format has no page numbers."""
        return self._read(PageText, f"/v1/documents/{document_id}/pages/{page}")

    def page_holding(self, document_id: str, quote: str) -> PageText:
        """The page with the quote, of a document without page numbers (sheets, letters, files of an archive).

        Looks at no more than `UNNUMBERED_MAX` pages; the first one where none of them has the quote.
        """
        first = self.page_text(document_id, 1)
        page = first
        for position in range(2, UNNUMBERED_MAX + 1):
            if quote in page.text:
                return page
            try:
                page = self.page_text(document_id, position)
            except ClientError as exc:
                if exc.status != HTTPStatus.NOT_FOUND:
                    raise
                break
        return page if quote in page.text else first

    def page_image(self, document_id: str, page: int, *, quote: str, width_px: int) -> bytes | None:
        """PNG of a page with the quote marked; None where there is none, or none that this visitor may see."""
        path = f"/v1/documents/{document_id}/pages/{page}/image"
        try:
            return self._call("GET", path, params={"quote": quote[:QUOTE_MAX_CHARS], "width_px": width_px}).content
        except ClientError as exc:
            if exc.status in {HTTPStatus.NOT_FOUND, HTTPStatus.UNSUPPORTED_MEDIA_TYPE} or exc.code == MASKED:
                return None
            raise

    def collections(self) -> tuple[Collection, ...]:
        """All collections this key may read."""
        return self._read(CollectionList, "/v1/collections").items

    def models(self) -> tuple[str, ...]:
        """Names of the models: first the one that answers from documents, then the plain one."""
        return tuple(model.id for model in self._read(ModelList, "/v1/models").data)

    def give_feedback(self, verdict: Verdict) -> None:
        """Keep a person's verdict on an answer."""
        self._call("POST", "/v1/feedback", json=asdict(verdict))

    def rated_questions(self) -> bytes:
        """The questions that people rated, as a file of pairs."""
        return self._call("GET", "/v1/feedback/pairs").content

    def evaluations(self) -> tuple[Evaluation, ...]:
        """All runs that this key may see, newest first."""
        return self._read(EvaluationList, "/v1/evaluations").items

    def evaluation(self, run_id: str) -> Evaluation:
        """One run: how far it is, or how it came out."""
        return self._read(Evaluation, f"/v1/evaluations/{run_id}")

    def start_evaluation(self, name: str, content: BinaryIO, *, collection: str) -> Evaluation:
        """Send a file of pairs; no collection means all documents."""
        form = {"collection": collection} if collection else {}
        files = {"file": (name, content)}
        answer = self._call("POST", "/v1/evaluations", data=form, files=files, timeout=UPLOAD_TIMEOUT)
        return parse(Evaluation, answer.content)

    def delete_evaluation(self, run_id: str) -> None:
        """Stop a run that is on; remove one that is over."""
        self._call("DELETE", f"/v1/evaluations/{run_id}")

    def evaluation_file(self, run_id: str, name: str) -> bytes:
        """`report` is the page, `report.json` the data."""
        return self._call("GET", f"/v1/evaluations/{run_id}/{name}", timeout=UPLOAD_TIMEOUT).content

    def failed_questions(self, run_id: str) -> tuple[AskedQuestion, ...]:
        """The questions of a finished run that are not all right."""
        report = parse(EvaluationReport, self.evaluation_file(run_id, "report.json"))
        return tuple(one for one in report.questions if one.failure is not None)

    async def ask(
        self, question: str, *, collection: str, history: Sequence[Turn], exact: bool = False
    ) -> AsyncIterator[Event]:
        """Answer from documents, event by event; `Answered` is the last one. `exact` takes the question as typed."""
        body: dict[str, Any] = {"question": question, "stream": True, "history": [asdict(turn) for turn in history]}
        if exact:
            body["exact"] = True
        if collection:
            body["collection"] = collection
        async with self._stream("/v1/ask", body) as lines:
            async for name, data in read_events(lines):
                if name == "error":
                    raise problem(data, status=int(data.get("status") or 500), retry_after=None)
                if name in EVENTS:
                    yield parse(EVENTS[name], data)

    async def chat(self, question: str, *, history: Sequence[Turn]) -> AsyncIterator[Event]:
        """Talk to the plain model, without documents; `Answered` is the last event."""
        model = await asyncio.to_thread(self._plain_model)
        messages = [message for turn in history for message in _messages(turn.question, turn.answer)]
        messages += _messages(question)
        pieces: list[str] = []
        body = {"model": model, "messages": messages, "stream": True}
        async with self._stream("/v1/chat/completions", body) as lines:
            async for name, data in read_events(lines):
                if name == "queued":
                    yield parse(Queued, data)
                if "error" in data:
                    raise problem(data, status=500, retry_after=None)
                for choice in data.get("choices", []):
                    if text := choice.get("delta", {}).get("content"):
                        pieces.append(text)
                        yield Token(text)
        yield Answered("".join(pieces), model=model)

    def _plain_model(self) -> str:
        names = self.models()
        if len(names) < 2:
            raise ClientError("no_plain_model", NO_PLAIN_MODEL)
        return names[1]

    def _read(self, shape: type[T], path: str, params: Mapping[str, str | int] | None = None) -> T:
        return parse(shape, self._call("GET", path, params=params).content)

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        # A connection a call, so that there is nothing to close; on the way to our own service it costs little.
        with _transport_errors(), httpx.Client(timeout=CALL_TIMEOUT, **self._connection) as http:
            answer = http.request(method, path, **options)
        if answer.is_error:
            raise refusal(answer)
        return answer

    @asynccontextmanager
    async def _stream(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[str]]:
        with _transport_errors():
            async with (
                httpx.AsyncClient(timeout=ANSWER_TIMEOUT, **self._connection) as http,
                http.stream("POST", path, json=body) as answer,
            ):
                if answer.is_error:
                    await answer.aread()
                    raise refusal(answer)
                yield answer.aiter_lines()


def refusal(answer: httpx.Response) -> ClientError:
    """What an answer with an error status says, in `problem+json`, OpenAI's shape or none."""
    try:
        body = answer.json()
    except ValueError:
        body = {}
    return problem(body, status=answer.status_code, retry_after=answer.headers.get("Retry-After"))


def problem(body: Any, *, status: int, retry_after: str | None) -> ClientError:
    """Make the error of a decoded problem; a body of another shape gets a sentence of ours."""
    fields = body if isinstance(body, dict) else {}
    inner = fields.get("error")
    if isinstance(inner, dict):
        fields = {"detail": inner.get("message"), "code": inner.get("code"), **fields}
    if status == HTTPStatus.UNAUTHORIZED:
        fields = {**fields, "detail": SIGNED_OUT if fields.get("code") == "bad_token" else NOT_ADMITTED}
    detail = str(fields.get("detail") or f"Сервис отказал (код {status}). Повторите позже.")
    wait = retry_after or fields.get("retry_after_s")
    seconds = int(wait) if wait is not None and str(wait).isdigit() else None
    return ClientError(str(fields.get("code") or "refused"), detail, status=status, retry_after_s=seconds)


def _messages(question: str, answer: str | None = None) -> list[dict[str, str]]:
    messages = [{"role": "user", "content": question}]
    return messages if answer is None else [*messages, {"role": "assistant", "content": answer}]


@contextmanager
def _transport_errors() -> Iterator[None]:
    try:
        yield
    except (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout) as exc:
        raise ClientError(TIMEOUT, TOO_SLOW) from exc
    except httpx.HTTPError as exc:
        raise ClientError(API_DOWN, DOWN) from exc
