"""One of the crasher's clients: does its steps in order, and learns the truth when an answer is lost in a crash."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

import httpx

from tests.crash_ledger import Ledger
from tests.crash_plan import Step, subject, text

# Longer than anything takes, on an overloaded machine too: an upload that the API goes on with after its client has
# given up would come to be behind the ledger's back.
TIMEOUT_S = 900.0
PATIENCE_S = 900.0
PAUSE_S = 0.2
ALLOWED_REFUSALS = {429, 503, 507}


class CrashClient:
    """Speaks HTTP only. Every answer that is neither success nor a refusal with a reason fails the run."""

    def __init__(self, url: str, ledger: Ledger, outcomes: Counter[str]) -> None:
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)
        self._ledger = ledger
        self._outcomes = outcomes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.close()

    def do(self, step: Step) -> None:
        """Do one step. Raises AssertionError for whatever must not be."""
        act: Callable[[Step], str] = getattr(self, f"_{step.action}")
        self._outcomes[f"{step.action}: {act(step)}"] += 1

    def listed(self, name: str) -> list[dict[str, Any]]:
        """The documents of exactly this name, patiently: the API may be between two lives."""
        found = self._patiently("GET", "/v1/documents", params={"name": name, "limit": 500})
        return [one for one in found.json()["items"] if one["name"] == name]

    def search(self, name: str) -> str:
        """Everything that a search for a document's own word returns of it."""
        wanted = {"query": subject(name), "top_k": 50, "exact": True}
        passages = self._patiently("POST", "/v1/search", json=wanted).json()["passages"]
        return "\n".join(one["text"] for one in passages if one["document"] == name)

    def found(self, query: str, *, collection: str) -> list[str]:
        """The texts that a search in one collection finds, best first."""
        wanted = {"query": query, "top_k": 5, "collection": collection, "exact": True}
        return [one["text"] for one in self._patiently("POST", "/v1/search", json=wanted).json()["passages"]]

    def _replace(self, step: Step) -> str:
        self._ledger.attempt(step.name, step.edition)
        body = text(step.name, step.edition).encode()
        files, form = {"file": (step.name, body)}, {"replace": "true"}
        try:
            answer = self._http.post("/v1/documents", files=files, data=form)
        except httpx.HTTPError:
            sha256 = hashlib.sha256(body).hexdigest()
            found = [one for one in self.listed(step.name) if one["sha256"] == sha256]
            for one in found:
                self._ledger.take(step.name, step.edition, one["id"])
            return f"answer lost, {'there' if found else 'absent'}"
        if answer.status_code == 202:
            self._ledger.take(step.name, step.edition, answer.json()[0]["id"])
            return "202"
        return _refused(answer)

    def _again(self, step: Step) -> str:
        self._ledger.revive(step.name, step.edition)
        return self._replace(step)

    def _delete(self, step: Step) -> str:
        ids = {one["id"] for one in self.listed(step.name)}
        missing = set(self._ledger.ids(step.name)) - ids
        for document_id in ids:
            self._patiently("DELETE", f"/v1/documents/{document_id}", allowed=(204, 404))
        self._ledger.delete(step.name)
        for document_id in ids | missing:
            assert self._patiently("GET", f"/v1/documents/{document_id}", allowed=(200, 404)).status_code == 404
        return f"{len(ids)} gone"

    def _search(self, step: Step) -> str:
        said = self.search(step.name)
        self._ledger.see(step.name, said)
        return "found" if said else "nothing"

    def _ask(self, step: Step) -> str:
        question = {"question": f"Что говорит {subject(step.name)}?", "exact": True, "stream": True}
        try:
            answer = self._http.post("/v1/ask", json=question)
        except httpx.HTTPError as exc:
            return f"stream cut, {type(exc).__name__}"
        if not answer.is_success:
            return _refused(answer)
        events = _events(answer.text)
        for name, data in events:
            if name == "sources":
                mine = [one["text"] for one in data["passages"] if one["document"] == step.name]
                self._ledger.see(step.name, "\n".join(mine))
        last = events[-1][0]
        assert last in ("done", "error"), f"a stream that ended well has no end: {events[-1]}"
        return last

    def _patiently(self, method: str, path: str, allowed: tuple[int, ...] = (200,), **wanted: Any) -> httpx.Response:
        """Repeat until the API is back; a refusal with Retry-After is waited for as well."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            said = "no answer"
            try:
                answer = self._http.request(method, path, **wanted)
            except httpx.HTTPError as exc:
                said = repr(exc)
            else:
                if answer.status_code in allowed:
                    return answer
                said = _refused(answer)
            assert time.monotonic() < deadline, f"{method} {path}: {said} for {PATIENCE_S:.0f} s"
            time.sleep(PAUSE_S)


def _refused(answer: httpx.Response) -> str:
    """A refusal says why and when to come back; any other status is a fault of the service."""
    assert answer.status_code in ALLOWED_REFUSALS, f"{answer.request.url}: {answer.status_code} {answer.text[:300]}"
    assert answer.status_code == 507 or int(answer.headers["retry-after"]) > 0
    return f"{answer.status_code} {answer.json()['code']}"


def _events(stream: str) -> list[tuple[str, dict[str, Any]]]:
    """Names and data of server-sent events."""
    blocks = (dict(line.partition(": ")[::2] for line in block.splitlines()) for block in stream.split("\n\n") if block)
    return [(block["event"], json.loads(block["data"])) for block in blocks]
