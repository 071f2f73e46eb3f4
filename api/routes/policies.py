"""What collections do with personal data, for administrators to see and to set."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Self

from fastapi import APIRouter

from api.dependencies import AdministratorDep, PartsDep
from api.wire import Collection, Out, Request
from core.types import PersonalPolicy
from retrieval.store import audit, policies
from retrieval.store.audit import Action
from retrieval.store.policies import CollectionPolicy

router = APIRouter(prefix="/v1", tags=["access"])


class PolicyIn(Request):
    """A collection, which need not exist yet, and what it is to do with personal data."""

    collection: Collection
    personal_data: PersonalPolicy


class PolicyOut(Out):
    """A collection's policy. Of its `documents`, `holding` hold personal data, `unchecked` were not looked through yet.

    `refuse` keeps out what is uploaded from now on; those that hold some already stay until they are deleted.
    """

    collection: str
    personal_data: PersonalPolicy
    changed_at: datetime | None
    documents: int
    holding: int
    unchecked: int

    @classmethod
    def of(cls, found: CollectionPolicy) -> Self:
        """Build from the service's own type."""
        return cls(
            collection=found.collection,
            personal_data=found.policy,
            changed_at=None if found.changed_at is None else datetime.fromtimestamp(found.changed_at, UTC),
            documents=found.documents,
            holding=found.holding,
            unchecked=found.unchecked,
        )


class PoliciesOut(Out):
    """Every collection that has documents or a policy, by name."""

    items: list[PolicyOut]


@router.get("/policies")
def listing(found: PartsDep, _witness: AdministratorDep) -> PoliciesOut:
    """List what collections do with personal data, and how many of their documents hold some."""
    with found.database.read() as conn:
        return PoliciesOut(items=[PolicyOut.of(one) for one in policies.listing(conn)])


@router.post("/policies")
def set_policy(wanted: PolicyIn, found: PartsDep, witness: AdministratorDep) -> PolicyOut:
    """Set what a collection does with personal data; the next request feels it, documents already there included."""
    with found.database.write() as conn:
        policies.set_policy(conn, wanted.collection, wanted.personal_data, now=found.wall_clock())
        told = witness.event(Action.POLICY_SET, wanted.collection, personal_data=wanted.personal_data)
        audit.write(conn, [told])
        return PolicyOut.of(next(one for one in policies.listing(conn) if one.collection == wanted.collection))
