"""Who may do what: keys, users, groups and grants, for administrators; and for everybody, who they are here."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from api.access_wire import (
    GrantIn,
    GrantOut,
    GrantsOut,
    GroupOut,
    GroupsOut,
    KeyIn,
    KeyOut,
    KeysOut,
    MembershipIn,
    NameIn,
    NewKeyOut,
    SessionOut,
    UserOut,
    UsersOut,
)
from api.dependencies import AdministratorDep, PartsDep, PrincipalDep
from retrieval.store import audit, grants, keys, people
from retrieval.store.audit import Action
from retrieval.store.grants import Subject, SubjectKind

router = APIRouter(prefix="/v1", tags=["access"])


@router.get("/session")
def session(principal: PrincipalDep) -> SessionOut:
    """Say who asks and what they may do."""
    return SessionOut.of(principal)


@router.get("/keys")
def list_keys(found: PartsDep, _witness: AdministratorDep) -> KeysOut:
    """List the keys without their secrets."""
    with found.database.read() as conn:
        return KeysOut(items=[KeyOut.of(key) for key in keys.listing(conn)])


@router.post("/keys", status_code=HTTPStatus.CREATED)
def make_key(wanted: KeyIn, found: PartsDep, witness: AdministratorDep) -> NewKeyOut:
    """Make a key and tell its secret, this once."""
    with found.database.write() as conn:
        secret = keys.create(conn, wanted.name, wanted.collections, now=found.wall_clock(), terms=wanted.terms())
        key = keys.listing(conn)[-1]
        audit.write(conn, [witness.event(Action.KEY_MADE, key.id, name=key.name, role=wanted.role)])
    return NewKeyOut(secret=secret, **KeyOut.of(key).model_dump())


@router.delete("/keys/{key_id}", status_code=HTTPStatus.NO_CONTENT)
def revoke_key(key_id: str, found: PartsDep, witness: AdministratorDep) -> Response:
    """Revoke a key; the next request with it is refused."""
    with found.database.write() as conn:
        keys.revoke(conn, key_id, now=found.wall_clock())
        audit.write(conn, [witness.event(Action.KEY_REVOKED, key_id)])
    return _nothing()


@router.get("/grants")
def list_grants(found: PartsDep, _witness: AdministratorDep) -> GrantsOut:
    """List what is opened to whom."""
    with found.database.read() as conn:
        return GrantsOut(items=[GrantOut.of_grant(grant) for grant in grants.listing(conn)])


@router.post("/grants", status_code=HTTPStatus.CREATED)
def give(wanted: GrantIn, found: PartsDep, witness: AdministratorDep) -> GrantOut:
    """Open a collection, a document or everything to a user, a group or a key, in place of the role they had there."""
    with found.database.write() as conn:
        subject = _subject(conn, wanted)
        grant_id = grants.give(conn, subject, wanted.opening(), now=found.wall_clock())
        grant = next(one for one in grants.listing(conn) if one.id == grant_id)
        audit.write(conn, [witness.event(Action.GRANTED, grant.id, **grant.described())])
    return GrantOut.of_grant(grant)


@router.delete("/grants/{grant_id}", status_code=HTTPStatus.NO_CONTENT)
def withdraw(grant_id: str, found: PartsDep, witness: AdministratorDep) -> Response:
    """Withdraw a grant; the next request feels it."""
    with found.database.write() as conn:
        grant = grants.withdraw(conn, grant_id)
        audit.write(conn, [witness.event(Action.WITHDRAWN, grant.id, **grant.described())])
    return _nothing()


@router.get("/users")
def list_users(found: PartsDep, _witness: AdministratorDep) -> UsersOut:
    """List the users."""
    with found.database.read() as conn:
        return UsersOut(items=[UserOut.of(user) for user in people.list_users(conn)])


@router.post("/users", status_code=HTTPStatus.CREATED)
def add_user(wanted: NameIn, found: PartsDep, witness: AdministratorDep) -> UserOut:
    """Make a user known, so that something can be opened to them; one who was blocked is let in again."""
    with found.database.write() as conn:
        name = people.add_user(conn, wanted.name, now=found.wall_clock())
        audit.write(conn, [witness.event(Action.USER_ADDED, name)])
        return UserOut.of(next(user for user in people.list_users(conn) if user.name == name))


@router.delete("/users", status_code=HTTPStatus.NO_CONTENT)
def block_user(name: str, found: PartsDep, witness: AdministratorDep) -> Response:
    """Let the user of this name in no more, whatever the provider of identities says; who they are stays known."""
    with found.database.write() as conn:
        people.block_user(conn, name, now=found.wall_clock())
        audit.write(conn, [witness.event(Action.USER_BLOCKED, name)])
    return _nothing()


@router.get("/groups")
def list_groups(found: PartsDep, _witness: AdministratorDep) -> GroupsOut:
    """List the groups."""
    with found.database.read() as conn:
        return GroupsOut(items=[GroupOut.of(group) for group in people.list_groups(conn)])


@router.post("/groups", status_code=HTTPStatus.CREATED)
def add_group(wanted: NameIn, found: PartsDep, witness: AdministratorDep) -> GroupOut:
    """Make a group; one of the provider of identities is known by the same name."""
    with found.database.write() as conn:
        name = people.add_group(conn, wanted.name, now=found.wall_clock())
        audit.write(conn, [witness.event(Action.GROUP_ADDED, name)])
        return GroupOut.of(next(group for group in people.list_groups(conn) if group.name == name))


@router.delete("/groups", status_code=HTTPStatus.NO_CONTENT)
def remove_group(name: str, found: PartsDep, witness: AdministratorDep) -> Response:
    """Remove a group with all that was opened to it."""
    with found.database.write() as conn:
        people.remove_group(conn, name)
        audit.write(conn, [witness.event(Action.GROUP_REMOVED, name)])
    return _nothing()


@router.post("/memberships", status_code=HTTPStatus.NO_CONTENT)
def join(wanted: MembershipIn, found: PartsDep, witness: AdministratorDep) -> Response:
    """Put a user into a group."""
    with found.database.write() as conn:
        people.join(conn, wanted.user, wanted.group)
        audit.write(conn, [witness.event(Action.JOINED, wanted.group, user=wanted.user)])
    return _nothing()


@router.delete("/memberships", status_code=HTTPStatus.NO_CONTENT)
def leave(user: str, group: str, found: PartsDep, witness: AdministratorDep) -> Response:
    """Take a user out of a group."""
    with found.database.write() as conn:
        people.leave(conn, user, group)
        audit.write(conn, [witness.event(Action.LEFT, group, user=user)])
    return _nothing()


def _subject(conn: Connection, wanted: GrantIn) -> Subject:
    if wanted.subject_kind is SubjectKind.KEY:
        return keys.subject(conn, wanted.subject)
    return people.subject(conn, wanted.subject_kind, wanted.subject)


def _nothing() -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT)
