"""What is opened to whom: the only place where rights are read, given and taken."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, delete, false, or_, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert
from uuid_utils import uuid7

from core.errors import InvalidRequest, NotFound
from core.types import NOTHING, Principal, Reach, Role
from retrieval.store.schema import api_keys, documents, grants, groups, users


class SubjectKind(StrEnum):
    """Whom a grant is for."""

    USER = "user"
    GROUP = "group"
    KEY = "key"


class ObjectKind(StrEnum):
    """What a grant opens."""

    EVERYTHING = "everything"
    COLLECTION = "collection"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Subject:
    """A user, a group or a key by its id."""

    kind: SubjectKind
    id: str


@dataclass(frozen=True, slots=True)
class Opening:
    """A role over an object; `name` is a collection's name or a document's id, empty for everything."""

    kind: ObjectKind
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Grant:
    """An opening in force. `subject` is the name of the user or group; of a key its id: names are shared."""

    id: str
    kind: SubjectKind
    subject: str
    opening: Opening
    created_at: float

    def described(self) -> dict[str, str]:
        """Return it in words for the audit log."""
        opening = self.opening
        return {"to": f"{self.kind}:{self.subject}", "role": opening.role, opening.kind: opening.name}


def give(conn: Connection, subject: Subject, opening: Opening, *, now: float) -> str:
    """Open something to somebody, in place of the role they had over it; return the grant's id.

    Raises `InvalidRequest` when an administrator is not one of everything, `NotFound` for a document that is not there.
    """
    _check(conn, opening)
    values = {
        "id": str(uuid7()),
        "subject_kind": subject.kind,
        "subject_id": subject.id,
        "object_kind": opening.kind,
        "object": opening.name,
        "role": opening.role,
        "created_at": now,
    }
    placed = insert(grants).values(values)
    placed = placed.on_conflict_do_update(
        index_elements=["subject_kind", "subject_id", "object_kind", "object"],
        set_={"role": placed.excluded.role, "created_at": placed.excluded.created_at},
    )
    grant_id: str = conn.execute(placed.returning(grants.c.id)).scalar_one()
    return grant_id


def _check(conn: Connection, opening: Opening) -> None:
    if opening.role is Role.ADMINISTRATOR and opening.kind is not ObjectKind.EVERYTHING:
        raise InvalidRequest(
            "bad_grant", "Администратором можно быть только над всем: не указывайте коллекцию и документ."
        )
    if (opening.kind is ObjectKind.EVERYTHING) == bool(opening.name):
        raise InvalidRequest("bad_grant", "Назовите коллекцию или номер документа — или ничего, чтобы открыть всё.")
    if opening.kind is ObjectKind.DOCUMENT:
        known = conn.execute(select(documents.c.id).where(documents.c.id == opening.name)).first()
        if known is None:
            raise NotFound("document_not_found", "Документ не найден: он удалён или такого не было.")


def withdraw(conn: Connection, grant_id: str) -> Grant:
    """End a grant and return it; raise `NotFound` when there is none with this id."""
    found = [grant for grant in listing(conn) if grant.id == grant_id]
    if not found:
        raise NotFound("grant_not_found", "Такого права нет. Список: znayka grants list.")
    conn.execute(delete(grants).where(grants.c.id == grant_id))
    return found[0]


def withdraw_all(conn: Connection, subject: Subject) -> None:
    """End everything that is opened to a subject."""
    conn.execute(delete(grants).where(_is_of([subject])))


def listing(conn: Connection) -> list[Grant]:
    """Return every grant, oldest first; those of keys that are revoked no longer count and are left out."""
    rows = conn.execute(
        select(grants, users.c.name.label("user"), groups.c.name.label("group"))
        .outerjoin(users, and_(grants.c.subject_kind == SubjectKind.USER, users.c.id == grants.c.subject_id))
        .outerjoin(groups, and_(grants.c.subject_kind == SubjectKind.GROUP, groups.c.id == grants.c.subject_id))
        .outerjoin(api_keys, and_(grants.c.subject_kind == SubjectKind.KEY, api_keys.c.id == grants.c.subject_id))
        .where(api_keys.c.revoked_at.is_(None))
        .order_by(grants.c.created_at, grants.c.id)
    )
    return [
        Grant(
            row.id,
            SubjectKind(row.subject_kind),
            row.user or row.group or row.subject_id,
            Opening(ObjectKind(row.object_kind), row.object, Role(row.role)),
            row.created_at,
        )
        for row in rows
    ]


def openings(conn: Connection, subjects: Collection[Subject]) -> list[Opening]:
    """Return all that is opened to any of the subjects, in a stable order."""
    rows = conn.execute(
        select(grants.c.object_kind, grants.c.object, grants.c.role)
        .where(_is_of(subjects))
        .order_by(grants.c.object_kind, grants.c.object, grants.c.role)
    )
    return [Opening(ObjectKind(row.object_kind), row.object, Role(row.role)) for row in rows]


def principal(conn: Connection, name: str, subjects: Collection[Subject]) -> Principal:
    """Return the caller who is all of these subjects at once; one to whom nothing is opened reads nothing."""
    found = openings(conn, subjects)
    reads, edits = _reach(found), _reach(one for one in found if one.role is not Role.READER)
    return Principal(
        name,
        reads.collections,
        reads.documents,
        edits=None if edits == reads else edits,
        is_administrator=any(one.role is Role.ADMINISTRATOR for one in found),
    )


def _reach(found: Iterable[Opening]) -> Reach:
    names: dict[ObjectKind, set[str]] = {kind: set() for kind in ObjectKind}
    for one in found:
        names[one.kind].add(one.name)
    if names[ObjectKind.EVERYTHING]:
        return Reach()
    reach = Reach(frozenset(names[ObjectKind.COLLECTION]), frozenset(names[ObjectKind.DOCUMENT]))
    return reach if reach != NOTHING else NOTHING


def inherit(conn: Connection, heir: str, older: Collection[str]) -> None:
    """Open a new edition of a document to those to whom the older ones are open singly."""
    rows = conn.execute(
        select(grants).where(grants.c.object_kind == ObjectKind.DOCUMENT, grants.c.object.in_(sorted(older)))
    ).all()
    for row in rows:
        taken = update(grants).where(grants.c.id == row.id).values(object=heir)
        same = and_(
            grants.c.subject_kind == row.subject_kind,
            grants.c.subject_id == row.subject_id,
            grants.c.object_kind == ObjectKind.DOCUMENT,
            grants.c.object == heir,
        )
        if conn.execute(select(grants.c.id).where(same)).first() is None:
            conn.execute(taken)


def forget_documents(conn: Connection, which: ColumnElement[bool]) -> None:
    """End the grants of single documents that `which` selects, before those go."""
    ids = select(documents.c.id).where(which)
    conn.execute(delete(grants).where(grants.c.object_kind == ObjectKind.DOCUMENT, grants.c.object.in_(ids)))


def _is_of(subjects: Collection[Subject]) -> ColumnElement[bool]:
    if not subjects:
        return false()
    wanted = [(str(subject.kind), subject.id) for subject in subjects]
    return or_(tuple_(grants.c.subject_kind, grants.c.subject_id).in_(wanted))
