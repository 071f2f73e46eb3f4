"""The store on a real SQLite file: what is added is found, what is deleted is not, and jobs survive deaths."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, text

from core.errors import InvalidRequest, Misconfigured, NotFound, TryLater
from core.types import Document, Principal, Problem, Progress, Status
from retrieval.store import documents, feedback, jobs, keys, keyword, passages, sentences, vectors
from retrieval.store.database import MIGRATIONS, Database
from retrieval.store.documents import Query, Upload
from retrieval.store.passages import Ingested, NewPage, NewPassage
from retrieval.store.schema import metadata
from retrieval.terms import TERMS_VERSION

ALL = Principal("test")
NOW = 1_000_000.0
WORKER = "worker-1"
DAY_S = 86_400.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'znayka.db'}", busy_timeout_s=0.2)
    database.migrate()
    yield database
    database.close()


def add(database: Database, name: str, sha256: str, **more: object) -> Document:
    upload = Upload(name, str(more.get("collection", "default")), "text/plain", 10, sha256, bool(more.get("replace")))
    with database.write() as conn:
        return documents.add(conn, upload, ALL, now=float(more.get("now", NOW)))


def ingest(database: Database, document_id: str, *texts: str, problem: Problem | None = None) -> bool:
    with database.write() as conn:
        jobs.lease(conn, WORKER, limit=10, now=NOW)
    made = Ingested(
        document_id,
        "text/plain",
        (NewPage(1, " ".join(texts)),),
        tuple(
            NewPassage(0, None, t, 0, len(t), f"key {t}", np.full(4, 0.5, dtype=np.float32), t.lower()) for t in texts
        ),
        problem,
    )
    with database.write() as conn:
        return passages.commit(conn, made, WORKER, now=NOW)


def test_migrations_make_the_schema_the_code_expects(database: Database) -> None:
    with database.read() as conn:
        differences = compare_metadata(MigrationContext.configure(conn), metadata)
    assert [d for d in differences if "passage_stems" not in str(d)] == []


def test_a_base_of_the_first_release_is_marked_for_new_terms(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.write() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
        conn.execute(
            text(
                "INSERT INTO documents (id, name, collection, media_type, size_bytes, sha256, status, created_at,"
                " updated_at) VALUES ('d', 'a.txt', 'default', '', 1, 'a', 'ready', 0, 0)"
            )
        )
        conn.execute(
            text(
                "INSERT INTO passages (document_id, position, page_position, text, start_char, end_char, vector_key,"
                " vector, revision) VALUES ('d', 0, 0, 'Завоевания', 0, 10, 'k', '', 1)"
            )
        )
        conn.execute(text("INSERT INTO passage_stems (rowid, stems) VALUES (1, 'завоеван')"))
    database.migrate()
    with database.read() as conn:
        assert vectors.state(conn).terms == 0
        assert keyword.counts(conn, ["завоеван", "нет"]) == {"завоеван": 1}
        assert [one.text for one in sentences.waiting(conn, below_id=None, limit=10)] == ["Завоевания"]
    database.close()


def test_a_new_base_needs_no_new_terms(database: Database) -> None:
    with database.read() as conn:
        assert vectors.state(conn).terms == TERMS_VERSION


def test_two_processes_may_migrate_at_once(tmp_path: Path) -> None:
    databases = [Database(f"sqlite:///{tmp_path / 'z.db'}") for _ in range(4)]
    threads = [threading.Thread(target=database.migrate) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert databases[0].damage() == []
    for database in databases:
        database.close()


def test_one_refusal_ends_all_connections_from_while_the_disk_was_closed(database: Database) -> None:
    is_closed = True
    address = f"file:{database.path}?mode=ro"

    @event.listens_for(database.engine, "do_connect")
    def _open(*_: object) -> sqlite3.Connection | None:
        return sqlite3.connect(address, uri=True, check_same_thread=False) if is_closed else None

    database.engine.dispose()
    touch = text("UPDATE index_state SET generation = generation")
    for _ in range(2):
        with pytest.raises(Misconfigured, match="readonly"), database.write() as conn:
            conn.execute(touch)
        with database.read() as conn:
            assert conn.execute(text("SELECT count(*) FROM index_state")).scalar_one() == 1
    is_closed = False
    with pytest.raises(Misconfigured, match="readonly"), database.write() as conn:
        conn.execute(touch)
    for _ in range(2):
        with database.write() as conn:
            conn.execute(touch)


def test_a_newer_schema_is_refused_with_both_versions(database: Database) -> None:
    with database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Misconfigured, match=r"9999.*0006"):
        database.migrate()


def test_an_unsupported_database_is_refused_by_name() -> None:
    with pytest.raises(Misconfigured, match="mysql"):
        Database("mysql://host/base")


def test_a_second_writer_is_told_to_come_back(database: Database) -> None:
    with database.write(), pytest.raises(TryLater, match="database_busy"), database.write():
        pass


def test_writers_that_wait_keep_no_reader_waiting(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'base.db'}", busy_timeout_s=3)
    database.migrate()
    waiters = 20
    begun = threading.Barrier(waiters + 1)

    def wait_to_write() -> None:
        begun.wait()
        with pytest.raises(TryLater), database.write():
            pass

    threads = [threading.Thread(target=wait_to_write) for _ in range(waiters)]
    with database.write():
        for thread in threads:
            thread.start()
        begun.wait()
        time.sleep(0.1)
        assert all(thread.is_alive() for thread in threads), "nobody waits"
        began = time.monotonic()
        with database.read() as conn:
            assert conn.execute(text("SELECT 1")).scalar() == 1
        assert time.monotonic() - began < 1
        for thread in threads:
            thread.join()
    database.close()


def test_the_same_bytes_are_one_document(database: Database) -> None:
    first = add(database, "a.txt", "1")
    assert add(database, "другое имя.txt", "1").id == first.id
    assert add(database, "a.txt", "1", collection="other").id != first.id


def test_a_failed_document_is_tried_again_when_it_is_uploaded_again(database: Database) -> None:
    document = add(database, "a.txt", "1")
    with database.write() as conn:
        jobs.lease(conn, WORKER, limit=1, now=NOW)
        jobs.fail(conn, document.id, WORKER, Problem("no_text", "Нет текста."), now=NOW)
    again = add(database, "a.txt", "1")
    assert (again.id, again.status, again.error) == (document.id, Status.QUEUED, None)


def test_a_replacement_takes_over_when_it_is_ready_and_not_before(database: Database) -> None:
    old = add(database, "a.txt", "1")
    ingest(database, old.id, "старый")
    new = add(database, "a.txt", "2", replace=True, now=NOW + 1)
    with database.read() as conn:
        assert documents.get(conn, old.id, ALL).status is Status.READY
    ingest(database, new.id, "новый")
    with database.read() as conn:
        assert [d.id for d in documents.listing(conn, Query(), ALL, limit=10, cursor=None).items] == [new.id]
        assert keyword.every(conn, ["старый"]).ids.tolist() == []


def test_going_back_to_an_earlier_edition_wins_over_the_one_still_queued(database: Database) -> None:
    old = add(database, "a.txt", "1")
    ingest(database, old.id, "первый")
    add(database, "a.txt", "2", replace=True, now=NOW + 1)
    assert add(database, "a.txt", "1", replace=True, now=NOW + 2).id == old.id
    with database.read() as conn:
        assert [d.id for d in documents.listing(conn, Query(), ALL, limit=10, cursor=None).items] == [old.id]


def test_names_are_searched_in_russian_without_case(database: Database) -> None:
    add(database, "Положение об ОТПУСКАХ 100%.pdf", "1")
    add(database, "Договор.docx", "2")
    with database.read() as conn:
        for part, expected in (("отпусках", 1), ("100%", 1), ("1%", 0), ("о", 2)):
            found = documents.listing(conn, Query(name_part=part), ALL, limit=10, cursor=None)
            assert len(found.items) == expected, part


def test_pages_of_a_listing_meet_without_gap_or_overlap(database: Database) -> None:
    made = [add(database, f"{n}.txt", str(n)).id for n in range(7)]
    seen, cursor = [], None
    with database.read() as conn:
        while True:
            part = documents.listing(conn, Query(), ALL, limit=3, cursor=cursor)
            seen += [d.id for d in part.items]
            if (cursor := part.next_cursor) is None:
                break
    assert sorted(seen) == sorted(made)
    assert len(seen) == 7


def test_what_is_committed_is_found_and_what_is_deleted_is_not(database: Database) -> None:
    document = add(database, "a.txt", "1")
    assert ingest(database, document.id, "отпуск", "премия")
    with database.read() as conn:
        before = vectors.state(conn)
        assert len(vectors.added_since(conn, 0).ids) == 2
        assert keyword.every(conn, ["премия"]).ids.tolist() == [2]
        assert passages.page(conn, document.id, 1, ALL).text == "отпуск премия"
    with database.write() as conn:
        documents.remove(conn, document.id, ALL)
    with database.read() as conn:
        assert vectors.state(conn).revision > before.revision
        assert list(vectors.removed_since(conn, before.revision)) == [1, 2]
        assert len(vectors.added_since(conn, 0).ids) == 0
        assert keyword.every(conn, ["премия"]).ids.tolist() == []
        assert passages.show(conn, {1: 1.0}, ALL) == []
        with pytest.raises(NotFound):
            documents.get(conn, document.id, ALL)


def test_a_delete_wins_over_the_ingest_under_way(database: Database) -> None:
    document = add(database, "a.txt", "1")
    with database.write() as conn:
        jobs.lease(conn, WORKER, limit=1, now=NOW)
        documents.remove(conn, document.id, ALL)
    assert not ingest(database, document.id, "текст")
    with database.read() as conn:
        assert len(vectors.added_since(conn, 0).ids) == 0


def test_an_id_is_never_used_twice(database: Database) -> None:
    first = add(database, "a.txt", "1")
    ingest(database, first.id, "раз")
    with database.write() as conn:
        documents.remove(conn, first.id, ALL)
    second = add(database, "b.txt", "2")
    ingest(database, second.id, "два")
    with database.read() as conn:
        assert list(vectors.added_since(conn, 0).ids) == [2]


def test_a_partial_document_keeps_its_reason(database: Database) -> None:
    document = add(database, "a.pdf", "1")
    ingest(database, document.id, "текст", problem=Problem("pages_without_text", "Без текста: 2."))
    with database.read() as conn:
        shown = documents.get(conn, document.id, ALL)
    assert (shown.status, shown.error) == (Status.PARTIAL, Problem("pages_without_text", "Без текста: 2."))


def test_a_principal_sees_only_its_collections(database: Database) -> None:
    mine, other = add(database, "a.txt", "1", collection="hr"), add(database, "b.txt", "2", collection="law")
    ingest(database, mine.id, "отпуск")
    ingest(database, other.id, "отпуск")
    hr = Principal("hr", frozenset({"hr"}))
    with database.read() as conn:
        assert [d.id for d in documents.listing(conn, Query(), hr, limit=9, cursor=None).items] == [mine.id]
        assert [p.id for p in passages.show(conn, {1: 0.5, 2: 0.9}, hr)] == [1]
        with pytest.raises(NotFound):
            documents.get(conn, other.id, hr)
        with pytest.raises(NotFound):
            passages.page(conn, other.id, 1, hr)


def test_a_document_in_hand_at_a_death_is_tried_alone_and_given_up_at_the_third(database: Database) -> None:
    poison = add(database, "poison.pdf", "1")
    fresh = add(database, "fresh.pdf", "2", now=NOW + 1)
    with database.write() as conn:
        assert [job.document_id for job in jobs.lease(conn, WORKER, limit=1, now=NOW)] == [poison.id]
        assert jobs.take_back(conn, now=NOW, attempts_max=3) == 1
        assert [job.document_id for job in jobs.lease(conn, WORKER, limit=9, now=NOW)] == [fresh.id]
        jobs.fail(conn, fresh.id, WORKER, Problem("x", "y"), now=NOW)
        for attempt in (2, 3):
            (job,) = jobs.lease(conn, WORKER, limit=9, now=NOW)
            assert job.attempts == attempt
            jobs.take_back(conn, now=NOW + 61, attempts_max=3)
        assert jobs.lease(conn, WORKER, limit=9, now=NOW) == []
        shown = documents.get(conn, poison.id, ALL)
    assert (shown.status, shown.error and shown.error.code) == (Status.FAILED, "poison")


def test_a_stop_on_purpose_counts_no_attempt(database: Database) -> None:
    add(database, "a.txt", "1")
    with database.write() as conn:
        jobs.lease(conn, WORKER, limit=1, now=NOW)
        jobs.release(conn, WORKER, now=NOW)
        (job,) = jobs.lease(conn, WORKER, limit=1, now=NOW)
    assert job.attempts == 1


@pytest.mark.parametrize("jump_s", [-DAY_S, -3600.0, -1.0, 0.0, 3600.0, DAY_S])
def test_what_is_in_hand_or_put_off_comes_in_time_whatever_the_clock_did(database: Database, jump_s: float) -> None:
    held, postponed = add(database, "a.txt", "1"), add(database, "b.txt", "2", now=NOW + 1)
    with database.write() as conn:
        assert len(jobs.lease(conn, WORKER, limit=9, now=NOW)) == 2
        problem = Problem("disk_full", "На диске нет места.")
        jobs.postpone(conn, postponed.id, WORKER, problem, until=NOW + 30)
        jumped = NOW + jump_s
        assert jobs.report(conn, held.id, WORKER, Progress("embedding", 3, 7), now=jumped), "still the worker's"
        later = [job.document_id for job in jobs.lease(conn, "worker-2", limit=9, now=jumped + 31)]
        assert later == [postponed.id], "half a minute later, and not a day; what is in hand is nobody else's"
        assert jobs.take_back(conn, now=jumped, attempts_max=3) == 2, "at once when the worker is dead"
        assert [job.document_id for job in jobs.lease(conn, "worker-3", limit=9, now=jumped)] != []


def test_a_newer_edition_wins_though_the_clock_went_back_between(database: Database) -> None:
    old = add(database, "a.txt", "1", replace=True)
    new = add(database, "a.txt", "2", replace=True, now=NOW - DAY_S)
    for document in (new, old):
        assert ingest(database, document.id, document.sha256) == (document is new)
    with database.read() as conn:
        assert [d.id for d in documents.listing(conn, Query(), ALL, limit=9, cursor=None).items] == [new.id]


def test_an_edition_that_had_failed_wins_over_a_later_one_when_it_is_brought_again(database: Database) -> None:
    first = add(database, "a.txt", "1")
    with database.write() as conn:
        jobs.lease(conn, WORKER, limit=1, now=NOW)
        jobs.fail(conn, first.id, WORKER, Problem("no_text", "Нет текста."), now=NOW)
    ingest(database, add(database, "a.txt", "2", now=NOW + 1).id, "второй")
    add(database, "a.txt", "1", replace=True, now=NOW + 2)
    ingest(database, first.id, "первый")
    with database.read() as conn:
        assert [d.id for d in documents.listing(conn, Query(), ALL, limit=9, cursor=None).items] == [first.id]


def test_progress_is_shown_while_it_runs(database: Database) -> None:
    document = add(database, "a.txt", "1")
    with database.write() as conn:
        jobs.lease(conn, WORKER, limit=1, now=NOW)
        assert jobs.report(conn, document.id, WORKER, Progress("embedding", 3, 7), now=NOW)
        assert not jobs.report(conn, document.id, "another worker", Progress("embedding", 4, 7), now=NOW)
        shown = documents.get(conn, document.id, ALL)
    assert (shown.status, shown.progress) == (Status.EMBEDDING, Progress("embedding", 3, 7))


def test_vectors_are_known_by_key_and_survive_to_the_bit(database: Database) -> None:
    document = add(database, "a.txt", "1")
    ingest(database, document.id, "раз")
    with database.read() as conn:
        known = passages.known_vectors(conn, ["key раз", "key два"])
    assert list(known) == ["key раз"]
    np.testing.assert_array_equal(known["key раз"], np.full(4, 0.5, dtype=np.float32))


@pytest.mark.parametrize("stem", ['"', "a OR b", "NEAR(", "*", "фз-152", "-", "'"])
def test_no_stem_is_taken_as_query_syntax(database: Database, stem: str) -> None:
    with database.read() as conn:
        assert len(keyword.every(conn, [stem]).ids) == 0


def test_a_key_works_until_it_is_revoked_and_only_its_hash_is_kept(database: Database) -> None:
    with database.write() as conn:
        secret = keys.create(conn, "helpdesk", ["hr"], now=NOW)
        assert keys.resolve(conn, secret, now=NOW) == Principal("helpdesk", frozenset({"hr"}))
        assert keys.exist(conn)
        (key,) = keys.listing(conn)
        keys.revoke(conn, key.id, now=NOW)
        assert keys.resolve(conn, secret, now=NOW) is None
        assert not keys.exist(conn)
        with pytest.raises(NotFound):
            keys.revoke(conn, key.id, now=NOW)
        with pytest.raises(InvalidRequest):
            keys.add(conn, "weak", "short", None, now=NOW)
    assert secret.encode() not in database.path.read_bytes()


def test_an_opinion_is_kept(database: Database) -> None:
    with database.write() as conn:
        feedback.add(conn, feedback.Opinion("down", "вопрос", "ответ", "", ("d1",)), ALL, now=NOW)
        assert feedback.count_by_verdict(conn) == {"down": 1}
