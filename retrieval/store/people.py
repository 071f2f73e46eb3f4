"""Users and groups. A name stands for one person in whatever case and form its letters come."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, Table, delete, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or_ignore
from uuid_utils import uuid7

from core.errors import InvalidRequest, NotFound
from core.types import Principal
from retrieval.store import grants
from retrieval.store.grants import Subject, SubjectKind
from retrieval.store.schema import groups, memberships, users

NAME_MAX_CHARS = 255
USER_PREFIX = "user:"  # of a principal's name: a key can bear no such name


@dataclass(frozen=True, slots=True)
class User:
    """A person who is known by name. `blocked_at` is set for one who is no longer let in."""

    name: str
    groups: tuple[str, ...]
    created_at: float
    blocked_at: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """A set of users; the provider of identities may add to it people who are not known here."""

    name: str
    users: tuple[str, ...]
    created_at: float


def canonical(name: str) -> str:
    """Return the one form of a name; raise `InvalidRequest` for an empty, long or unprintable one.

    Directories take «Иванов» and «иванов» for the same: a second form must not slip past a block.
    """
    plain = unicodedata.normalize("NFKC", name).strip().casefold()
    if not plain or len(plain) > NAME_MAX_CHARS or not plain.isprintable():
        raise InvalidRequest("bad_name", f"Имя — от 1 до {NAME_MAX_CHARS} печатных знаков.")
    return plain


def add_user(conn: Connection, name: str, *, now: float) -> str:
    """Make a user known and return the name's canonical form; one who was blocked is let in again."""
    plain = canonical(name)
    made = insert_or_ignore(users).values(id=str(uuid7()), name=plain, created_at=now)
    conn.execute(made.on_conflict_do_update(index_elements=["name"], set_={"blocked_at": None}))
    return plain


def block_user(conn: Connection, name: str, *, now: float) -> None:
    """Let a user in no more, whatever the provider of identities says; raise `NotFound` for an unknown one."""
    user_id = _id(conn, users, name)
    conn.execute(update(users).where(users.c.id == user_id).values(blocked_at=now))


def add_group(conn: Connection, name: str, *, now: float) -> str:
    """Make a group and return the name's canonical form; raise `InvalidRequest` when there is one of this name."""
    plain = canonical(name)
    if conn.execute(select(groups.c.id).where(groups.c.name == plain)).first() is not None:
        raise InvalidRequest("group_exists", f"Группа «{plain}» уже есть.")
    conn.execute(insert(groups).values(id=str(uuid7()), name=plain, created_at=now))
    return plain


def remove_group(conn: Connection, name: str) -> None:
    """Remove a group with all that was opened to it."""
    group_id = _id(conn, groups, name)
    grants.withdraw_all(conn, Subject(SubjectKind.GROUP, group_id))
    conn.execute(delete(groups).where(groups.c.id == group_id))


def join(conn: Connection, user: str, group: str) -> None:
    """Put a user into a group."""
    member = {"user_id": _id(conn, users, user), "group_id": _id(conn, groups, group)}
    conn.execute(insert_or_ignore(memberships).values(member).on_conflict_do_nothing())


def leave(conn: Connection, user: str, group: str) -> None:
    """Take a user out of a group; raise `NotFound` for one who is not in it."""
    is_this = (memberships.c.user_id == _id(conn, users, user)) & (memberships.c.group_id == _id(conn, groups, group))
    if conn.execute(delete(memberships).where(is_this)).rowcount == 0:
        raise NotFound("not_a_member", f"Пользователя «{user}» нет в группе «{group}».")


def subject(conn: Connection, kind: SubjectKind, name: str) -> Subject:
    """Return the user or group of this name; raise `NotFound` when there is none."""
    return Subject(kind, _id(conn, users if kind is SubjectKind.USER else groups, name))


def resolve(conn: Connection, name: str, claimed: Collection[str]) -> Principal | None:
    """Return the person whom a provider of identities vouches for, in the groups it claims; None for a blocked one.

    Somebody unknown here has the rights of those groups alone.
    """
    plain = canonical(name)
    user = conn.execute(select(users).where(users.c.name == plain)).one_or_none()
    if user is not None and user.blocked_at is not None:
        return None
    names = func.json_each(json.dumps(sorted({_folded(one) for one in claimed}))).table_valued("value")
    mine = select(memberships.c.group_id).where(memberships.c.user_id == (user.id if user else ""))
    ids = conn.execute(select(groups.c.id).where(or_(groups.c.name.in_(select(names.c.value)), groups.c.id.in_(mine))))
    subjects = [Subject(SubjectKind.GROUP, id_) for id_ in ids.scalars()]
    if user is not None:
        subjects.append(Subject(SubjectKind.USER, user.id))
    return grants.principal(conn, f"{USER_PREFIX}{plain}", subjects)


def list_users(conn: Connection) -> list[User]:
    """Return all users by name."""
    rows = conn.execute(select(users).order_by(users.c.name)).all()
    return [User(row.name, _names(conn, groups, row.id), row.created_at, row.blocked_at) for row in rows]


def list_groups(conn: Connection) -> list[Group]:
    """Return all groups by name."""
    rows = conn.execute(select(groups).order_by(groups.c.name)).all()
    return [Group(row.name, _names(conn, users, row.id), row.created_at) for row in rows]


def _names(conn: Connection, of: Table, other_id: str) -> tuple[str, ...]:
    here, there = ("group_id", "user_id") if of is groups else ("user_id", "group_id")
    rows = select(of.c.name).join(memberships, memberships.c[here] == of.c.id).where(memberships.c[there] == other_id)
    return tuple(conn.execute(rows.order_by(of.c.name)).scalars())


def _id(conn: Connection, of: Table, name: str) -> str:
    found = conn.execute(select(of.c.id).where(of.c.name == _folded(name))).scalar_one_or_none()
    if found is None:
        word = "Пользователя" if of is users else "Группы"
        command = "users" if of is users else "groups"
        raise NotFound(f"{command[:-1]}_not_found", f"{word} «{name}» нет. Список: znayka {command} list.")
    return str(found)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()
