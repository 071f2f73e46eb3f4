"""A service with one caller of every kind: keys, people by token and by proxy, groups, single documents, the page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import Connection

from core.types import Role
from retrieval.store import grants, keys, people
from retrieval.store.grants import ObjectKind, Opening, SubjectKind
from retrieval.store.keys import Terms
from tests.identity_provider import CLIENT_ID, Provider, identity_provider, new_key, sign
from tests.rights_table import PAIRS
from tests.small_service import SmallService, small_service

# What each caller may, in the words of `rights_table.STANDINGS`.
CALLERS = {
    "nobody": "not let in",
    "bad key": "not let in",
    "expired key": "not let in",
    "revoked key": "not let in",
    "key that may not name a user": "not let in",
    "token of another signer": "not let in",
    "blocked user by token": "not let in",
    "unknown user by token": "nothing open",
    "key over nothing": "nothing open",
    "reader of B": "reader of B",
    "editor of B": "editor of B",
    "user of another document by token": "reader of another document of A",
    "user of the document by token": "reader of the document",
    "member of a group of the document by proxy": "reader of the document",
    "reader of A": "reader of A",
    "user by token": "reader of A",
    "user by proxy": "reader of A",
    "the page's key": "reader of A",
    "the page's key for a user": "reader of A",
    "editor": "editor of A",
    "member of a group by token": "editor of A",
    "member of a group by proxy": "editor of A",
    "administrator": "administrator",
    "administrator by token": "administrator",
}
READERS, EDITORS, ONE_DOCUMENT = "/читатели", "/редакторы", "один документ"
KEY_SOON_S = 0.2


@dataclass
class World:
    """The service with the callers; `document` and `run` are of collection A and made anew once they are gone."""

    service: SmallService
    clients: dict[str, httpx.Client]
    document_id: str = ""
    run_id: str = ""

    @property
    def document(self) -> str:
        """A document that is also open singly, to a user and to a group."""
        if not self.document_id:
            self.document_id = a_document(self)
            with self.service.base.database.write() as conn:
                opening = Opening(ObjectKind.DOCUMENT, self.document_id, Role.READER)
                _open(conn, SubjectKind.USER, "одна", opening)
                _open(conn, SubjectKind.GROUP, ONE_DOCUMENT, opening)
        return self.document_id

    @property
    def run(self) -> str:
        """An evaluation that is over."""
        if not self.run_id:
            self.run_id = a_finished_run(self)
        return self.run_id

    def forget(self) -> None:
        """One of the two was deleted."""
        self.document_id = self.run_id = ""


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
    """An evaluation of collection A that is over."""
    sent = {"files": {"file": (f"{uuid4()}.csv", PAIRS)}, "data": {"collection": "A"}}
    # A run is over a moment before the next one may start.
    while (began := world.clients["administrator"].post("/v1/evaluations", **sent)).status_code == 503:
        time.sleep(0.02)
    run_id: str = began.json()["id"]
    assert until_over(world, run_id) == "done"
    return run_id


def until_over(world: World, run_id: str) -> str:
    """Wait for the end of an evaluation, and answer which it was."""
    while (run := world.clients["administrator"].get(f"/v1/evaluations/{run_id}").json())["status"] == "running":
        time.sleep(0.02)
    return str(run["status"])


@contextmanager
def rights_world(folder: Path) -> Iterator[World]:
    """Serve until the block ends."""
    with (
        identity_provider() as provider,
        small_service(
            folder, oidc_issuer=provider.url, oidc_client_id=CLIENT_ID, trusted_proxy_addresses="127.0.0.1"
        ) as service,
    ):
        provider.lifetime_s = 86_400
        service.base.add("Отпуск длится 28 дней.", collection="A")
        service.base.add("Премия выплачивается в марте.", collection="B")
        another = service.base.add("Отпуск длится 28 дней, другой приказ.", collection="A")
        with service.base.database.write() as conn:
            _add_people(conn, another)
        clients = _keys(service) | _signed_in(service, provider)
        assert set(clients) == set(CALLERS)
        yield World(service, clients)


def _add_people(conn: Connection, another_document: str) -> None:
    now = time.time()
    for name in ("читатель", "одна", "другая", "главный", "уволенный", "человек"):
        people.add_user(conn, name, now=now)
    for name in (READERS, EDITORS, ONE_DOCUMENT, "люди"):
        people.add_group(conn, name, now=now)
    people.block_user(conn, "уволенный", now=now)
    people.add_user(conn, "участница", now=now)
    people.join(conn, "участница", EDITORS)
    _open(conn, SubjectKind.USER, "читатель", Opening(ObjectKind.COLLECTION, "A", Role.READER))
    _open(conn, SubjectKind.USER, "уволенный", Opening(ObjectKind.COLLECTION, "A", Role.EDITOR))
    _open(conn, SubjectKind.GROUP, READERS, Opening(ObjectKind.COLLECTION, "A", Role.READER))
    _open(conn, SubjectKind.GROUP, EDITORS, Opening(ObjectKind.COLLECTION, "A", Role.EDITOR))
    _open(conn, SubjectKind.USER, "другая", Opening(ObjectKind.DOCUMENT, another_document, Role.READER))
    _open(conn, SubjectKind.USER, "главный", Opening(ObjectKind.EVERYTHING, "", Role.ADMINISTRATOR))


def _open(conn: Connection, kind: SubjectKind, name: str, opening: Opening) -> None:
    grants.give(conn, people.subject(conn, kind, name), opening, now=time.time())


def _keys(service: SmallService) -> dict[str, httpx.Client]:
    soon = time.time() + KEY_SOON_S
    secrets: dict[str, str | None] = {
        "nobody": None,
        "bad key": "znk_" + "0" * 43,
        "expired key": service.key("expired", "A", expires_at=soon),
        "revoked key": service.key("revoked", "A", role=Role.EDITOR),
        "reader of A": service.key("reader-a", "A"),
        "reader of B": service.key("reader-b", "B"),
        "editor": service.key("editor-a", "A", role=Role.EDITOR),
        "editor of B": service.key("editor-b", "B", role=Role.EDITOR),
        "administrator": service.key("admin", role=Role.ADMINISTRATOR),
    }
    with service.base.database.write() as conn:
        keys.revoke(conn, next(key.id for key in keys.listing(conn) if key.name == "revoked"), now=time.time())
        secrets["key over nothing"] = keys.create(conn, "nothing", [], now=time.time())
        # As docs/operations.md has it made: a reader of everything that may name the person it asks for.
        terms = Terms(Role.READER, speaks_for_users=True)
        page = keys.create(conn, "page", None, now=time.time(), terms=terms)
    time.sleep(max(0.0, soon - time.time()))
    clients = {name: service.client(secret) for name, secret in secrets.items()}
    clients["key that may not name a user"] = service.client(secrets["editor"], **_named("читатель"))
    clients["the page's key"] = service.client(page)
    clients["the page's key for a user"] = service.client(page, **_named("читатель"))
    return clients


def _signed_in(service: SmallService, provider: Provider) -> dict[str, httpx.Client]:
    def by_token(name: str, *groups: str) -> httpx.Client:
        return service.client(provider.token(preferred_username=name, groups=list(groups)))

    forged = sign(new_key(), provider.claims(preferred_username="главный"), kid=provider.keys[0].kid)
    return {
        "token of another signer": service.client(forged),
        "blocked user by token": by_token("уволенный", EDITORS),
        "unknown user by token": by_token("никому не известный", "/прочие"),
        "user by token": by_token("читатель"),
        "user of the document by token": by_token("одна"),
        "user of another document by token": by_token("другая"),
        "member of a group by token": by_token("по списку сервера входа", EDITORS),
        "administrator by token": by_token("главный"),
        "user by proxy": service.client(**_named("кто-то", READERS)),
        "member of a group by proxy": service.client(**_named("участница")),
        "member of a group of the document by proxy": service.client(**_named("третий", ONE_DOCUMENT)),
    }


def _named(name: str, groups: str = "") -> dict[str, Any]:
    """The headers in which a proxy names a visitor; their values are bytes of UTF-8."""
    shown = {"X-Forwarded-User": name} | ({"X-Forwarded-Groups": groups} if groups else {})
    return {header: value.encode() for header, value in shown.items()}
