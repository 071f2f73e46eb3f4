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

    def search(self, query: str) -> dict[str, list[int]]:
        """Check everything that a search returns, of whatever document; return the editions found, by name."""
        wanted = {"query": query, "top_k": 50, "exact": True}
        began, answer = self._timely("POST", "/v1/search", json=wanted)
        passages = answer.json()["passages"]  # without the query, which stands beside them
        return self._ledger.hear(json.dumps(passages, ensure_ascii=False), began=began)

    def found(self, query: str, *, collection: str) -> list[str]:
        """The texts that a search in one collection finds, best first."""
        wanted = {"query": query, "top_k": 5, "collection": collection, "exact": True}
        return [one["text"] for one in self._patiently("POST", "/v1/search", json=wanted).json()["passages"]]

    def _replace(self, step: Step) -> str:
        return self._send(step, replaces=True)

    def _upload(self, step: Step) -> str:
        return self._send(step, replaces=False)

    def _send(self, step: Step, *, replaces: bool) -> str:
        """Upload an edition once; when the answer is lost, the list tells what came of it."""
        self._ledger.attempt(step.name, step.edition, replaces=replaces)
        body, form = _upload_of(step, replaces=replaces)
        try:
            answer = self._http.post("/v1/documents", files=body, data=form)
        except httpx.HTTPError:
            sha256 = hashlib.sha256(text(step.name, step.edition).encode()).hexdigest()
            found = [one for one in self.listed(step.name) if one["sha256"] == sha256]
            for one in found:
                self._ledger.take(step.name, step.edition, one["id"])
            if not found:
                self._ledger.refuse(step.name, step.edition)
            return f"answer lost, {'there' if found else 'absent'}"
        if answer.status_code == 202:
            self._ledger.take(step.name, step.edition, answer.json()[0]["id"])
            return "202"
        self._ledger.refuse(step.name, step.edition)
        return _refused(answer)

    def _again(self, step: Step) -> str:
        """Upload the newest edition once more, until it is answered: the list does not tell whether that was done."""
        self._ledger.attempt(step.name, step.edition, replaces=False)
        body, form = _upload_of(step, replaces=True)
        taken = self._patiently("POST", "/v1/documents", allowed=(202,), files=body, data=form).json()[0]
        self._ledger.take(step.name, step.edition, taken["id"])
        self._ledger.insist(step.name, step.edition, [one["id"] for one in self.listed(step.name)])
        return "202"

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
        return "found" if step.name in self.search(subject(step.name)) else "nothing"

    def _ask(self, step: Step) -> str:
        question = {"question": f"Что говорит {subject(step.name)}?", "exact": True, "stream": True}
        began = time.monotonic()
        try:
            answer = self._http.post("/v1/ask", json=question)
        except httpx.HTTPError as exc:
            return f"stream cut, {type(exc).__name__}"
        if not answer.is_success:
            return _refused(answer)
        heard = 0
        # A look at the base ends where the next begins: what changed while the question waited is looked for again.
        for look in answer.text.split("event: sources\n"):
            heard += len(self._ledger.hear(look, began=began))
        (*_, last) = (line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: "))
        assert last in ("done", "error"), f"a stream that ended well has no end: {answer.text[-300:]}"
        return f"{last}, {'with texts' if heard else 'without'}"

    def _patiently(self, method: str, path: str, allowed: tuple[int, ...] = (200,), **wanted: Any) -> httpx.Response:
        return self._timely(method, path, allowed, **wanted)[1]

    def _timely(
        self, method: str, path: str, allowed: tuple[int, ...] = (200,), **wanted: Any
    ) -> tuple[float, httpx.Response]:
        """Repeat until the API is back, a refusal with Retry-After too; return when the last try began, and its end."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            began, said = time.monotonic(), "no answer"
            try:
                answer = self._http.request(method, path, **wanted)
            except httpx.HTTPError as exc:
                said = repr(exc)
            else:
                if answer.status_code in allowed:
                    return began, answer
                said = _refused(answer)
            assert time.monotonic() < deadline, f"{method} {path}: {said} for {PATIENCE_S:.0f} s"
            time.sleep(PAUSE_S)


def _refused(answer: httpx.Response) -> str:
    """A refusal says why and when to come back; any other status is a fault of the service."""
    assert answer.status_code in ALLOWED_REFUSALS, f"{answer.request.url}: {answer.status_code} {answer.text[:300]}"
    assert answer.status_code == 507 or int(answer.headers["retry-after"]) > 0
    return f"{answer.status_code} {answer.json()['code']}"


def _upload_of(step: Step, *, replaces: bool) -> tuple[dict[str, tuple[str, bytes]], dict[str, str]]:
    """File and form of an edition's upload."""
    file = (step.name, text(step.name, step.edition).encode())
    return {"file": file}, {"replace": "true"} if replaces else {}
