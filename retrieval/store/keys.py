"""API keys: 256 random bits shown once; only a hash is kept. A revoked key stops working with the next request."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update
from uuid_utils import uuid7

from core.errors import InvalidRequest, NotFound
from core.types import Principal
from retrieval.store.schema import api_keys

SECRET_BYTES = 32
SECRET_PREFIX = "znk_"


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret; `collections` None opens all of them."""

    id: str
    name: str
    collections: frozenset[str] | None
    created_at: float
    revoked_at: float | None


def create(conn: Connection, name: str, collections: Iterable[str] | None, *, now: float) -> str:
    """Make a key and return its secret, which cannot be shown again."""
    secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    add(conn, name, secret, collections, now=now)
    return secret


def add(conn: Connection, name: str, secret: str, collections: Iterable[str] | None, *, now: float) -> None:
    """Record a key whose secret was made elsewhere; the same secret twice is one key.

    Raises `InvalidRequest` for a secret of fewer than 32 characters.
    """
    if len(secret) < SECRET_BYTES:
        raise InvalidRequest("weak_key", f"Ключ слишком короткий: нужно не меньше {SECRET_BYTES} знаков.")
    if conn.execute(select(api_keys.c.id).where(api_keys.c.sha256 == _hash(secret))).first() is not None:
        return
    conn.execute(
        insert(api_keys).values(
            id=str(uuid7()),
            name=name,
            sha256=_hash(secret),
            collections=None if collections is None else json.dumps(sorted(collections), ensure_ascii=False),
            created_at=now,
        )
    )


def resolve(conn: Connection, secret: str) -> Principal | None:
    """Return who shows this secret; None when it is unknown or revoked."""
    row = conn.execute(
        select(api_keys).where(api_keys.c.sha256 == _hash(secret), api_keys.c.revoked_at.is_(None))
    ).one_or_none()
    return None if row is None else Principal(row.name, _collections(row.collections))


def exist(conn: Connection) -> bool:
    """Say whether any key is in force."""
    return conn.execute(select(api_keys.c.id).where(api_keys.c.revoked_at.is_(None)).limit(1)).first() is not None


def listing(conn: Connection) -> list[Key]:
    """Return every key ever made, oldest first."""
    rows = conn.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id))
    return [Key(r.id, r.name, _collections(r.collections), r.created_at, r.revoked_at) for r in rows]


def revoke(conn: Connection, key_id: str, *, now: float) -> None:
    """End a key; raise `NotFound` when there is none in force with this id."""
    ended = conn.execute(
        update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    if ended.rowcount == 0:
        raise NotFound("key_not_found", "Действующего ключа с таким номером нет. Список: znayka keys list.")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _collections(stored: str | None) -> frozenset[str] | None:
    return None if stored is None else frozenset(json.loads(stored))
