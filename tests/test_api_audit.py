"""The audit log of a running service: who did what is there, what was asked is not unless that is switched on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

import api.audit_log
from api.audit_log import AuditLog
from core.errors import TryLater
from core.types import Role
from retrieval.store import audit
from retrieval.store.audit import Action, Event, Span
from tests.small_base import SmallBase
from tests.small_service import SmallService, small_service

SECRET_QUESTION = "Сколько получает директор?"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    with small_service(tmp_path_factory.mktemp("audit")) as running:
        running.model.says = "Отпуск длится 28 дней [1]."
        yield running


@pytest.fixture(scope="module")
def admin(service: SmallService) -> Iterator[httpx.Client]:
    with service.client(service.key("главный", role=Role.ADMINISTRATOR)) as client:
        yield client


def entries(admin: httpx.Client, **wanted: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (
        admin.get("/v1/audit", params={"limit": 1000, **wanted}).raise_for_status().json()["items"]
    )
    return items


def test_everything_that_is_done_with_documents_is_written_down_without_the_questions(
    service: SmallService, admin: httpx.Client
) -> None:
    with service.client(service.key("отдел кадров", "кадры", role=Role.EDITOR)) as client:
        sent = client.post("/v1/documents", files={"file": ("Приказ.txt", b"text")}, data={"collection": "кадры"})
        uploaded = sent.json()[0]["id"]
        document = service.base.add("Отпуск длится 28 дней.", collection="кадры", name="Положение.txt")
        client.post("/v1/search", json={"query": SECRET_QUESTION})
        client.post("/v1/ask", json={"question": SECRET_QUESTION, "collection": "кадры"})
        client.post("/v1/ask", json={"question": SECRET_QUESTION, "stream": True})
        client.get(f"/v1/documents/{document}/pages/1")
        client.delete(f"/v1/documents/{document}")
        client.get("/v1/keys")
    # What changes the base is written down with the change, the rest a moment later.
    found = sorted((one for one in entries(admin) if one["principal"] == "отдел кадров"), key=lambda one: one["at"])
    assert [(one["action"], one["object"]) for one in found] == [
        ("uploaded", uploaded),
        ("searched", ""),
        ("asked", "кадры"),
        ("asked", ""),
        ("opened", document),
        ("deleted", document),
        ("forbidden", "GET /v1/keys"),
    ]
    assert found[0]["detail"] == {"name": "Приказ.txt", "collection": "кадры"}
    assert found[4]["detail"] == {"name": "Положение.txt", "page": "1"}
    assert {one["address"] for one in found} == {"127.0.0.1"}
    assert SECRET_QUESTION not in str(found)


def test_every_decision_over_rights_is_written_down_with_who_made_it(
    service: SmallService, admin: httpx.Client
) -> None:
    last = entries(admin)[-1]["id"]
    made = admin.post("/v1/keys", json={"name": "бот", "role": "reader", "collections": ["кадры"]}).json()
    admin.post("/v1/users", json={"name": "Иванов"})
    admin.post("/v1/groups", json={"name": "Дирекция"})
    admin.post("/v1/memberships", json={"user": "иванов", "group": "дирекция"})
    given = admin.post(
        "/v1/grants",
        json={"subject_kind": "group", "subject": "дирекция", "role": "editor", "collection": "кадры"},
    ).json()
    admin.delete(f"/v1/grants/{given['id']}")
    admin.delete("/v1/memberships", params={"user": "иванов", "group": "дирекция"})
    admin.delete("/v1/groups", params={"name": "дирекция"})
    admin.delete("/v1/users", params={"name": "иванов"})
    admin.delete(f"/v1/keys/{made['id']}")
    found = [one for one in entries(admin, cursor=last) if one["action"] != "audit_read"]
    assert [one["action"] for one in found] == [
        "key_made", "user_added", "group_added", "joined", "granted", "withdrawn", "left", "group_removed",
        "user_blocked", "key_revoked",
    ]  # fmt: skip
    assert {one["principal"] for one in found} == {"главный"}
    assert found[4]["detail"] == {"to": "group:дирекция", "role": "editor", "collection": "кадры"}
    assert made["secret"] not in str(found)


def test_a_refused_sign_in_is_written_down_without_what_was_shown(service: SmallService, admin: httpx.Client) -> None:
    last = entries(admin)[-1]["id"]
    expired = service.key("старый бот", expires_at=time.time() + 0.1)
    time.sleep(0.15)
    for secret in ("znk_nonsense", expired, None, None):
        assert service.client(secret).get("/v1/documents").status_code == 401
    found = [one for one in entries(admin, cursor=last) if one["action"] == "sign_in_refused"]
    reasons = {one["detail"]["reason"]: one["detail"]["times"] for one in found}
    assert set(reasons) == {"unknown key", "key старый бот has ended", "no key"}
    assert "nonsense" not in str(found)
    assert expired not in str(found)


def test_a_flood_of_bad_keys_is_a_few_rows_with_their_number(service: SmallService, admin: httpx.Client) -> None:
    service.parts.audit.flush()
    last = entries(admin)[-1]["id"]
    for _ in range(2000):
        service.parts.audit.note_refusal("unknown key", "10.0.0.1")
    found = [one for one in entries(admin, cursor=last) if one["address"] == "10.0.0.1"]
    assert sum(int(one["detail"]["times"]) for one in found) == 2000
    assert len(found) < 20


def test_the_log_is_read_page_by_page(service: SmallService, admin: httpx.Client) -> None:
    whole, seen, cursor = entries(admin), [], 0
    while cursor is not None:
        page = admin.get("/v1/audit", params={"limit": 3, "cursor": cursor}).json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert seen[: len(whole)] == [one["id"] for one in whole]


def test_questions_are_kept_when_that_is_switched_on(tmp_path: Path) -> None:
    with small_service(tmp_path, audit_questions=True) as service:
        admin = service.client(service.key("главный", role=Role.ADMINISTRATOR))
        admin.post("/v1/search", json={"query": SECRET_QUESTION})
        assert entries(admin)[0]["detail"] == {"question": SECRET_QUESTION}


def test_a_search_does_not_wait_for_a_writer_and_is_written_down_after_it(tmp_path: Path) -> None:
    with small_service(tmp_path, database_busy_timeout_s=0.1) as service:
        admin = service.client(service.key("главный", role=Role.ADMINISTRATOR))
        with service.base.database.write() as conn:
            conn.execute(text("UPDATE index_state SET terms = terms"))
            assert admin.post("/v1/search", json={"query": "отпуск"}).status_code == 200
            time.sleep(1)
            assert audit.listing(conn, Span(), limit=9) == []
        assert [one["action"] for one in entries(admin)] == ["searched"]


def test_when_too_much_waits_to_be_written_the_next_request_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.audit_log, "WAITING_MAX", 5)
    base = SmallBase(tmp_path)
    log = AuditLog(base.database, time.time)
    event = Event(0, "бот", Action.ASKED)
    with base.database.write():
        with pytest.raises(TryLater, match="audit_stuck"):
            _ = [log.note(event) for _ in range(20)]
        log.note_refusal("no key", "::1")
    log.flush()
    log.close()
    with base.database.read() as conn:
        assert len(audit.listing(conn, Span(), limit=99)) >= 5
    base.close()
