"""Two tenants on one service: a thousand questions, and not a word of the one's documents reaches the other."""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.types import Role
from retrieval.store import audit
from retrieval.store.audit import Span
from tests.canaries import files_holding, found_in, new_word, said
from tests.small_service import SmallService, small_service

TENANTS = ("север", "юг")
DOCUMENTS = 25
QUESTIONS = 1000
PATHS = ("/v1/ask", "/v1/chat/completions")
TOPICS = ("отпуск", "командировка", "премия", "пропуск", "договор")


class Tenant:
    """A company with documents that each hold a word found nowhere else."""

    def __init__(self, name: str, service: SmallService, rng: random.Random) -> None:
        self.name = name
        self.canaries: list[str] = []
        self.documents: list[str] = []
        self.heard: list[str] = []
        for number in range(DOCUMENTS):
            canary = new_word(rng, name[0])
            topic = TOPICS[number % len(TOPICS)]
            texts = (f"{topic}: порядок знает {canary}.", f"Срок, в который оформляется {topic}, задаёт {canary}.")
            document_id = service.base.add(*texts, collection=name, name=f"{topic} {canary}.txt")
            self.canaries.append(canary)
            self.documents.append(document_id)
        self.client = service.client(service.key(f"ключ {name}", name, role=Role.EDITOR))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    with small_service(tmp_path_factory.mktemp("tenants"), audit_questions=True, queue_max=50) as running:
        running.model.counts_tokens = False  # ten requests a question that say nothing of rights
        yield running


@pytest.mark.timeout(1800)
def test_a_thousand_questions_bring_nothing_of_the_other_tenant(
    service: SmallService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "httpcore")  # two hundred lines a question, of headers alone
    rng = random.Random(20)
    north, south = (Tenant(name, service, rng) for name in TENANTS)
    ways: Counter[tuple[str, str, bool]] = Counter()
    own_words = 0
    for _ in range(QUESTIONS):
        asker, other = rng.sample((north, south), 2)
        path, is_stream = rng.choice(PATHS), rng.random() < 0.5
        question = question_about(rng, other)
        found = asker.client.post("/v1/search", json={"query": question, "top_k": 10})
        own = found_in([found.json()["passages"][0]["text"]], asker.canaries)
        service.model.says = f"Порядок знает {own[0]} [1]."
        service.model.requests.clear()
        answer = asked(asker.client, path, question, is_stream=is_stream)
        assert service.model.requests, "the model was not asked"
        ways[asker.name, path, is_stream] += 1
        own_words += own[0] in said(answer)
        prompts = [json.dumps(request, ensure_ascii=False) for request in service.model.requests]
        asker.heard += [found.text, said(answer), *prompts]
        if rng.random() < 0.04:
            asker.heard += [said(refused) for refused in attempts(asker.client, other, rng)]
    assert own_words > 0.9 * QUESTIONS, "answers that bring nothing of one's own prove nothing"
    assert len(ways) == 8
    assert min(ways.values()) > QUESTIONS / 16, "each tenant asks, streams and talks"
    for asker, other in ((north, south), (south, north)):
        assert found_in(asker.heard, other.canaries) == []
    everyone = [*north.canaries, *south.canaries]
    assert found_in([service.client().get("/metrics").text], everyone) == []
    assert found_in((record.getMessage() for record in caplog.records), everyone) == []
    service.parts.audit.flush()
    with service.base.database.read() as conn:
        for entry in audit.listing(conn, Span(), limit=100_000):
            theirs = south if entry.event.principal.endswith(north.name) else north
            assert found_in([repr(entry)], theirs.canaries) == [], entry.event.principal
    assert set(files_holding(service.parts.settings.data_dir, everyone)) <= {Path("base.db"), Path("base.db-wal")}


def question_about(rng: random.Random, other: Tenant) -> str:
    """A question that the other tenant's documents answer best, at times with one of their words mistyped.

    Never the word itself: what the asker wrote would come back as the text that was searched for.
    """
    topic = rng.choice(TOPICS)
    if rng.random() < 0.5:
        return rng.choice((f"Порядок: {topic}?", f"Какой срок у документа «{topic}»?", topic))
    word = rng.choice(other.canaries)
    at = rng.randrange(2, len(word) - 2)
    mistyped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return f"{topic} {mistyped if mistyped != word else word[:at] + word[at + 1 :]}"


def asked(client: httpx.Client, path: str, question: str, *, is_stream: bool) -> httpx.Response:
    """The question, to our own route or to OpenAI's."""
    if path == "/v1/ask":
        earlier = [{"question": "Порядок?", "answer": "Есть [1]."}]
        return client.post(path, json={"question": question, "history": earlier, "stream": is_stream})
    return client.post(path, json={"messages": [{"role": "user", "content": question}], "stream": is_stream})


def attempts(client: httpx.Client, other: Tenant, rng: random.Random) -> list[httpx.Response]:
    """Everything that names something of the other tenant's; none may say more than that it is not there."""
    document_id = rng.choice(other.documents)
    at = f"/v1/documents/{document_id}"
    schema = {"type": "object", "properties": {"кто": {"type": ["string", "null"]}}, "required": ["кто"]}
    refused = [
        client.get(at),
        client.get(f"{at}/content"),
        client.get(f"{at}/pages/1"),
        client.get(f"{at}/pages/1/image"),
        client.delete(at),
        client.post("/v1/search", json={"query": "порядок", "collection": other.name}),
        client.post("/v1/ask", json={"question": "порядок?", "collection": other.name, "stream": True}),
        client.post("/v1/extract", json={"instruction": "кто", "json_schema": schema, "document_id": document_id}),
        client.post("/v1/documents", files={"file": ("a.txt", b"x")}, data={"collection": other.name}),
        client.post("/v1/evaluations", files={"file": ("q.csv", b"")}, data={"collection": other.name}),
    ]
    streamed = refused.pop(6)
    assert "error" in streamed.text
    assert {answer.status_code for answer in refused} <= {404, 422}, [(a.url, a.status_code) for a in refused]
    lists = [client.get(path) for path in ("/v1/documents?limit=500", "/v1/collections", "/v1/feedback/pairs")]
    named = client.get("/v1/documents", params={"name": rng.choice(other.canaries)[:6]})
    return [*refused, streamed, *lists, named]
