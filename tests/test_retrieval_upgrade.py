"""A base of every schema that ever was is brought to the newest: rows stay, search finds, rights hold."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from core.types import Principal, Reach
from ingest.reindex import reindex
from ingest.soundness import examine
from retrieval.searcher import Searcher
from retrieval.store import jobs, keys
from retrieval.store.database import MIGRATIONS, RESTORING, Database, newest_schema
from retrieval.store.schema import metadata
from retrieval.vector_index import VectorIndex
from tests.frozen_bases import FROZEN, HR, OLD, REVOKED, Rows, revive, rows
from tests.service import free_ports, service_environment
from tests.small_base import WordEncoder

# What a migration turned into something else, which a test below looks at.
MOVED = {
    ("api_keys", "collections"),
    ("alembic_version", "version_num"),
    ("documents", "lease_expires_at"),  # no clock says any more whose a document is
}
QUESTIONS = {
    "сколько дней длится отпуск": "отпуск.txt",
    "когда платят суточные": "командировка.txt",
    "кто принимает товар": "склад.txt",
}
SOMEBODY = Principal("test")
COMMANDS = {
    "api": ["-m", "api"],
    "worker": ["-m", "ingest.worker"],
    "run": ["-m", "cli.main", "run", "--no-welcome"],
    "keys": ["-m", "cli.main", "keys", "list"],
    "backup": ["-m", "cli.main", "backup", "copy.tar"],
    "doctor": ["-m", "cli.main", "doctor"],
}


@pytest.fixture(params=FROZEN)
def frozen(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return revive(request.param, tmp_path / "data")


@pytest.fixture
def before(frozen: Path) -> Rows:
    return rows(frozen)


@pytest.fixture
def upgraded(frozen: Path, before: Rows) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{frozen}")) as database:
        database.migrate()
        yield database


def test_every_migration_has_a_base_that_its_own_code_made() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    assert set(FROZEN) == known, "after adding a migration: PYTHONPATH=. python scripts/freeze_schema.py NNNN"


def test_a_frozen_base_has_rows_in_all_its_tables(before: Rows) -> None:
    assert [table for table, held in before.items() if not held] == []


def test_an_upgraded_base_is_whole_and_has_the_schema_the_code_expects(upgraded: Database) -> None:
    assert upgraded.damage() == []
    assert upgraded.require_usable() == newest_schema()
    with upgraded.read() as conn:
        assert conn.execute(text("PRAGMA foreign_key_check")).all() == []
        differences = compare_metadata(MigrationContext.configure(conn), metadata)
    assert [one for one in differences if "passage_stems" not in str(one)] == []


def test_an_upgrade_keeps_every_row(upgraded: Database, before: Rows) -> None:
    after = rows(upgraded.path)
    for table, held in before.items():
        columns = [column for column in held[0] if (table, column) not in MOVED]
        for row in held:
            kept = {column: row[column] for column in columns}
            assert any(kept.items() <= now.items() for now in after[table]), (table, kept)


def test_an_upgraded_base_finds_its_documents_and_no_deleted_one(upgraded: Database) -> None:
    reindex(upgraded)
    assert examine(upgraded) == []
    index = VectorIndex(upgraded.path.parent / "index")
    searcher = Searcher(upgraded, WordEncoder(), index, dense_weight=0.5)
    for question, name in QUESTIONS.items():
        found = searcher.search(question, principal=SOMEBODY, collection=None, top_k=3).passages
        assert found[0].document == name
    every = searcher.search("этот документ удалили", principal=SOMEBODY, collection=None, top_k=10).passages
    assert every
    assert all("удалили" not in one.text for one in every)


def test_keys_of_an_upgraded_base_open_what_they_opened(upgraded: Database) -> None:
    with upgraded.read() as conn:
        hr, old = keys.resolve(conn, HR, now=1.8e9), keys.resolve(conn, OLD, now=1.8e9)
        assert keys.resolve(conn, REVOKED, now=1.8e9) is None
    assert hr is not None
    assert hr.reads == Reach(frozenset({"кадры"}))
    assert old is not None
    assert old.reads == Reach(None)


def test_documents_under_way_at_the_upgrade_wait_for_a_worker(upgraded: Database) -> None:
    with upgraded.write() as conn:
        assert jobs.release_all(conn, now=1.8e9) == 1
        assert jobs.has_queued(conn, now=1.8e9)
        assert jobs.waiting(conn) == 2


def refusals(data_dir: Path, names: set[str]) -> dict[str, tuple[int, str]]:
    """Start each of the commands over a data folder; return its exit code and what it said."""
    ports = dict(zip(("api_port", "ui_port", "llm_port"), free_ports(3), strict=True))
    env = service_environment({"data_dir": data_dir, "llm_url": "http://127.0.0.1:1/v1"} | ports)
    started = {
        name: subprocess.Popen(
            [sys.executable, *words], env=env, cwd=data_dir.parent, text=True, stdout=-1, stderr=subprocess.STDOUT
        )
        for name, words in COMMANDS.items()
        if name in names
    }
    said = {name: process.communicate(timeout=300)[0] for name, process in started.items()}
    return {name: (process.returncode, said[name]) for name, process in started.items()}


def test_a_newer_schema_is_refused_by_every_part_with_both_versions(tmp_path: Path) -> None:
    path = revive(FROZEN[-1], tmp_path / "data")
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    before = rows(path)
    for name, (code, said) in refusals(tmp_path / "data", set(COMMANDS)).items():
        assert code in (1, 2), (name, said)
        assert f"(схема 9999, эта версия знает {newest_schema()})" in said, (name, said)
        assert "Traceback" not in said, (name, said)
    assert rows(path) == before
    assert not (tmp_path / "copy.tar").exists()


def test_a_restore_that_was_cut_off_keeps_every_part_from_starting(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / f"data/znayka.db{RESTORING}").touch()
    for name, (code, said) in refusals(tmp_path / "data", {"api", "worker", "run", "keys"}).items():
        assert code in (1, 2), (name, said)
        assert "znayka restore" in said, (name, said)
    assert not (tmp_path / "data/znayka.db").exists()
