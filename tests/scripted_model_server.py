"""A model server on loopback that says what a test tells it to, over the real protocol."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class ScriptedModel:
    """What the server says and what it was asked. `status` other than 200 refuses every request.

    `says_next`, when set, is said from the second request on.
    """

    url: str = ""
    says: str = ""
    says_next: str | None = None
    status: int = 200
    counts_tokens: bool = True
    pause_s: float = 0.0
    requests: list[dict[str, Any]] = field(default_factory=list)
    pieces_sent: int = 0
    client_left: threading.Event = field(default_factory=threading.Event)

    @property
    def prompt(self) -> str:
        """The texts of the last request's messages, in order."""
        return "\n".join(message["content"] for message in self.requests[-1]["messages"])


@contextmanager
def scripted_model() -> Iterator[ScriptedModel]:
    """Serve until the block ends."""
    model = ScriptedModel()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(model))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(model: ScriptedModel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

        def do_GET(self) -> None:
            self._reply(model.status, {"data": [{"id": "scripted"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if model.status != 200:
                self._reply(model.status, {"error": {"message": "refused"}})
            elif self.path == "/tokenize":
                self._tokenize(body)
            elif "messages" in body and not body.get("stream"):
                model.requests.append(body)
                self._reply(200, {"choices": [{"message": {"content": model.says}}]})
            elif "guided_grammar" in body:
                model.requests.append(body)
                self._reply(200, _completion(model.says))
            else:
                model.requests.append(body)
                self._stream(is_chat="messages" in body)

        def _tokenize(self, body: dict[str, Any]) -> None:
            if model.counts_tokens:
                self._reply(200, {"count": len(body["content"].split())})
            else:
                self._reply(404, {})

        def _reply(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, *, is_chat: bool) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            says = model.says if model.says_next is None or len(model.requests) < 2 else model.says_next
            try:
                for start in range(0, len(says), 4):
                    self._event(_chunk(says[start : start + 4], is_chat=is_chat))
                    model.pieces_sent += 1
                    time.sleep(model.pause_s)
                self._event(_chunk("", is_chat=is_chat, finish="stop"))
                self.wfile.write(b"data: [DONE]\n\n")
            except (BrokenPipeError, ConnectionResetError):
                model.client_left.set()

        def _event(self, chunk: dict[str, Any]) -> None:
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()

    return Handler


def _completion(text: str) -> dict[str, Any]:
    """Said at once, and with great certainty: the model would rather answer than refuse."""
    logprobs = {"tokens": [text], "token_logprobs": [-0.01], "top_logprobs": [{" [": -0.01, " нет": -9.0}]}
    choice = {"index": 0, "finish_reason": "stop", "text": text, "logprobs": logprobs | {"text_offset": [0]}}
    return {"id": "1", "object": "text_completion", "created": 1, "model": "scripted", "choices": [choice]}


def _chunk(text: str, *, is_chat: bool, finish: str | None = None) -> dict[str, Any]:
    said: dict[str, Any] = {"delta": {"content": text}} if is_chat else {"text": text}
    choice = {"index": 0, "finish_reason": finish, "logprobs": None, **said}
    kind = "chat.completion.chunk" if is_chat else "text_completion"
    return {"id": "1", "object": kind, "created": 1, "model": "scripted", "choices": [choice]}
