"""API keys: 256 random bits shown once; only a hash is kept. A revoked key stops working with the next request."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update
from uuid_utils import uuid7

from core.errors import InvalidRequest, NotFound
from core.types import Principal, Role
from retrieval.store import grants
from retrieval.store.grants import ObjectKind, Opening, Subject, SubjectKind
from retrieval.store.people import USER_PREFIX
from retrieval.store.schema import api_keys

SECRET_BYTES = 32
SECRET_PREFIX = "znk_"  # noqa: S105 - how every key begins


@dataclass(frozen=True, slots=True)
class Terms:
    """What a key is good for. `expires_at` None is never; `speaks_for_users` lets it name the person it asks for."""

    role: Role = Role.EDITOR
    expires_at: float | None = None
    speaks_for_users: bool = False


EDITOR = Terms()


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret, with all that is opened to it."""

    id: str
    name: str
    openings: tuple[Opening, ...]
    created_at: float
    revoked_at: float | None
    expires_at: float | None = None
    speaks_for_users: bool = False


def create(conn: Connection, name: str, collections: Iterable[str] | None, *, now: float, terms: Terms = EDITOR) -> str:
    """Make a key and return its secret, which cannot be shown again; `collections` None opens all of them."""
    secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    _insert(conn, name, secret, terms, now=now)
    _open(conn, secret, collections, terms.role, now=now)
    return secret


def add(
    conn: Connection,
    name: str,
    secret: str,
    collections: Iterable[str] | None,
    *,
    now: float,
    terms: Terms = EDITOR,
) -> bool:
    """Record a key whose secret was made elsewhere; False, and nothing changed, when that secret is known.

    Raises `InvalidRequest` for a secret of fewer than 32 characters.
    """
    if len(secret) < SECRET_BYTES:
        raise InvalidRequest("weak_key", f"Ключ слишком короткий: нужно не меньше {SECRET_BYTES} знаков.")
    if conn.execute(select(api_keys.c.id).where(api_keys.c.sha256 == _hash(secret))).first() is not None:
        return False
    _insert(conn, name, secret, terms, now=now)
    _open(conn, secret, collections, terms.role, now=now)
    return True


def _insert(conn: Connection, name: str, secret: str, terms: Terms, *, now: float) -> None:
    if not name.strip() or name.startswith(USER_PREFIX):
        raise InvalidRequest("bad_name", f"Имя ключа не может быть пустым или начинаться с «{USER_PREFIX}».")
    if terms.expires_at is not None and terms.expires_at <= now:
        raise InvalidRequest("bad_expiry", "Срок ключа уже прошёл. Укажите день в будущем.")
    conn.execute(
        insert(api_keys).values(
            id=str(uuid7()),
            name=name,
            sha256=_hash(secret),
            created_at=now,
            expires_at=terms.expires_at,
            speaks_for_users=terms.speaks_for_users,
        )
    )


def _open(conn: Connection, secret: str, collections: Iterable[str] | None, role: Role, *, now: float) -> None:
    key_id: str = conn.execute(select(api_keys.c.id).where(api_keys.c.sha256 == _hash(secret))).scalar_one()
    everything = [Opening(ObjectKind.EVERYTHING, "", role)]
    named = [Opening(ObjectKind.COLLECTION, name, role) for name in sorted(set(collections or ()))]
    for opening in everything if collections is None else named:
        grants.give(conn, Subject(SubjectKind.KEY, key_id), opening, now=now)


def resolve(conn: Connection, secret: str, *, now: float) -> Principal | None:
    """Return who shows this secret; None when it is unknown, revoked or past its time."""
    row = conn.execute(select(api_keys).where(api_keys.c.sha256 == _hash(secret), _in_force(now))).one_or_none()
    return None if row is None else grants.principal(conn, row.name, [Subject(SubjectKind.KEY, row.id)])


def speaks_for_users(conn: Connection, secret: str) -> bool:
    """Say whether a key may name the person it asks for."""
    flag = select(api_keys.c.speaks_for_users).where(api_keys.c.sha256 == _hash(secret))
    return bool(conn.execute(flag).scalar_one_or_none())


def ended_name(conn: Connection, secret: str) -> str | None:
    """Return the name of a key that was valid once, for the log of refusals; None for what never was a key."""
    return conn.execute(select(api_keys.c.name).where(api_keys.c.sha256 == _hash(secret))).scalar_one_or_none()


def exist(conn: Connection) -> bool:
    """Say whether any key was made and not revoked. One past its time counts: its end must not open the service."""
    return conn.execute(select(api_keys.c.id).where(api_keys.c.revoked_at.is_(None)).limit(1)).first() is not None


def listing(conn: Connection) -> list[Key]:
    """Return every key ever made, oldest first."""
    rows = conn.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)).all()
    return [
        Key(
            row.id,
            row.name,
            tuple(grants.openings(conn, [Subject(SubjectKind.KEY, row.id)])),
            row.created_at,
            row.revoked_at,
            row.expires_at,
            row.speaks_for_users,
        )
        for row in rows
    ]


def subject(conn: Connection, key_id: str) -> Subject:
    """Return a key that is not revoked; raise `NotFound` when there is none with this id."""
    found = select(api_keys.c.id).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    if conn.execute(found).first() is None:
        raise _not_found()
    return Subject(SubjectKind.KEY, key_id)


def revoke(conn: Connection, key_id: str, *, now: float) -> None:
    """End a key; raise `NotFound` when there is none in force with this id."""
    ended = conn.execute(
        update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    if ended.rowcount == 0:
        raise _not_found()


def _not_found() -> NotFound:
    return NotFound("key_not_found", "Действующего ключа с таким номером нет. Список: znayka keys list.")


def _in_force(now: float) -> ColumnElement[bool]:
    return api_keys.c.revoked_at.is_(None) & or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
