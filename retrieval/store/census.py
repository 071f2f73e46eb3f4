"""How much a base holds and which bytes belong to it, whatever its schema: for backups of what is not upgraded yet."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from retrieval.store.documents import count_by_status
from retrieval.store.schema import documents, index_state, passages


@dataclass(frozen=True, slots=True)
class StoredFile:
    """The bytes of one or several documents, `name` being that of one of them."""

    sha256: str
    size_bytes: int
    name: str


@dataclass(frozen=True, slots=True)
class Census:
    """`documents` by status; `fingerprint` names the model of the vectors."""

    documents: dict[str, int]
    passages: int
    files: tuple[StoredFile, ...]
    fingerprint: str | None

    @property
    def files_bytes(self) -> int:
        """The sizes of all files together."""
        return sum(one.size_bytes for one in self.files)


def take(conn: Connection) -> Census:
    """Look into a base, reading only columns that it had from the first schema on."""
    of = documents.c
    files = select(of.sha256, func.max(of.size_bytes), func.min(of.name)).group_by(of.sha256).order_by(of.sha256)
    return Census(
        documents=count_by_status(conn),
        passages=conn.execute(select(func.count()).select_from(passages)).scalar_one(),
        files=tuple(StoredFile(*row) for row in conn.execute(files)),
        fingerprint=conn.execute(select(index_state.c.fingerprint)).scalar_one(),
    )
