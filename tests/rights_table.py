"""What each route answers to each kind of caller: the table that is compared with the application's own routes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.routing import Route

# What somebody may, from the view of collection A and one document of it.
STANDINGS = (
    "not let in",
    "nothing open",
    "reader of B",
    "editor of B",
    "reader of another document of A",
    "reader of the document",
    "reader of A",
    "editor of A",
    "administrator",
)
UNKNOWN = "0199aaaa-0000-7000-8000-000000000000"
PAIRS = "вопрос;ответ\r\nСколько дней отпуск?;28\r\n".encode()
SCHEMA = {"type": "object", "properties": {"days": {"type": ["string", "null"]}}, "required": ["days"]}


@dataclass(frozen=True)
class Row:
    """How a route is called, and the status for each standing in the order of `STANDINGS`.

    `{a}` in the path is the document of collection A, `{run}` an evaluation of A.
    """

    statuses: tuple[int, ...]
    call: dict[str, Any] = field(default_factory=dict)
    path: str = ""
    says: str = "Отпуск длится 28 дней [1]."


def everybody(status: int) -> tuple[int, ...]:
    return (status,) * len(STANDINGS)


def let_in(status: int) -> tuple[int, ...]:
    return (401, *(status,) * 8)


def administrators(status: int) -> tuple[int, ...]:
    return (401, *(403,) * 7, status)


def the_document(readers: int, editors: int) -> tuple[int, ...]:
    return (401, *(404,) * 4, *(readers,) * 2, *(editors,) * 2)


def the_run(readers: int, editors: int) -> tuple[int, ...]:
    """An evaluation of all of A, which holds words of documents that a reader of one of them may not see."""
    return (401, *(404,) * 5, readers, *(editors,) * 2)


def the_collection(status: int) -> tuple[int, ...]:
    return (401, *(404,) * 3, *(status,) * 5)


def adding(status: int) -> tuple[int, ...]:
    """Who changes nothing is refused before the collection is known; who changes another one does not learn of this."""
    return (401, 403, 403, 404, 403, 403, 403, status, status)


ADMIN = {"json": {"name": "новый"}}
ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/live"): Row(everybody(200)),
    ("GET", "/ready"): Row(everybody(200)),
    ("GET", "/metrics"): Row(everybody(200)),
    ("GET", "/openapi.json"): Row(everybody(200)),
    ("POST", "/v1/documents"): Row(adding(202), {"files": {"file": ("a.txt", b"text")}, "data": {"collection": "A"}}),
    ("GET", "/v1/documents"): Row(let_in(200)),
    ("GET", "/v1/documents/{document_id}"): Row(the_document(200, 200), path="/v1/documents/{a}"),
    ("GET", "/v1/documents/{document_id}/content"): Row(the_document(200, 200), path="/v1/documents/{a}/content"),
    ("DELETE", "/v1/documents/{document_id}"): Row(the_document(403, 204), path="/v1/documents/{a}"),
    ("GET", "/v1/documents/{document_id}/pages/{page}"): Row(the_document(200, 200), path="/v1/documents/{a}/pages/1"),
    ("GET", "/v1/documents/{document_id}/pages/{page}/image"): Row(
        the_document(415, 415), path="/v1/documents/{a}/pages/1/image"
    ),
    ("GET", "/v1/collections"): Row(let_in(200)),
    ("POST", "/v1/search"): Row(the_collection(200), {"json": {"query": "отпуск", "collection": "A"}}),
    ("POST", "/v1/ask"): Row(the_collection(200), {"json": {"question": "Отпуск?", "collection": "A"}}),
    ("POST", "/v1/extract"): Row(
        the_collection(200),
        {"json": {"instruction": "Дни", "json_schema": SCHEMA, "collection": "A"}},
        says='{"days": "28"}',
    ),
    ("POST", "/v1/feedback"): Row(
        let_in(204), {"json": {"verdict": "up", "question": "Отпуск?", "answer": "28 дней."}}
    ),
    ("GET", "/v1/feedback/pairs"): Row(let_in(200)),
    ("POST", "/v1/chat/completions"): Row(
        the_collection(200), {"json": {"messages": [{"role": "user", "content": "Отпуск?"}], "collection": "A"}}
    ),
    ("GET", "/v1/models"): Row(let_in(200)),
    ("POST", "/v1/evaluations"): Row(adding(202), {"files": {"file": ("q.csv", PAIRS)}, "data": {"collection": "A"}}),
    ("GET", "/v1/evaluations"): Row(let_in(200)),
    ("GET", "/v1/evaluations/{evaluation_id}"): Row(the_run(200, 200), path="/v1/evaluations/{run}"),
    ("GET", "/v1/evaluations/{evaluation_id}/report"): Row(the_run(200, 200), path="/v1/evaluations/{run}/report"),
    ("GET", "/v1/evaluations/{evaluation_id}/report.json"): Row(
        the_run(200, 200), path="/v1/evaluations/{run}/report.json"
    ),
    ("DELETE", "/v1/evaluations/{evaluation_id}"): Row(the_run(403, 204), path="/v1/evaluations/{run}"),
    ("GET", "/v1/session"): Row(let_in(200)),
    ("GET", "/v1/keys"): Row(administrators(200)),
    ("POST", "/v1/keys"): Row(administrators(201), ADMIN),
    ("DELETE", "/v1/keys/{key_id}"): Row(administrators(404), path=f"/v1/keys/{UNKNOWN}"),
    ("GET", "/v1/grants"): Row(administrators(200)),
    ("POST", "/v1/grants"): Row(
        administrators(201), {"json": {"subject_kind": "group", "subject": "люди", "role": "reader"}}
    ),
    ("DELETE", "/v1/grants/{grant_id}"): Row(administrators(404), path=f"/v1/grants/{UNKNOWN}"),
    ("GET", "/v1/users"): Row(administrators(200)),
    ("POST", "/v1/users"): Row(administrators(201), ADMIN),
    ("DELETE", "/v1/users"): Row(administrators(204), path="/v1/users?name=человек"),
    ("GET", "/v1/groups"): Row(administrators(200)),
    ("POST", "/v1/groups"): Row(administrators(201), {"json": {"name": "{new}"}}),
    ("DELETE", "/v1/groups"): Row(administrators(404), path="/v1/groups?name=нет"),
    ("POST", "/v1/memberships"): Row(administrators(204), {"json": {"user": "человек", "group": "люди"}}),
    ("DELETE", "/v1/memberships"): Row(administrators(404), path="/v1/memberships?user=человек&group=нет"),
    ("GET", "/v1/policies"): Row(administrators(200)),
    ("POST", "/v1/policies"): Row(administrators(200), {"json": {"collection": "Я", "personal_data": "mask"}}),
    ("GET", "/v1/audit"): Row(administrators(200)),
}


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


def filled(value: Any, names: dict[str, str]) -> Any:
    """The same with every `{mark}` in its texts replaced by its name."""
    if isinstance(value, str):
        for mark, name in names.items():
            value = value.replace(mark, name)
        return value
    if isinstance(value, dict):
        return {key: filled(each, names) for key, each in value.items()}
    return [filled(each, names) for each in value] if isinstance(value, list) else value
