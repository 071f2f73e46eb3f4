"""What a collection does with personal data, and what documents were found to hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select, update
from sqlalchemy.dialects.sqlite import insert

from core.types import PersonalCount, PersonalKind, PersonalPolicy, Reach, Status
from retrieval.store.schema import collection_policies, documents, pages

REFUSED = "personal_data"  # the reason of a document that its collection does not take
_READABLE = (Status.READY, Status.PARTIAL)


@dataclass(frozen=True, slots=True)
class CollectionPolicy:
    """The policy of a collection; of its documents `holding` hold personal data, `unchecked` were not looked through.

    `changed_at` is None where nobody has set anything.
    """

    collection: str
    policy: PersonalPolicy
    changed_at: float | None
    documents: int
    holding: int
    unchecked: int


def policy(conn: Connection, collection: str) -> PersonalPolicy:
    """Return what a collection does with personal data."""
    named = collection_policies.c.collection == collection
    found = conn.execute(select(collection_policies.c.personal_data).where(named)).scalar()
    return PersonalPolicy(found) if found else PersonalPolicy.ALLOW


def policies(conn: Connection) -> dict[str, PersonalPolicy]:
    """Return the policies that were set, by collection."""
    return {row.collection: PersonalPolicy(row.personal_data) for row in conn.execute(select(collection_policies))}


def masked(conn: Connection) -> frozenset[str]:
    """Return the collections of which no personal data may be shown."""
    is_masked = collection_policies.c.personal_data == PersonalPolicy.MASK
    return frozenset(conn.execute(select(collection_policies.c.collection).where(is_masked)).scalars())


def guarded(conn: Connection) -> frozenset[str]:
    """Return the collections that do not allow personal data: it is not shown in their documents' names either."""
    return frozenset(name for name, chosen in policies(conn).items() if chosen is not PersonalPolicy.ALLOW)


def is_any_masked(conn: Connection, reach: Reach) -> bool:
    """Whether something within reach is of a masked collection; a single document counts, whatever it is of."""
    hidden = masked(conn)
    if reach.collections is None:
        return bool(hidden)
    return bool(hidden & reach.collections) or bool(hidden and reach.documents)


def set_policy(conn: Connection, collection: str, wanted: PersonalPolicy, *, now: float) -> None:
    """Set the policy of a collection, which need not have documents yet. It holds from the next request on."""
    row = {"collection": collection, "personal_data": wanted, "changed_at": now}
    placed = insert(collection_policies).values(row)
    conn.execute(placed.on_conflict_do_update(index_elements=["collection"], set_=row))


def listing(conn: Connection) -> list[CollectionPolicy]:
    """Return every collection that has documents or a policy, by name."""
    holds = func.json_remove(documents.c.personal_data, f"$.{PersonalKind.COMPANY_INN}") != "{}"
    lacks = and_(documents.c.personal_data.is_(None), documents.c.status.in_(_READABLE))
    counted = {
        row[0]: row[1:]
        for row in conn.execute(
            select(
                documents.c.collection, func.count(), func.count().filter(holds), func.count().filter(lacks)
            ).group_by(documents.c.collection)
        )
    }
    known = {row.collection: row for row in conn.execute(select(collection_policies))}
    found = []
    for name in sorted({*counted, *known}):
        row, (total, holding, unchecked) = known.get(name), counted.get(name, (0, 0, 0))
        chosen = PersonalPolicy(row.personal_data) if row else PersonalPolicy.ALLOW
        found.append(CollectionPolicy(name, chosen, row.changed_at if row else None, total, holding, unchecked))
    return found


def note(conn: Connection, document_id: str, counts: Mapping[PersonalKind, int]) -> None:
    """Note what a document was found to hold."""
    kept = {kind.value: counts[kind] for kind in PersonalKind if kind in counts}
    conn.execute(update(documents).where(documents.c.id == document_id).values(personal_data=json.dumps(kept)))


def unchecked(conn: Connection) -> str | None:
    """Return a document that nobody has looked through, the newest first; None when there is none."""
    lacks = and_(documents.c.personal_data.is_(None), documents.c.status.in_(_READABLE))
    found: str | None = conn.execute(
        select(documents.c.id).where(lacks).order_by(documents.c.id.desc()).limit(1)
    ).scalar()
    return found


def texts(conn: Connection, document_id: str) -> list[str]:
    """Return a document's name and the texts of its pages."""
    name = conn.execute(select(documents.c.name).where(documents.c.id == document_id)).scalars()
    of_pages = select(pages.c.text).where(pages.c.document_id == document_id).order_by(pages.c.position)
    return [*name, *conn.execute(of_pages).scalars()]


def counts_of(stored: str | None) -> tuple[PersonalCount, ...] | None:
    """Return what the column of a document says; None when nobody has looked."""
    if stored is None:
        return None
    return tuple(PersonalCount(PersonalKind(kind), number) for kind, number in json.loads(stored).items())
