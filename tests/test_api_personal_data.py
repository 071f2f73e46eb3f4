"""A collection that hides personal data: no route, stream, log or report shows a value, whoever asks."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.types import PersonalPolicy, Role
from retrieval.store import audit, documents, jobs, passages, policies, vectors
from retrieval.store.audit import Action, Span
from retrieval.store.documents import Upload
from retrieval.store.passages import Ingested, NewPage, NewPassage
from retrieval.terms import index_text
from tests.rights_table import ROWS, routes
from tests.small_base import EVERYONE, SmallBase, vector_of
from tests.small_service import SmallService, small_service

# Invented: a test card, numbers with right check digits, reserved domains.
SECRETS = {
    "телефон": "+7 (912) 345-67-89",
    "почта": "kuznetsova@example.ru",
    "снилс": "112-233-445 95",
    "инн": "500100732259",
    "паспорт": "45 10 123456",
    "карта": "4111 1111 1111 1111",
}
SAID = " ".join(
    (
        f"Отпуск Кузнецовой согласован, телефон {SECRETS['телефон']}.",
        f"Отпуск: почта {SECRETS['почта']}, СНИЛС {SECRETS['снилс']}.",
        f"Отпуск, реквизиты: ИНН {SECRETS['инн']}, паспорт {SECRETS['паспорт']}, карта {SECRETS['карта']}.",
        "Отпуск длится 28 дней.",
    )
)
NAME = "Отпуск +7 (912) 345-67-89.txt"
SECTION = f"Связь {SECRETS['телефон']}"
SCHEMA = {"type": "object", "properties": {"телефон": {"type": ["string", "null"]}}, "required": ["телефон"]}
PAIRS = f"вопрос;ответ\r\nКакой телефон у Кузнецовой в отпуске?;{SECRETS['телефон']}\r\n".encode()
QUESTION = "Какой телефон у Кузнецовой в отпуске?"
UNSEEN = {("GET", "/live"), ("GET", "/ready"), ("GET", "/openapi.json")}


def shows(text: str) -> list[str]:
    """Which values a text shows, whatever stands between their letters and digits."""
    bare = re.sub(r"[\W_]", "", text.casefold())
    return [name for name, value in SECRETS.items() if re.sub(r"[\W_]", "", value.casefold()).lstrip("7") in bare]


def add(base: SmallBase, collection: str, name: str = NAME) -> str:
    """Store one page whose passages are cut in the middle of values, as no careful cutter would."""
    cuts = [0, SAID.index("345-67"), SAID.index("@example"), SAID.index("123456,"), len(SAID)]
    with base.database.write() as conn:
        sha256 = f"{abs(hash((collection, name))):064x}"
        document = documents.add(conn, Upload(name, collection, "text/plain", 1, sha256), EVERYONE, now=1.0)
        jobs.lease(conn, "test", limit=10, now=1.0)
        made = tuple(
            NewPassage(0, SECTION, SAID[a:b], a, b, f"{sha256} {a}", vector_of(SAID[a:b]), index_text(SAID[a:b]))
            for a, b in pairwise(cuts)
        )
        ingested = Ingested(document.id, "text/plain", (NewPage(1, SAID),), made)
        assert passages.commit(conn, ingested, "test", now=1.0)
    return document.id


@dataclass
class World:
    """A masked collection with a document, its reader and its editor, and what each route was answered."""

    service: SmallService
    document: str
    administrator: httpx.Client
    editor: httpx.Client
    reader: httpx.Client


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with small_service(tmp_path_factory.mktemp("personal"), audit_questions=True) as service:
        administrator = service.client(service.key("admin", role=Role.ADMINISTRATOR))
        document = add(service.base, "A")
        path = service.parts.files.path(administrator.get(f"/v1/documents/{document}").json()["sha256"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SAID, encoding="utf-8")
        opinion = {"verdict": "up", "question": QUESTION, "answer": SAID, "comment": SECRETS["почта"]}
        administrator.post("/v1/feedback", json=opinion | {"document_ids": [document]}).raise_for_status()
        answer = administrator.post("/v1/policies", json={"collection": "A", "personal_data": "mask"})
        assert answer.json()["personal_data"] == "mask"
        editor = service.client(service.key("editor", "A", role=Role.EDITOR))
        reader = service.client(service.key("reader", "A"))
        yield World(service, document, administrator, editor, reader)


def calls(world: World) -> dict[tuple[str, str], dict[str, Any]]:
    """How each route is called so that it would show a value if it could."""
    chat = {"messages": [{"role": "user", "content": QUESTION}], "collection": "A"}
    asked = {"question": QUESTION, "collection": "A", "top_k": 10}
    extract = {"instruction": "Выпиши телефон", "json_schema": SCHEMA, "document_id": world.document}
    return {
        ("POST", "/v1/search"): {"json": {"query": "отпуск телефон почта карта", "collection": "A", "top_k": 20}},
        ("POST", "/v1/ask"): {"json": asked},
        ("POST", "/v1/chat/completions"): {"json": chat},
        ("POST", "/v1/extract"): {"json": extract},
        ("POST", "/v1/evaluations"): {"files": {"file": ("q.csv", PAIRS)}, "data": {"collection": "A"}},
        ("POST", "/v1/documents"): {"files": {"file": (NAME, b"text")}, "data": {"collection": "A"}},
    }


def paths(world: World, path: str, run: str) -> str:
    return path.replace("{document_id}", world.document).replace("{page}", "1").replace("{evaluation_id}", run)


@pytest.mark.parametrize("caller", ["administrator", "editor", "reader"])
def test_no_route_shows_a_value_to_anybody(world: World, caller: str) -> None:
    client: httpx.Client = getattr(world, caller)
    run = a_finished_run(world)
    world.service.model.says = "Телефон Кузнецовой [телефон] [1]."
    seen = 0
    for method, path in sorted(routes(world.service.app)):
        if method == "DELETE" or (method, path) in UNSEEN:
            continue
        row, call = ROWS[(method, path)], calls(world).get((method, path))
        if path == "/v1/extract":
            world.service.model.says = '{"телефон": "[телефон]"}'
        answer = client.request(method, paths(world, path, run), **(call or row.call))
        if path.endswith("/content") and caller != "reader":
            assert answer.status_code == 200, "an editor has the original, in which nothing can be hidden"
            assert shows(answer.text)
            continue
        assert shows(answer.text + json.dumps(dict(answer.headers))) == [], (method, path, answer.text)
        assert shows(json.dumps(json_of(answer), ensure_ascii=False)) == [], (method, path)
        seen += answer.is_success
        world.service.model.says = "Телефон Кузнецовой [телефон] [1]."
    assert seen >= 12
    found = client.post("/v1/search", json={"query": "отпуск кузнецова телефон", "collection": "A"}).json()["passages"]
    assert found
    assert any("[телефон]" in one["text"] for one in found), "it is found all the same"


def json_of(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/chat/completions"])
def test_a_stream_shows_no_value_split_over_its_tokens(world: World, path: str) -> None:
    world.service.model.says = "Отпуск Кузнецовой согласован, телефон [телефон] [1]."
    body = calls(world)[("POST", path)]["json"] | {"stream": True}
    answer = world.reader.post(path, json=body)
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    told = "".join(
        e.get("text", "") or "".join(c["delta"].get("content", "") for c in e.get("choices", [])) for e in events
    )
    assert "телефон" in told.casefold()
    assert shows(told) == []
    assert shows(answer.text) == []
    prompt = json.dumps(world.service.model.requests, ensure_ascii=False)
    assert shows(prompt) == [], "the model itself is not told, so it has nothing to give away"


def test_only_editors_have_the_original_and_its_pictures_and_readers_are_told_why(world: World) -> None:
    for path in ("content", "pages/1/image"):
        answer = world.reader.get(f"/v1/documents/{world.document}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (403, "personal_data_masked")
        assert "редактор" in answer.json()["detail"]
    assert world.editor.get(f"/v1/documents/{world.document}/content").status_code == 200


def test_questions_to_it_are_not_logged_with_their_text_even_where_the_log_keeps_texts(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    telling = f"Чей это номер: {SECRETS['телефон']}?"
    world.service.model.says = "Телефон Кузнецовой [телефон] [1]."
    for collection in ("A", None):
        world.reader.post("/v1/ask", json={"question": telling, "collection": collection})
        world.reader.post("/v1/search", json={"query": telling, "collection": collection})
    world.service.parts.audit.flush()
    with world.service.base.database.read() as conn:
        entries = audit.listing(conn, Span(), limit=10_000)
    asked = [one.event for one in entries if one.event.action in (Action.ASKED, Action.SEARCHED)]
    assert len(asked) >= 4
    assert not any("question" in event.detail for event in asked)
    assert [one for one in entries if shows(repr(one.event.detail))] == []
    assert [one.getMessage() for one in caplog.records if shows(one.getMessage())] == []


def test_reports_of_evaluations_are_closed_to_readers_and_mask_what_was_found(world: World) -> None:
    run = a_finished_run(world)
    for name in ("report", "report.json"):
        answer = world.reader.get(f"/v1/evaluations/{run}/{name}")
        assert (answer.status_code, answer.json()["code"]) == (403, "personal_data_masked")
    asked = world.editor.get(f"/v1/evaluations/{run}/report.json").json()["questions"]
    assert all(shows(json.dumps(one["passages"], ensure_ascii=False)) == [] for one in asked)


def a_finished_run(world: World) -> str:
    """An evaluation whose own question expects no value."""
    sent = {"files": {"file": ("q.csv", "вопрос;ответ\r\nСколько длится отпуск?;28\r\n".encode())}}
    while (began := world.editor.post("/v1/evaluations", **sent, data={"collection": "A"})).status_code == 503:
        time.sleep(0.02)
    run: str = began.json()["id"]
    while world.editor.get(f"/v1/evaluations/{run}").json()["status"] == "running":
        time.sleep(0.02)
    return run


def test_a_change_of_policy_works_at_once_both_ways_is_the_administrators_and_is_written_down(world: World) -> None:
    assert world.editor.post("/v1/policies", json={"collection": "A", "personal_data": "allow"}).status_code == 403
    page = f"/v1/documents/{world.document}/pages/1"
    assert "[телефон]" in world.reader.get(page).json()["text"]
    world.administrator.post("/v1/policies", json={"collection": "A", "personal_data": "allow"}).raise_for_status()
    try:
        assert world.reader.get(page).json()["text"] == SAID
        assert world.reader.get(f"/v1/documents/{world.document}").json()["name"] == NAME
    finally:
        world.administrator.post("/v1/policies", json={"collection": "A", "personal_data": "mask"}).raise_for_status()
    assert "[телефон]" in world.reader.get(page).json()["text"]
    told = [e for e in world.administrator.get("/v1/audit?limit=1000").json()["items"] if e["action"] == "policy_set"]
    assert [e["detail"]["personal_data"] for e in told][-2:] == ["allow", "mask"]
    assert told[-1]["object"] == "A"


def test_other_collections_show_what_they_hold(world: World) -> None:
    document = add(world.service.base, "B", "открыто.txt")
    assert world.administrator.get(f"/v1/documents/{document}/pages/1").json()["text"] == SAID


def test_hidden_names_cannot_be_guessed_by_searching_for_parts_of_them(world: World) -> None:
    def listed(part: str) -> int:
        return len(world.reader.get("/v1/documents", params={"name": part}).json()["items"])

    assert listed("Отпуск") >= 1
    assert listed("345-67") == 0


def test_policies_are_listed_with_how_many_documents_hold_something(tmp_path: Path) -> None:
    base = SmallBase(tmp_path)
    document = add(base, "A")
    with base.database.write() as conn:
        policies.set_policy(conn, "пустая", PersonalPolicy.REFUSE, now=5.0)
        first = policies.listing(conn)
        policies.note(conn, document, {})
        policies.note(conn, document, policies_of(SAID))
        second = policies.listing(conn)
        assert vectors.state(conn).is_clean
    assert [(one.collection, one.documents, one.holding, one.unchecked) for one in first] == [
        ("A", 1, 0, 1),
        ("пустая", 0, 0, 0),
    ]
    assert (second[0].holding, second[0].unchecked) == (1, 0)
    base.close()


def policies_of(text: str) -> dict[Any, int]:
    from retrieval.personal_data import count

    return count([text])
