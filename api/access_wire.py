"""Keys, users, groups, grants and the audit log as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, model_validator

from api.wire import Collection, Out, Request
from core.types import Principal, Role
from retrieval.store import people
from retrieval.store.audit import Action, Entry
from retrieval.store.grants import Grant, ObjectKind, Opening, SubjectKind
from retrieval.store.keys import Key, Terms
from retrieval.store.people import Group, User

Name = Annotated[str, Field(min_length=1, max_length=people.NAME_MAX_CHARS)]


class SessionOut(Out):
    """Who asks. `collections` null is all of them; `editable` is what of them may be changed.

    `edits_all` says that whatever they read, singly opened documents too, they may also change.
    """

    name: str
    role: Role
    collections: list[str] | None
    editable: list[str] | None
    documents: int
    edits_all: bool

    @classmethod
    def of(cls, principal: Principal) -> Self:
        """Build from the service's own type."""
        edits = principal.changes
        is_editor = edits.collections is None or bool(edits.collections or edits.documents)
        lesser = Role.EDITOR if is_editor else Role.READER
        return cls(
            name=principal.name,
            role=Role.ADMINISTRATOR if principal.is_administrator else lesser,
            collections=None if principal.collections is None else sorted(principal.collections),
            editable=None if edits.collections is None else sorted(edits.collections),
            documents=len(principal.documents),
            edits_all=principal.edits is None,
        )


class OpeningOut(Out):
    """A role over everything, a collection or a document; `object` is its name or id."""

    object_kind: ObjectKind
    object: str
    role: Role

    @classmethod
    def of(cls, opening: Opening) -> Self:
        """Build from the service's own type."""
        return cls(object_kind=opening.kind, object=opening.name, role=opening.role)


class GrantIn(Request):
    """`subject` is the name of a user or group or the id of a key; neither collection nor document means everything."""

    subject_kind: SubjectKind
    subject: Name
    role: Role
    collection: Collection | None = None
    document_id: Name | None = None

    @model_validator(mode="after")
    def _one_object(self) -> Self:
        if self.collection is not None and self.document_id is not None:
            raise ValueError("укажите либо collection, либо document_id")
        return self

    def opening(self) -> Opening:
        """What is to be opened."""
        if self.document_id is not None:
            return Opening(ObjectKind.DOCUMENT, self.document_id, self.role)
        if self.collection is not None:
            return Opening(ObjectKind.COLLECTION, self.collection, self.role)
        return Opening(ObjectKind.EVERYTHING, "", self.role)


class GrantOut(OpeningOut):
    """A grant in force."""

    id: str
    subject_kind: SubjectKind
    subject: str
    created_at: datetime

    @classmethod
    def of_grant(cls, grant: Grant) -> Self:
        """Build from the service's own type."""
        return cls(
            id=grant.id,
            subject_kind=grant.kind,
            subject=grant.subject,
            created_at=_moment(grant.created_at),
            object_kind=grant.opening.kind,
            object=grant.opening.name,
            role=grant.opening.role,
        )


class GrantsOut(Out):
    """Every grant, oldest first."""

    items: list[GrantOut]


class KeyIn(Request):
    """`collections` null opens all of them."""

    name: Name
    role: Role = Role.EDITOR
    collections: list[Collection] | None = None
    expires_at: AwareDatetime | None = None
    speaks_for_users: bool = False

    def terms(self) -> Terms:
        """Return what the key is to be good for."""
        return Terms(self.role, self.expires_at.timestamp() if self.expires_at else None, self.speaks_for_users)


class KeyOut(Out):
    """A key without its secret."""

    id: str
    name: str
    openings: list[OpeningOut]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    speaks_for_users: bool

    @classmethod
    def of(cls, key: Key) -> Self:
        """Build from the service's own type."""
        return cls(
            id=key.id,
            name=key.name,
            openings=[OpeningOut.of(one) for one in key.openings],
            created_at=_moment(key.created_at),
            expires_at=None if key.expires_at is None else _moment(key.expires_at),
            revoked_at=None if key.revoked_at is None else _moment(key.revoked_at),
            speaks_for_users=key.speaks_for_users,
        )


class NewKeyOut(KeyOut):
    """A key that was made this moment: the only time its secret is told."""

    secret: str


class KeysOut(Out):
    """Every key ever made, oldest first."""

    items: list[KeyOut]


class NameIn(Request):
    """A user or a group by name."""

    name: Name


class UserOut(Out):
    """A person who is known by name."""

    name: str
    groups: list[str]
    created_at: datetime
    blocked_at: datetime | None

    @classmethod
    def of(cls, user: User) -> Self:
        """Build from the service's own type."""
        blocked_at = None if user.blocked_at is None else _moment(user.blocked_at)
        return cls(name=user.name, groups=list(user.groups), created_at=_moment(user.created_at), blocked_at=blocked_at)


class UsersOut(Out):
    """All users by name."""

    items: list[UserOut]


class GroupOut(Out):
    """A group with the users that are put into it here; the provider of identities may add others."""

    name: str
    users: list[str]
    created_at: datetime

    @classmethod
    def of(cls, group: Group) -> Self:
        """Build from the service's own type."""
        return cls(name=group.name, users=list(group.users), created_at=_moment(group.created_at))


class GroupsOut(Out):
    """All groups by name."""

    items: list[GroupOut]


class MembershipIn(Request):
    """A user and the group they are put into."""

    user: Name
    group: Name


class EntryOut(Out):
    """What somebody did. `object` is an id or a name, by `action`; `detail` has what makes it readable."""

    id: int
    at: datetime
    principal: str
    action: Action
    object: str
    detail: dict[str, str]
    address: str

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Build from the service's own type."""
        event = entry.event
        return cls(
            id=entry.id,
            at=_moment(event.at),
            principal=event.principal,
            action=event.action,
            object=event.object,
            detail=dict(event.detail),
            address=event.address,
        )


class AuditOut(Out):
    """Entries, oldest first. `next_cursor` is None when these were the last ones up to now."""

    items: list[EntryOut]
    next_cursor: int | None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
