"""Two tenants on one service: a thousand questions, and not a word of the one's documents reaches the other."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.types import Role
from retrieval.store import audit
from retrieval.store.audit import Span
from tests.small_service import SmallService, small_service

TENANTS = ("север", "юг")
DOCUMENTS = 25
QUESTIONS = 1000
SYLLABLES = ("зю", "бра", "кло", "мур", "тел", "фаг", "дри", "пох", "вын", "щук", "жел", "цам")
TOPICS = ("отпуск", "командировка", "премия", "пропуск", "договор")


class Tenant:
    """A company with documents that each hold a word found nowhere else."""

    def __init__(self, name: str, service: SmallService, rng: random.Random) -> None:
        self.name = name
        self.canaries: list[str] = []
        self.documents: list[str] = []
        for number in range(DOCUMENTS):
            canary = "".join(rng.choices(SYLLABLES, k=5)) + name[0]
            topic = TOPICS[number % len(TOPICS)]
            texts = (f"{topic}: порядок знает {canary}.", f"Срок, в который оформляется {topic}, задаёт {canary}.")
            document_id = service.base.add(*texts, collection=name, name=f"{topic} {canary}.txt")
            self.canaries.append(canary)
            self.documents.append(document_id)
        self.client = service.client(service.key(f"ключ {name}", name, role=Role.EDITOR))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    with small_service(tmp_path_factory.mktemp("tenants"), audit_questions=True, queue_max=50) as running:
        yield running


def test_a_thousand_questions_bring_nothing_of_the_other_tenant(
    service: SmallService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rng = random.Random(20)
    north, south = (Tenant(name, service, rng) for name in TENANTS)
    heard: dict[str, list[str]] = {north.name: [], south.name: []}
    own_words = 0
    for number in range(QUESTIONS):
        asker, other = (north, south) if number % 2 else (south, north)
        service.model.says = f"Порядок знает {rng.choice(asker.canaries)} [1]."
        service.model.requests.clear()
        question = question_about(rng, other)
        answers = [asker.client.post("/v1/search", json={"query": question, "top_k": 10})]
        if number % 5 == 0:
            answers += asked(asker.client, question, is_stream=number % 2 == 0)
            assert service.model.requests, "the model was not asked"
        if number % 25 == 0:
            answers += attempts(asker.client, other, rng)
        texts = [answer.text for answer in answers]
        texts += [json.dumps(request, ensure_ascii=False) for request in service.model.requests]
        heard[asker.name] += texts
        own_words += any(canary in texts[0] for canary in asker.canaries)
    assert own_words == QUESTIONS, "a search that finds nothing of one's own proves nothing"
    for asker, other in ((north, south), (south, north)):
        assert foreign(heard[asker.name], other) == []
    everyone = [*north.canaries, *south.canaries]
    assert foreign([service.client().get("/metrics").text], north, south) == []
    assert [record.getMessage() for record in caplog.records if any(c in record.getMessage() for c in everyone)] == []
    service.parts.audit.flush()
    with service.base.database.read() as conn:
        for entry in audit.listing(conn, Span(), limit=100_000):
            mine, theirs = (north, south) if entry.event.principal.endswith(north.name) else (south, north)
            assert foreign([repr(entry)], theirs) == [], mine.name


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


def asked(client: httpx.Client, question: str, *, is_stream: bool) -> list[httpx.Response]:
    """The same question in every way there is."""
    message = {"messages": [{"role": "user", "content": question}], "stream": is_stream}
    earlier = [{"question": "Порядок?", "answer": "Есть [1]."}]
    return [
        client.post("/v1/ask", json={"question": question, "history": earlier, "stream": is_stream}),
        client.post("/v1/chat/completions", json=message),
    ]


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


def foreign(texts: list[str], *others: Tenant) -> list[str]:
    """Words of others in the texts, with white space and letter case aside."""
    words = [canary for other in others for canary in other.canaries]
    return [word for text in texts for word in words if word in text.casefold() or json.dumps(word)[1:-1] in text]


def test_nothing_of_the_other_tenant_lies_in_the_folder_of_logs(service: SmallService) -> None:
    folder = Path(service.parts.settings.data_dir)
    written = [path for path in folder.rglob("*.log") if path.stat().st_size]
    assert written == [], "the API writes no log of its own but to standard error, which the test above reads"
