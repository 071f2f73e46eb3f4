"""Rights at the API: every route with every kind of caller, and ids of others that answer as if there were none."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.routing import Route

from core.types import Role
from tests.small_service import SmallService, small_service

CALLERS = ("none", "bad key", "expired", "reader of A", "reader of B", "editor", "administrator")
UNKNOWN = "0199aaaa-0000-7000-8000-000000000000"
PAIRS = "вопрос;ответ\r\nСколько дней отпуск?;28\r\n".encode()
SCHEMA = {"type": "object", "properties": {"days": {"type": ["string", "null"]}}, "required": ["days"]}


@dataclass(frozen=True)
class Row:
    """How a route is called, and the status for each caller in the order of `CALLERS`.

    `{a}` in the path is a document of collection A, made anew for each caller; `{run}` an evaluation of it.
    """

    statuses: tuple[int, ...]
    call: dict[str, Any] = field(default_factory=dict)
    path: str = ""
    says: str = "Отпуск длится 28 дней [1]."


def everybody(status: int) -> tuple[int, ...]:
    return (status,) * len(CALLERS)


def known(a: int, b: int, editor: int, administrator: int) -> tuple[int, ...]:
    """Those who are let in; the other three are refused."""
    return (401, 401, 401, a, b, editor, administrator)


ADMIN = {"json": {"name": "новый"}}
ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/live"): Row(everybody(200)),
    ("GET", "/ready"): Row(everybody(200)),
    ("GET", "/metrics"): Row(everybody(200)),
    ("GET", "/openapi.json"): Row(everybody(200)),
    ("POST", "/v1/documents"): Row(
        known(403, 404, 202, 202), {"files": {"file": ("a.txt", b"text")}, "data": {"collection": "A"}}
    ),
    ("GET", "/v1/documents"): Row(known(200, 200, 200, 200)),
    ("GET", "/v1/documents/{document_id}"): Row(known(200, 404, 200, 200), path="/v1/documents/{a}"),
    ("GET", "/v1/documents/{document_id}/content"): Row(known(200, 404, 200, 200), path="/v1/documents/{a}/content"),
    ("DELETE", "/v1/documents/{document_id}"): Row(known(403, 404, 204, 204), path="/v1/documents/{a}"),
    ("GET", "/v1/documents/{document_id}/pages/{page}"): Row(
        known(200, 404, 200, 200), path="/v1/documents/{a}/pages/1"
    ),
    ("GET", "/v1/documents/{document_id}/pages/{page}/image"): Row(
        known(415, 404, 415, 415), path="/v1/documents/{a}/pages/1/image"
    ),
    ("GET", "/v1/collections"): Row(known(200, 200, 200, 200)),
    ("POST", "/v1/search"): Row(known(200, 404, 200, 200), {"json": {"query": "отпуск", "collection": "A"}}),
    ("POST", "/v1/ask"): Row(known(200, 404, 200, 200), {"json": {"question": "Отпуск?", "collection": "A"}}),
    ("POST", "/v1/extract"): Row(
        known(200, 404, 200, 200),
        {"json": {"instruction": "Дни", "json_schema": SCHEMA, "collection": "A"}},
        says='{"days": "28"}',
    ),
    ("POST", "/v1/feedback"): Row(
        known(204, 204, 204, 204), {"json": {"verdict": "up", "question": "Отпуск?", "answer": "28 дней."}}
    ),
    ("GET", "/v1/feedback/pairs"): Row(known(200, 200, 200, 200)),
    ("POST", "/v1/chat/completions"): Row(
        known(200, 404, 200, 200), {"json": {"messages": [{"role": "user", "content": "Отпуск?"}], "collection": "A"}}
    ),
    ("GET", "/v1/models"): Row(known(200, 200, 200, 200)),
    ("POST", "/v1/evaluations"): Row(
        known(403, 404, 202, 202), {"files": {"file": ("q.csv", PAIRS)}, "data": {"collection": "A"}}
    ),
    ("GET", "/v1/evaluations"): Row(known(200, 200, 200, 200)),
    ("GET", "/v1/evaluations/{evaluation_id}"): Row(known(200, 404, 200, 200), path="/v1/evaluations/{run}"),
    ("GET", "/v1/evaluations/{evaluation_id}/report"): Row(
        known(200, 404, 200, 200), path="/v1/evaluations/{run}/report"
    ),
    ("GET", "/v1/evaluations/{evaluation_id}/report.json"): Row(
        known(200, 404, 200, 200), path="/v1/evaluations/{run}/report.json"
    ),
    ("DELETE", "/v1/evaluations/{evaluation_id}"): Row(known(403, 404, 204, 204), path="/v1/evaluations/{run}"),
    ("GET", "/v1/session"): Row(known(200, 200, 200, 200)),
    ("GET", "/v1/keys"): Row(known(403, 403, 403, 200)),
    ("POST", "/v1/keys"): Row(known(403, 403, 403, 201), ADMIN),
    ("DELETE", "/v1/keys/{key_id}"): Row(known(403, 403, 403, 404), path=f"/v1/keys/{UNKNOWN}"),
    ("GET", "/v1/grants"): Row(known(403, 403, 403, 200)),
    ("POST", "/v1/grants"): Row(
        known(403, 403, 403, 201), {"json": {"subject_kind": "group", "subject": "люди", "role": "reader"}}
    ),
    ("DELETE", "/v1/grants/{grant_id}"): Row(known(403, 403, 403, 404), path=f"/v1/grants/{UNKNOWN}"),
    ("GET", "/v1/users"): Row(known(403, 403, 403, 200)),
    ("POST", "/v1/users"): Row(known(403, 403, 403, 201), ADMIN),
    ("DELETE", "/v1/users"): Row(known(403, 403, 403, 204), path="/v1/users?name=человек"),
    ("GET", "/v1/groups"): Row(known(403, 403, 403, 200)),
    ("POST", "/v1/groups"): Row(known(403, 403, 403, 201), ADMIN),
    ("DELETE", "/v1/groups"): Row(known(403, 403, 403, 404), path="/v1/groups?name=нет"),
    ("POST", "/v1/memberships"): Row(known(403, 403, 403, 204), {"json": {"user": "человек", "group": "люди"}}),
    ("DELETE", "/v1/memberships"): Row(known(403, 403, 403, 404), path="/v1/memberships?user=человек&group=нет"),
    ("GET", "/v1/policies"): Row(known(403, 403, 403, 200)),
    ("POST", "/v1/policies"): Row(known(403, 403, 403, 200), {"json": {"collection": "Я", "personal_data": "mask"}}),
    ("GET", "/v1/audit"): Row(known(403, 403, 403, 200)),
}


@dataclass
class World:
    """A service with the callers of the table."""

    service: SmallService
    clients: dict[str, httpx.Client]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with small_service(tmp_path_factory.mktemp("rights")) as service:
        soon = time.time() + 0.2
        secrets: dict[str, str | None] = {
            "none": None,
            "bad key": "znk_" + "0" * 43,
            "expired": service.key("expired", expires_at=soon),
            "reader of A": service.key("reader-a", "A"),
            "reader of B": service.key("reader-b", "B"),
            "editor": service.key("editor-a", "A", role=Role.EDITOR),
            "administrator": service.key("admin", role=Role.ADMINISTRATOR),
        }
        time.sleep(max(0.0, soon - time.time()))
        clients = {name: service.client(secret) for name, secret in secrets.items()}
        service.base.add("Отпуск длится 28 дней.", collection="A")
        service.base.add("Премия выплачивается в марте.", collection="B")
        admin = clients["administrator"]
        admin.post("/v1/users", json={"name": "человек"}).raise_for_status()
        admin.post("/v1/groups", json={"name": "люди"}).raise_for_status()
        yield World(service, clients)
        for client in clients.values():
            client.close()


def routes(router: Any) -> set[tuple[str, str]]:
    """Every method and path that an application or a router answers, those of routers within it too."""
    found = set()
    for route in router.routes:
        if included := getattr(route, "original_router", None):
            assert route.include_context.prefix == "", "paths of this router would be other than they say"
            found |= routes(included)
        else:
            assert isinstance(route, Route), f"{type(route)} is of a kind that this table does not know"
            found |= {(method, route.path) for method in (route.methods or ()) if method != "HEAD"}
    return found


def test_every_route_has_a_row(world: World) -> None:
    assert routes(world.service.app) == set(ROWS)


@pytest.mark.parametrize("which", ROWS, ids=" ".join)
def test_a_route_answers_each_caller_as_the_table_says(world: World, which: tuple[str, str]) -> None:
    row = ROWS[which]
    assert [status_of(world, which, row, caller) for caller in CALLERS] == list(row.statuses)


def status_of(world: World, which: tuple[str, str], row: Row, caller: str) -> int:
    path = row.path or which[1]
    if "{a}" in path:
        path = path.replace("{a}", a_document(world))
    if "{run}" in path:
        path = path.replace("{run}", a_finished_run(world))
    world.service.model.says = row.says
    while (answer := world.clients[caller].request(which[0], path, **row.call)).status_code == 503:
        assert answer.json()["code"] == "evaluation_running"
        time.sleep(0.02)
    if which == ("POST", "/v1/evaluations") and answer.status_code == 202:
        until_over(world, answer.json()["id"])
    if answer.status_code in (401, 403, 404):
        assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code


def a_document(world: World) -> str:
    """A document with its bytes, in collection A."""
    service = world.service
    document_id = service.base.add(f"Отпуск длится 28 дней, {uuid4()}.", collection="A")
    sha256 = world.clients["administrator"].get(f"/v1/documents/{document_id}").json()["sha256"]
    path = service.parts.files.path(sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"text")
    return document_id


def a_finished_run(world: World) -> str:
    sent = {"files": {"file": (f"{uuid4()}.csv", PAIRS)}, "data": {"collection": "A"}}
    # A run is over a moment before the next one may start.
    while (began := world.clients["administrator"].post("/v1/evaluations", **sent)).status_code == 503:
        time.sleep(0.02)
    run_id: str = began.json()["id"]
    assert until_over(world, run_id) == "done"
    return run_id


def until_over(world: World, run_id: str) -> str:
    while (run := world.clients["administrator"].get(f"/v1/evaluations/{run_id}").json())["status"] == "running":
        time.sleep(0.02)
    return str(run["status"])


BY_ID = ("/v1/documents/{}", "/v1/documents/{}/content", "/v1/documents/{}/pages/1", "/v1/documents/{}/pages/1/image")


@pytest.mark.parametrize("path", BY_ID)
def test_an_id_of_others_answers_to_the_byte_as_one_that_does_not_exist(world: World, path: str) -> None:
    client = world.clients["reader of B"]
    foreign, unknown = client.get(path.format(a_document(world))), client.get(path.format(UNKNOWN))
    assert (foreign.status_code, foreign.content) == (unknown.status_code, unknown.content)
    assert foreign.status_code == 404
    assert _comparable(foreign) == _comparable(unknown)


def test_deleting_what_is_of_others_and_what_does_not_exist_answer_alike(world: World) -> None:
    client = world.clients["reader of B"]
    foreign = client.delete(f"/v1/documents/{a_document(world)}")
    unknown = client.delete(f"/v1/documents/{UNKNOWN}")
    assert (foreign.status_code, foreign.content) == (unknown.status_code, unknown.content)


def test_a_collection_of_others_and_one_that_does_not_exist_differ_by_the_name_that_was_sent_alone(
    world: World,
) -> None:
    client = world.clients["reader of B"]
    for path, name in (("/v1/search", "query"), ("/v1/ask", "question")):
        foreign = client.post(path, json={name: "отпуск", "collection": "A"})
        unknown = client.post(path, json={name: "отпуск", "collection": "Я"})
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.text.replace("«A»", "«Я»") == unknown.text


PAIRS_TIMED = 100
NAMED = {  # how an id, or a collection, is named in the body of a call
    ("POST", "/v1/extract"): {"json": {"instruction": "Дни", "json_schema": SCHEMA, "document_id": "{a}"}},
    ("POST", "/v1/search"): {"json": {"query": "отпуск", "collection": "{collection}"}},
    ("POST", "/v1/ask"): {"json": {"question": "Отпуск?", "collection": "{collection}"}},
    ("GET", "/v1/documents"): {"params": {"collection": "{collection}"}},
}
BY_NAME = [*(which for which, row in ROWS.items() if "{a}" in row.path or "{run}" in row.path), *NAMED]


@pytest.mark.parametrize("which", BY_NAME, ids=" ".join)
def test_what_is_of_others_takes_as_long_as_what_does_not_exist(world: World, which: tuple[str, str]) -> None:
    client = world.clients["reader of B"]
    foreign = {"{a}": a_document(world), "{run}": a_finished_run(world), "{collection}": "A"}
    unknown = {"{a}": UNKNOWN, "{run}": UNKNOWN, "{collection}": "Я"}
    calls = [_call(client, which, names) for names in (foreign, unknown)]
    assert len({call().status_code for call in calls}) == 1
    assert not _Pairs(*calls).measured(PAIRS_TIMED).tell_apart


def test_the_clock_of_the_test_above_notices_a_quarter_more(world: World) -> None:
    unknown = _call(world.clients["reader of B"], ("GET", "/v1/documents/{document_id}"), {"{a}": UNKNOWN})
    times = [_time_of(unknown) for _ in range(21)]

    def slower() -> None:
        unknown()
        until = time.perf_counter() + median(times) / 4
        while time.perf_counter() < until:
            pass

    pairs = _Pairs(slower, unknown)
    assert any(pairs.measured(PAIRS_TIMED).tell_apart for _ in range(5)), pairs  # more pairs where others work too


@dataclass
class _Pairs:
    """Two calls, made one after the other in random order, and how many times as long the first took in each pair."""

    one: Callable[[], object]
    other: Callable[[], object]
    ratios: list[float] = field(default_factory=list)
    order: random.Random = field(default_factory=lambda: random.Random(7))

    def measured(self, pairs: int) -> _Pairs:
        for _ in range(pairs):
            spent = {}
            for which in self.order.sample((0, 1), 2):
                spent[which] = _time_of((self.one, self.other)[which])
            self.ratios.append(spent[0] / spent[1])
        return self

    @property
    def tell_apart(self) -> bool:
        """Whether one is slower more often than four standard deviations of a fair coin, and by a tenth at that."""
        share = sum(ratio > 1 for ratio in self.ratios) / len(self.ratios)
        return abs(share - 0.5) > 2 / len(self.ratios) ** 0.5 and abs(median(self.ratios) - 1) > 0.1


def _call(client: httpx.Client, which: tuple[str, str], names: dict[str, str]) -> Callable[[], httpx.Response]:
    path, body = ROWS[which].path or which[1], json.dumps(NAMED.get(which, {}), ensure_ascii=False)
    for mark, name in names.items():
        path, body = path.replace(mark, name), body.replace(mark, name)
    return lambda: client.request(which[0], path, **json.loads(body))


def _time_of(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _comparable(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "date"}


def test_what_a_caller_is_told_of_their_rights_is_what_a_change_will_be_answered(world: World) -> None:
    run = a_finished_run(world)
    told = {"reader of A": (Role.READER, [], False), "editor": (Role.EDITOR, ["A"], True),
            "administrator": (Role.ADMINISTRATOR, None, True)}  # fmt: skip
    for caller, (role, editable, edits_all) in told.items():
        client, document_id = world.clients[caller], a_document(world)
        session = client.get("/v1/session").json()
        assert (session["role"], session["editable"], session["edits_all"]) == (role, editable, edits_all)

        document = client.get(f"/v1/documents/{document_id}").json()
        listed = client.get("/v1/documents", params={"limit": 500}).json()["items"]
        assert next(one for one in listed if one["id"] == document_id) == document
        assert document["editable"] is (client.delete(f"/v1/documents/{document_id}").status_code == 204)
        assert client.get(f"/v1/evaluations/{run}").json()["editable"] is (role is not Role.READER)
