"""Keeps a small base of one schema, made by that schema's own code, as SQL: `tests/data/schemas/NNNN.sql`.

    PYTHONPATH=. python scripts/freeze_schema.py 0005            # of this tree, to which 0005 was just added
    PYTHONPATH=/tmp/old python scripts/freeze_schema.py 0002     # of a tree checked out before 0003 came

What is written is what the code of the tree on PYTHONPATH stores, brought up to the migration that is named. A schema
with new tables wants rows in them: see `_fill_access`. `tests/test_retrieval_upgrade.py` upgrades each of these bases.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from core.types import Principal, Problem
from retrieval.stems import stem_text
from retrieval.store import documents, feedback, jobs, keys, passages, vectors
from retrieval.store.database import MIGRATIONS, Database
from retrieval.store.documents import Upload
from retrieval.store.passages import Ingested, NewPage, NewPassage
from tests.small_base import FINGERPRINT, vector_of

TARGET = Path(__file__).resolve().parents[1] / "tests/data/schemas"
NOW = 1_780_000_000.0
SOMEBODY = Principal("frozen")
RULES = {
    "отпуск.txt": ("Отпуск составляет 28 календарных дней.", "Заявление на отпуск подают за две недели."),
    "командировка.txt": ("Суточные в командировке выплачиваются авансом.",),
    "склад.txt": ("Товар на склад принимает кладовщик.",),
}
HR, OLD, REVOKED = (f"znk_{name}-{'x' * 32}" for name in ("кадры", "старый", "отозванный"))


def main(revision: str) -> None:
    """Make the base and write its dump."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "base.db"
        database = Database(f"sqlite:///{path}")
        _upgrade(database, revision)
        _fill_documents(database)
        _fill_access(database)
        TARGET.mkdir(parents=True, exist_ok=True)
        with database.read() as conn:
            (TARGET / f"{revision}.sql").write_text("\n".join(_dump(conn)) + "\n", encoding="utf-8")
        database.close()


def _upgrade(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.write() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, revision)


def _fill_documents(database: Database) -> None:
    """Documents in every state; the bytes of each are its text, or its name where it has none."""
    with database.write() as conn:
        vectors.set_fingerprint(conn, FINGERPRINT)
    for number, (name, texts) in enumerate(RULES.items()):
        _ingest(database, name, texts, is_partial=name == "склад.txt", at=NOW + number)
    gone = _ingest(database, "удалённый.txt", ("Этот документ удалили.",), is_partial=False, at=NOW + 5)
    with database.write() as conn:
        _fill_sentences(conn)
        vectors.switch(conn, generation=1, index_revision=vectors.state(conn).revision)
        documents.remove(conn, gone, SOMEBODY)
    held = _queue(database, "обрабатывается.txt", at=NOW + 6)
    failed = _queue(database, "повреждённый.txt", at=NOW + 7)
    with database.write() as conn:
        jobs.lease(conn, _holder("worker-1", NOW + 60), limit=10, now=NOW + 8)
        jobs.fail(conn, failed, "worker-1", Problem("unreadable", "Файл повреждён."), now=NOW + 9)
        assert jobs.is_held(conn, held, "worker-1")
    _queue(database, "ждёт.txt", at=NOW + 10)


def _queue(database: Database, name: str, content: str = "", *, at: float) -> str:
    content = content or name
    sha256, size_bytes = hashlib.sha256(content.encode()).hexdigest(), len(content.encode())
    with database.write() as conn:
        upload = Upload(name, "кадры" if "отпуск" in name else "default", "text/plain", size_bytes, sha256)
        return documents.add(conn, upload, SOMEBODY, now=at).id


def _ingest(database: Database, name: str, texts: tuple[str, ...], *, is_partial: bool, at: float) -> str:
    document_id = _queue(database, name, "\n".join(texts), at=at)
    problem = Problem("pages_without_text", "Страница 2 не дала текста.") if is_partial else None
    made = Ingested(
        document_id, "text/plain", (NewPage(1, "\n".join(texts)),), tuple(_passage(name, one) for one in texts), problem
    )
    with database.write() as conn:
        jobs.lease(conn, _holder("worker-1", at + 60), limit=10, now=at)
        assert passages.commit(conn, made, "worker-1", now=at)
    return document_id


def _holder(owner: str, until: float) -> Any:
    """Who takes documents in hand; a tree whose schema has no time for it knows the owner alone."""
    return jobs.Lease(owner, until) if hasattr(jobs, "Lease") else owner


def _passage(name: str, passage: str) -> NewPassage:
    title = name.removesuffix(".txt")
    embedded = f"{title}\n{passage}"  # as `ingest.chunking.embedded_text` has it
    key = hashlib.sha256(f"{FINGERPRINT}\n{embedded}".encode()).hexdigest()
    return NewPassage(0, None, passage, 0, len(passage), key, vector_of(passage), _terms(embedded))


def _terms(embedded: str) -> str:
    terms = _optional("retrieval.terms")
    return str(terms.index_text(embedded)) if terms else " ".join(stem_text(embedded))


def _fill_sentences(conn: Connection) -> None:
    if not (store := _optional("retrieval.store.sentences")):
        return
    pack = importlib.import_module("retrieval.sentence_vectors").pack
    waiting = store.waiting(conn, below_id=None, limit=100)
    store.keep(conn, [store.Packed(one.id, one.vector_key, pack(vector_of(one.text)[None])) for one in waiting[1:]])


def _fill_access(database: Database) -> None:
    """Keys, opinions, and whatever else the tree knows. Another table of a later schema: another line here."""
    with database.write() as conn:
        keys.add(conn, "кадровик", HR, ["кадры"], now=NOW)
        keys.add(conn, "прежний", OLD, None, now=NOW)
        keys.add(conn, "отозванный", REVOKED, None, now=NOW)
        keys.revoke(conn, keys.listing(conn)[-1].id, now=NOW + 1)
        opinion = feedback.Opinion("up", "Сколько дней отпуск?", "28 календарных дней [1].", "спасибо", ("d",))
        feedback.add(conn, opinion, SOMEBODY, now=NOW)
        if people := _optional("retrieval.store.people"):
            _fill_people(conn, people)
        if policies := _optional("retrieval.store.policies"):
            policies.set_policy(conn, "кадры", policies.PersonalPolicy.MASK, now=NOW)


def _fill_people(conn: Connection, people: Any) -> None:
    grants = importlib.import_module("retrieval.store.grants")
    audit = importlib.import_module("retrieval.store.audit")
    role = importlib.import_module("core.types").Role
    people.add_user(conn, "иванов", now=NOW)
    people.add_group(conn, "бухгалтерия", now=NOW)
    people.join(conn, "иванов", "бухгалтерия")
    group = people.subject(conn, grants.SubjectKind.GROUP, "бухгалтерия")
    grants.give(conn, group, grants.Opening(grants.ObjectKind.COLLECTION, "кадры", role.READER), now=NOW)
    user = people.subject(conn, grants.SubjectKind.USER, "иванов")
    document = conn.execute(text("SELECT id FROM documents WHERE name = 'склад.txt'")).scalar_one()
    grants.give(conn, user, grants.Opening(grants.ObjectKind.DOCUMENT, document, role.READER), now=NOW)
    audit.write(conn, [audit.Event(NOW, "console:root", audit.Action.USER_ADDED, "иванов", {}, "127.0.0.1")])


def _optional(name: str) -> ModuleType | None:
    """A module of the tree; None where it has none, even if an installed Знайка does."""
    tree = Path(documents.__file__).parents[2]
    is_there = tree.joinpath(*name.split(".")).with_suffix(".py").exists()
    return importlib.import_module(name) if is_there else None


def _dump(conn: Connection) -> list[str]:
    """Statements that make the base again. A virtual table is filled by its own rows, not by those of its shadows."""
    made = conn.exec_driver_sql("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").all()
    virtual = [name for _, name, sql in made if sql.upper().startswith("CREATE VIRTUAL TABLE")]
    shadows = {name for _, name, _ in made for one in virtual if name.startswith(f"{one}_") and name not in virtual}
    lines = ["BEGIN;"]
    lines += [f"{sql};" for kind, name, sql in made if kind == "table" and name not in shadows | {"sqlite_sequence"}]
    for kind, name, sql in made:
        if kind == "table" and name not in shadows and "fts5vocab" not in sql:
            lines += _rows(conn, name, "rowid, *" if name in virtual else "*")
    return [*lines, *(f"{sql};" for kind, _, sql in made if kind != "table"), "COMMIT;"]


def _rows(conn: Connection, table: str, columns: str) -> list[str]:
    found = conn.exec_driver_sql(f"SELECT {columns} FROM {table}")
    names = ", ".join(found.keys())
    before = ["DELETE FROM sqlite_sequence;"] if table == "sqlite_sequence" else []
    quoted = [", ".join(_quoted(conn, value) for value in row) for row in found.all()]
    return [*before, *(f"INSERT INTO {table} ({names}) VALUES ({values});" for values in quoted)]


def _quoted(conn: Connection, value: object) -> str:
    return str(conn.exec_driver_sql("SELECT quote(?)", (value,)).scalar_one())


if __name__ == "__main__":
    main(sys.argv[1])
