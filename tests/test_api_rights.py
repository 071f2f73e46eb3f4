"""Rights at the API: every route with every kind of caller."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from core.types import Role
from tests.rights_table import ROWS, STANDINGS, Row, filled, routes
from tests.rights_world import CALLERS, World, a_document, a_finished_run, rights_world, until_over


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with rights_world(tmp_path_factory.mktemp("rights")) as made:
        yield made


def test_every_route_has_a_row_and_every_standing_a_caller(world: World) -> None:
    assert routes(world.service.app) == set(ROWS)
    assert set(CALLERS.values()) == set(STANDINGS)
    assert {len(row.statuses) for row in ROWS.values()} == {len(STANDINGS)}


@pytest.mark.parametrize("which", ROWS, ids=" ".join)
def test_a_route_answers_each_caller_as_the_table_says(world: World, which: tuple[str, str]) -> None:
    row = ROWS[which]
    expected = dict(zip(STANDINGS, row.statuses, strict=True))
    told = {caller: status_of(world, which, row, caller) for caller in CALLERS}
    assert told == {caller: expected[standing] for caller, standing in CALLERS.items()}


def status_of(world: World, which: tuple[str, str], row: Row, caller: str) -> int:
    path = row.path or which[1]
    names = {"{new}": uuid4().hex}
    if "{a}" in path:
        names["{a}"] = world.document
    if "{run}" in path:
        names["{run}"] = world.run
    path, call = filled(path, names), filled(row.call, names)
    world.service.model.says = row.says
    while (answer := world.clients[caller].request(which[0], path, **call)).status_code == 503:
        assert answer.json()["code"] == "evaluation_running"
        time.sleep(0.02)
    if which == ("POST", "/v1/evaluations") and answer.status_code == 202:
        until_over(world, answer.json()["id"])
    if which[0] == "DELETE" and answer.status_code == 204:
        world.forget()
    if answer.status_code in (401, 403, 404):
        assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code


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
