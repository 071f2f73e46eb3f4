"""Documents as callers see them: added, listed, shown, deleted. Only what the principal may see."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, insert, or_, select, true, update
from uuid_utils import uuid7

from core.errors import Forbidden, NotFound
from core.types import Document, PersonalPolicy, Principal, Problem, Progress, Reach, Status
from retrieval import personal_data
from retrieval.store import policies, removal
from retrieval.store.schema import documents

FINISHED = (Status.READY, Status.PARTIAL, Status.FAILED)
ANSWERING = (Status.READY, Status.PARTIAL)
_TICK_S = 1e-6  # the least that two times differ by, with room for rounding


@dataclass(frozen=True, slots=True)
class Upload:
    """A received file whose bytes already lie in the file store."""

    name: str
    collection: str
    media_type: str
    size_bytes: int
    sha256: str
    is_replacement: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents to list; None means any. `name_part` is looked for anywhere in the name, in any case."""

    collection: str | None = None
    status: Status | None = None
    name_part: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Newest first. `next_cursor` is None on the last page."""

    items: tuple[Document, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class CollectionSize:
    """A collection, how many documents stand in it, and what it does with personal data."""

    name: str
    documents: int
    personal_data: PersonalPolicy


def add(conn: Connection, upload: Upload, principal: Principal, *, now: float) -> Document:
    """Record an upload as a queued document, or answer the one with the same bytes in the same collection.

    One that had failed is queued again: what it lacked (OCR, say) may be there now.
    Raises `NotFound` for a collection that the principal may not read, `Forbidden` for one that they may only read.
    """
    require_edits(conn, principal, upload.collection)
    row = conn.execute(
        select(documents).where(documents.c.collection == upload.collection, documents.c.sha256 == upload.sha256)
    ).one_or_none()
    if row is not None:
        return _add_known(conn, row, upload, now=now)
    document_id = str(uuid7())
    conn.execute(
        insert(documents).values(
            id=document_id,
            name=upload.name,
            collection=upload.collection,
            media_type=upload.media_type,
            size_bytes=upload.size_bytes,
            sha256=upload.sha256,
            status=Status.QUEUED,
            is_replacement=upload.is_replacement,
            created_at=_after_earlier_editions(conn, upload, now),
            updated_at=now,
        )
    )
    return get(conn, document_id, principal)


def _after_earlier_editions(conn: Connection, upload: Upload, now: float) -> float:
    """Return `now`, or what is later than all of the same name: the clock may have gone back since those came."""
    editions = and_(documents.c.name == upload.name, documents.c.collection == upload.collection)
    latest = conn.execute(select(func.max(documents.c.created_at)).where(editions)).scalar()
    return now if latest is None else max(now, latest + _TICK_S)


def _add_known(conn: Connection, row: Row[tuple[object, ...]], upload: Upload, *, now: float) -> Document:
    if row.status == Status.FAILED:
        conn.execute(
            update(documents)
            .where(documents.c.id == row.id)
            .values(status=Status.QUEUED, attempts=0, not_before=0, error_code=None, error_detail=None, updated_at=now)
        )
    if upload.is_replacement and row.name == upload.name:
        # The user says these bytes are the newest edition: whatever else bears the name gives way.
        rivals = and_(documents.c.name == row.name, documents.c.collection == row.collection, documents.c.id != row.id)
        if row.status not in ANSWERING:
            newest = {"is_replacement": True, "created_at": _after_earlier_editions(conn, upload, now)}
            conn.execute(update(documents).where(documents.c.id == row.id).values(**newest))
            rivals = and_(rivals, documents.c.status.not_in(ANSWERING))
        removal.remove_documents(conn, rivals, heir=row.id)
    known = conn.execute(select(documents).where(documents.c.id == row.id)).one()
    return _document(known, policies.guarded(conn))


def get(conn: Connection, document_id: str, principal: Principal) -> Document:
    """Return one document; raise `NotFound` for an id that is unknown or somebody else's."""
    row = conn.execute(select(documents).where(documents.c.id == document_id, readable(principal))).one_or_none()
    if row is None:
        raise not_found()
    return _document(row, policies.guarded(conn))


def are_all_there(conn: Connection, ids: frozenset[str], principal: Principal) -> bool:
    """Say whether none of the documents was deleted, replaced or closed to the principal."""
    return conn.scalar(select(func.count(documents.c.id)).where(_is_one_of(ids), readable(principal))) == len(ids)


def listing(conn: Connection, query: Query, principal: Principal, *, limit: int, cursor: str | None) -> Listing:
    """Return up to `limit` documents after `cursor`, newest first."""
    wanted = [readable(principal)]
    if query.collection is not None:
        wanted.append(documents.c.collection == query.collection)
    if query.status is not None:
        wanted.append(documents.c.status == query.status)
    hidden = policies.guarded(conn)
    if query.name_part:
        # What is hidden must not be guessed digit by digit either.
        is_hidden = documents.c.collection.in_(sorted(hidden))
        name = case((is_hidden, func.without_personal_data(documents.c.name)), else_=documents.c.name)
        wanted.append(func.casefold(name).contains(query.name_part.casefold(), autoescape=True))
    if cursor is not None:
        wanted.append(documents.c.id < cursor)
    rows = conn.execute(select(documents).where(*wanted).order_by(documents.c.id.desc()).limit(limit + 1)).all()
    items = tuple(_document(row, hidden) for row in rows[:limit])
    return Listing(items, items[-1].id if len(rows) > limit else None)


def remove(conn: Connection, document_id: str, principal: Principal) -> None:
    """Delete a document and all that was made of it, whatever its state.

    Raises `NotFound` if there is none that the principal may read, `Forbidden` for one that they may only read.
    """
    if not is_editable(get(conn, document_id, principal), principal):
        raise Forbidden("role_too_low", "Этот документ открыт вам только для чтения. Удалить его может редактор.")
    removal.remove_documents(conn, documents.c.id == document_id)


def require_original(conn: Connection, document: Document, principal: Principal) -> None:
    """Raise where a principal may not have a document's own bytes or their picture, in which nothing can be masked.

    `Forbidden` for readers of a collection that hides personal data; `NotFound` where the file was not taken in.
    """
    if document.error is not None and document.error.code == policies.REFUSED:
        raise NotFound("not_kept", f"Файл «{document.name}» не принят и не хранится: в нём персональные данные.")
    if document.collection in policies.masked(conn) and not is_editable(document, principal):
        raise Forbidden(
            "personal_data_masked",
            "В этой коллекции персональные данные скрываются, а в исходном файле их не скрыть: "
            "его открывает только редактор. Вам доступен текст страниц.",
        )


def collections(conn: Connection, principal: Principal) -> tuple[CollectionSize, ...]:
    """Return the collections the principal may read, by name."""
    rows = conn.execute(
        select(documents.c.collection, func.count())
        .where(readable(principal))
        .group_by(documents.c.collection)
        .order_by(documents.c.collection)
    )
    chosen = policies.policies(conn)
    return tuple(CollectionSize(name, count, chosen.get(name, PersonalPolicy.ALLOW)) for name, count in rows)


def is_stored(conn: Connection, sha256: str) -> bool:
    """Say whether any document, of any caller, still needs the bytes with this hash."""
    needing = select(documents.c.id).where(documents.c.sha256 == sha256, _keeps_bytes())
    return conn.execute(needing.limit(1)).first() is not None


def stored_hashes(conn: Connection) -> frozenset[str]:
    """Return the hashes of all bytes that documents refer to, for the sweep of orphan files."""
    return frozenset(conn.execute(select(documents.c.sha256).where(_keeps_bytes()).distinct()).scalars())


def _keeps_bytes() -> ColumnElement[bool]:
    """All but those that were refused for personal data: the service must not go on holding what it does not take."""
    return documents.c.error_code.is_distinct_from(policies.REFUSED)


def count(conn: Connection, principal: Principal) -> int:
    """Return how many documents the principal may read."""
    return conn.execute(select(func.count()).select_from(documents).where(readable(principal))).scalar_one()


def count_by_status(conn: Connection) -> dict[str, int]:
    """Return how many documents are in each status, for the metrics."""
    rows = conn.execute(select(documents.c.status, func.count()).group_by(documents.c.status))
    return {row[0]: row[1] for row in rows}


def readable(principal: Principal) -> ColumnElement[bool]:
    """The one condition that decides whether a principal may see a document's row."""
    return within(principal.reads)


def within(reach: Reach) -> ColumnElement[bool]:
    """The condition that a document's row is within reach."""
    if reach.collections is None:
        return true()
    collections = documents.c.collection.in_(sorted(reach.collections))
    return or_(collections, _is_one_of(reach.documents)) if reach.documents else collections


def reach(conn: Connection, principal: Principal, collection: str | None) -> Reach:
    """Return what of `collection` (None: of the whole base) the principal may read.

    Raises `NotFound` for a collection of which they may read nothing.
    """
    reads = principal.reads
    if collection is None:
        return reads
    if reads.collections is None or collection in reads.collections:
        return Reach(frozenset({collection}))
    ids = conn.execute(select(documents.c.id).where(documents.c.collection == collection, _is_one_of(reads.documents)))
    if singles := frozenset(ids.scalars()):
        return Reach(frozenset(), singles)
    raise collection_not_found(collection)


def require_edits(conn: Connection, principal: Principal, collection: str | None) -> None:
    """Raise `NotFound` or `Forbidden` when the principal may not change the collection (None: all that they read)."""
    edits = principal.changes
    if principal.edits is None and collection is None:
        return
    if collection is not None and (edits.collections is None or collection in edits.collections):
        return
    reach(conn, principal, collection)
    place = "Часть документов открыта" if collection is None else f"Коллекция «{collection}» открыта"
    raise Forbidden("role_too_low", f"{place} вам только для чтения. Это может редактор: попросите администратора.")


def is_editable(document: Document, principal: Principal) -> bool:
    """Say whether the principal may change or delete the document."""
    edits = principal.changes
    return edits.collections is None or document.collection in edits.collections or document.id in edits.documents


def _is_one_of(ids: frozenset[str]) -> ColumnElement[bool]:
    # One parameter, however many: a person may have been given thousands of single documents.
    given = func.json_each(json.dumps(sorted(ids))).table_valued("value")
    return documents.c.id.in_(select(given.c.value))


def collection_not_found(collection: str) -> NotFound:
    """The same answer for a collection that does not exist and for one of somebody else."""
    return NotFound("collection_not_found", f"Коллекция «{collection}» не найдена или закрыта для вас.")


def not_found() -> NotFound:
    """The same answer for an id that does not exist and for one of somebody else."""
    return NotFound("document_not_found", "Документ не найден: он удалён или такого не было.")


def _document(row: Row[tuple[object, ...]], hidden: frozenset[str]) -> Document:
    """`hidden` are the collections in whose names and reasons no personal data is shown."""
    shown = personal_data.masked if row.collection in hidden else str
    is_running = row.status in (Status.PARSING, Status.EMBEDDING)
    return Document(
        id=row.id,
        name=shown(row.name),
        collection=row.collection,
        media_type=row.media_type,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        status=Status(row.status),
        progress=Progress(row.stage, row.done, row.total) if is_running and row.stage else None,
        pages=row.pages,
        passages=row.passages,
        error=Problem(row.error_code, shown(row.error_detail)) if row.error_code else None,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        updated_at=datetime.fromtimestamp(row.updated_at, UTC),
        personal_data=policies.counts_of(row.personal_data),
    )
