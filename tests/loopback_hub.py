"""A Hugging Face hub on loopback: the protocol's `resolve` and its storage, with faults to order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


@dataclass
class LoopbackHub:
    """Serves `files` (by `repo/file`). `cuts` are byte counts after which the next downloads break off."""

    endpoint: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    promised: dict[str, str] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    cuts: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)

    def add(self, repo: str, file: str, content: bytes | Path) -> str:
        """Offer a file; answers its SHA-256."""
        content = content.read_bytes() if isinstance(content, Path) else content
        self.files[f"{repo}/{file}"] = content
        return hashlib.sha256(content).hexdigest()


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """Run a hub until the block ends."""
    hub = LoopbackHub()

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    served: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""

    def do_HEAD(self) -> None:
        self._resolve()

    def do_GET(self) -> None:
        if self.path.startswith("/storage/"):
            self._store(self.path.removeprefix("/storage/"))
        else:
            self._resolve()

    def _resolve(self) -> None:
        name = self.path.removeprefix("/").replace("/resolve/main", "")
        content = self.served.files.get(name)
        if name in self.served.gated:
            self._head(401, {"X-Error-Code": "GatedRepo"})
        elif content is None:
            self._head(404, {"X-Error-Code": "EntryNotFound"})
        else:
            sha256 = self.served.promised.get(name) or hashlib.sha256(content).hexdigest()
            self._head(
                302,
                {
                    "Location": f"/storage/{name}",
                    "X-Repo-Commit": "c0ffee",
                    "X-Linked-Size": str(len(content)),
                    "X-Linked-Etag": f'"{sha256}"',
                    "ETag": '"of-the-redirect"',
                },
            )

    def _store(self, name: str) -> None:
        content = self.served.files[name]
        wanted = self.headers.get("Range")
        self.served.ranges.append(wanted)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        rest = content[start:]
        self._head(206 if wanted else 200, {}, length=len(rest))
        cut = self.served.cuts.pop(0) if self.served.cuts else len(rest)
        self.wfile.write(rest[:cut])
        self.close_connection = cut < len(rest)

    def _head(self, status: int, headers: dict[str, str], *, length: int = 0) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()
