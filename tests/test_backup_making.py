"""Backup and restore of a small base: what goes on meanwhile, what is missing, what is refused, what dies."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from backup.aside import publish
from backup.making import Made, Source, make
from backup.reading import check, opened
from backup.restoring import Place, Restored, restore
from core import faults
from core.errors import InvalidRequest, Misconfigured, StorageFull
from core.types import Principal, Reach, Status
from ingest.files import FileStore
from retrieval.store import audit, documents, feedback, grants, keys, people, vectors
from retrieval.store.audit import Action, Event, Span
from retrieval.store.database import RESTORING, Database
from retrieval.store.documents import Query, Upload
from tests.frozen_bases import FROZEN, HR, OLD, REVOKED, revive, rows

ROOT = Path(__file__).parents[1]
MOMENT = 1_790_000_000.0
EVERYONE = Principal("test")
DEATHS_LEAST = 10
PARTS = {"znayka.db", "files", "model", "encoders.json", "evaluations"}


def quiet(done_bytes: int, total_bytes: int) -> None:
    """Nobody watches."""


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    """A base of the newest schema with rows in all tables, and the other things that a data folder has."""
    data_dir = tmp_path / "data"
    with closing(Database(f"sqlite:///{revive(FROZEN[-1], data_dir)}", busy_timeout_s=0.5)) as database:
        database.migrate()
        (data_dir / "model").write_text("saiga_nemo_12b\n")
        (data_dir / "encoders.json").write_text('{"words": "words"}')
        run = data_dir / "evaluations" / "01a21126-be8d-700f-a7b8-b0c775bcdd45"
        run.mkdir(parents=True)
        (run / "run.json").write_text("{}")
        (run / ".report.json").write_text("half")
        for name in ("index/1.faiss", "models/big.gguf", "logs/api.log", "reembed/x.vectors"):
            (data_dir / name).parent.mkdir()
            (data_dir / name).write_bytes(b"made again or fetched")
        yield Source(database, data_dir, "words")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def back_up(source: Source, out: Path, progress=quiet) -> Made:
    return make(source, out / "copy.tar", moment=MOMENT, progress=progress)


def put_back(path: Path, data_dir: Path, database: Path | None = None) -> Restored:
    event = Event(MOMENT, "console:test", Action.RESTORED, path.name)
    return restore(path, Place(data_dir, database or data_dir / "znayka.db"), event, progress=quiet)


def found(source: Source, name: str) -> str:
    with source.database.read() as conn:
        listed = documents.listing(conn, Query(name_part=name), EVERYONE, limit=10, cursor=None)
    return listed.items[0].id


def delete(source: Source, name: str) -> str:
    """Delete a document as the API does; return its hash."""
    files = FileStore(source.data_dir / "files")
    with source.database.write() as conn:
        document = documents.get(conn, found(source, name), EVERYONE)
        documents.remove(conn, document.id, EVERYONE)
    files.remove(document.sha256, is_needed=lambda: False)
    return document.sha256


def upload(source: Source, name: str, content: bytes) -> None:
    files = FileStore(source.data_dir / "files")
    with files.receive([content], max_bytes=10**6, reserve_bytes=0) as file, source.database.write() as conn:
        documents.add(conn, Upload(name, "default", "text/plain", len(content), file.sha256), EVERYONE, now=MOMENT)


def test_what_is_restored_is_what_was_backed_up_in_every_table(source: Source, out: Path, tmp_path: Path) -> None:
    before = rows(source.database.path)
    made = back_up(source, out)
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600, "it holds everything"
    new = tmp_path / "elsewhere/new"
    done = put_back(made.path, new)
    assert done.requeued == 1
    assert {path.name for path in new.iterdir()} == PARTS
    assert [path.name for path in new.glob("evaluations/*/*")] == ["run.json"]
    after = rows(new / "znayka.db")
    assert after.pop("audit")[:-1] == before.pop("audit")
    held = {row["id"] for row in before["documents"] if row["lease_owner"]}
    assert [one for one in after.pop("documents") if one["id"] not in held] == [
        one for one in before.pop("documents") if one["id"] not in held
    ]
    assert after == before
    for path in (source.data_dir / "files").glob("??/*"):
        assert (new / path.relative_to(source.data_dir)).read_bytes() == path.read_bytes()


def test_rights_keys_people_opinions_and_the_log_hold_after_a_restore(
    source: Source, out: Path, tmp_path: Path
) -> None:
    put_back(back_up(source, out).path, tmp_path / "new")
    with closing(Database(f"sqlite:///{tmp_path / 'new/znayka.db'}")) as database, database.read() as conn:
        single = documents.listing(conn, Query(name_part="склад"), EVERYONE, limit=2, cursor=None).items[0].id
        ivanov, hr, old = (
            people.resolve(conn, "иванов", ()),
            keys.resolve(conn, HR, now=1.8e9),
            keys.resolve(conn, OLD, now=1.8e9),
        )
        assert ivanov is not None
        assert ivanov.reads == Reach(frozenset({"кадры"}), frozenset({single}))
        assert hr is not None
        assert hr.reads == Reach(frozenset({"кадры"}))
        assert old is not None
        assert old.reads == Reach(None)
        assert keys.resolve(conn, REVOKED, now=1.8e9) is None
        assert [one.comment for one in feedback.listing(conn, EVERYONE, limit=9)] == ["спасибо"]
        actions = [one.event.action for one in audit.listing(conn, Span(), limit=9)]
    assert actions == [Action.USER_ADDED, Action.RESTORED]


def test_grants_of_a_deleted_document_stay_ended_and_those_of_a_replaced_one_pass_on(
    source: Source, out: Path, tmp_path: Path
) -> None:
    gone = found(source, "склад")
    delete(source, "склад")
    put_back(back_up(source, out).path, tmp_path / "new")
    with closing(Database(f"sqlite:///{tmp_path / 'new/znayka.db'}")) as database, database.read() as conn:
        assert all(one.opening.name != gone for one in grants.listing(conn))
        ivanov = people.resolve(conn, "иванов", ())
    assert ivanov is not None
    assert ivanov.reads == Reach(frozenset({"кадры"}))


def test_a_document_in_hand_is_queued_again_without_blame(source: Source, out: Path, tmp_path: Path) -> None:
    put_back(back_up(source, out).path, tmp_path / "new")
    restored = rows(tmp_path / "new/znayka.db")["documents"]
    waiting = {row["name"]: row for row in restored if row["status"] == Status.QUEUED}
    assert waiting.keys() == {"обрабатывается.txt", "ждёт.txt"}
    assert {(row["attempts"], row["lease_owner"]) for row in waiting.values()} == {(0, None)}


def test_a_document_deleted_while_it_is_backed_up_is_in_the_backup_and_its_bytes_go_at_the_end(
    source: Source, out: Path, tmp_path: Path
) -> None:
    gone: list[str] = []

    def meanwhile(done_bytes: int, total_bytes: int) -> None:
        if not gone:
            gone.extend(delete(source, name) for name in ("отпуск", "склад"))
            upload(source, "новый.txt", b"later")

    made = back_up(source, out, meanwhile)
    assert made.missing == ()
    assert not any(FileStore(source.data_dir / "files").path(sha256).exists() for sha256 in gone)
    put_back(made.path, tmp_path / "new")
    restored = {row["sha256"] for row in rows(tmp_path / "new/znayka.db")["documents"]}
    assert set(gone) <= restored
    assert hashlib.sha256(b"later").hexdigest() not in restored
    assert {path.name for path in (tmp_path / "new/files").glob("??/*")} == restored


def test_nothing_deleted_before_is_in_the_backup_not_even_in_free_pages(source: Source, out: Path) -> None:
    words = "кладовщик".encode()
    with source.database.read() as conn:
        conn.exec_driver_sql("PRAGMA secure_delete=OFF")  # Debian's SQLite wipes by default, others do not
    sha256 = delete(source, "склад")
    with closing(sqlite3.connect(source.database.path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert words in source.database.path.read_bytes(), "the base itself still has them in a free page"
    content = back_up(source, out).path.read_bytes()
    assert sha256.encode() not in content
    assert words not in content


def test_lost_and_damaged_bytes_are_named_and_keep_nothing_else_back(source: Source, out: Path, tmp_path: Path) -> None:
    files = FileStore(source.data_dir / "files")
    with source.database.read() as conn:
        lost, damaged = (
            documents.get(conn, found(source, name), EVERYONE).sha256 for name in ("отпуск", "командировка")
        )
    files.path(lost).unlink()
    files.path(damaged).write_bytes(files.path(damaged).read_bytes()[:-1] + b"?")
    made = back_up(source, out)
    assert {one.name for one in made.missing} == {"отпуск.txt", "командировка.txt"}
    with opened(made.path) as backup:
        check(backup, quiet)
        assert set(backup.manifest.missing) == {lost, damaged}
    put_back(made.path, tmp_path / "new")
    assert len(list((tmp_path / "new/files").glob("??/*"))) == len(rows(tmp_path / "new/znayka.db")["documents"]) - 2


def test_a_damaged_base_is_not_backed_up(source: Source, out: Path) -> None:
    with source.database.write() as conn:
        conn.execute(text("UPDATE passages SET text = text || '?' WHERE id = 1"))
    with pytest.raises(Misconfigured, match="Копия не сделана: база данных повреждена"):
        back_up(source, out)
    assert list(out.iterdir()) == []


def test_a_backup_overwrites_nothing_and_does_not_lie_in_the_data_folder(source: Source, out: Path) -> None:
    (out / "copy.tar").write_text("precious")
    with pytest.raises(InvalidRequest, match="уже есть"):
        back_up(source, out)
    assert (out / "copy.tar").read_text() == "precious"
    for folder in (source.data_dir, source.data_dir / "files"):
        with pytest.raises(InvalidRequest, match="пропадёт вместе с ней"):
            back_up(source, folder)
    with pytest.raises(InvalidRequest, match=r"нет\. Создайте"):
        back_up(source, out / "none")


def test_every_write_that_meets_a_full_disk_leaves_nothing_and_says_so(source: Source, out: Path) -> None:
    writes = 0
    while True:
        writes += 1
        faults.arm(f"full@{writes}")
        try:
            back_up(source, out)
        except StorageFull as exc:
            said = exc.detail
        else:
            break
        finally:
            faults.arm("")
        assert "не хватает места для копии" in said
        assert list(out.iterdir()) == []
    print(f"{writes - 1} writes met a full disk")
    assert writes > 3 * len(rows(source.database.path)["documents"])


def test_a_restore_that_meets_a_full_disk_leaves_nothing_and_says_so(source: Source, out: Path, tmp_path: Path) -> None:
    made = back_up(source, out)
    for write in (1, 2, 5):
        faults.arm(f"full@{write}")
        try:
            with pytest.raises(StorageFull, match="не хватает места для восстановления"):
                put_back(made.path, tmp_path / "new")
        finally:
            faults.arm("")
        assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_anything_is_not_restored_into(source: Source, out: Path, tmp_path: Path) -> None:
    made = back_up(source, out)
    before = rows(source.database.path)
    with pytest.raises(InvalidRequest, match=r"не пуста \(в ней encoders.json"):
        put_back(made.path, source.data_dir)
    assert rows(source.database.path) == before
    with pytest.raises(InvalidRequest, match="не пуста"):
        put_back(made.path, tmp_path / "new", source.database.path)
    assert not (source.data_dir / f"znayka.db{RESTORING}").exists()


def test_a_mounted_folder_with_models_and_logs_is_empty_enough(source: Source, out: Path, tmp_path: Path) -> None:
    made = back_up(source, out)
    for name in ("lost+found", "models", "logs"):
        (tmp_path / "new" / name).mkdir(parents=True)
    put_back(made.path, tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == PARTS | {"lost+found", "models", "logs"}


def test_a_base_beside_the_data_folder_is_restored_where_the_settings_want_it(
    source: Source, out: Path, tmp_path: Path
) -> None:
    put_back(back_up(source, out).path, tmp_path / "new", tmp_path / "fast/base.db")
    assert {path.name for path in (tmp_path / "new").iterdir()} == PARTS - {"znayka.db"}
    assert [path.name for path in (tmp_path / "fast").iterdir()] == ["base.db"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_restores_belongs_to_the_owner_of_the_folder(source: Source, out: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    os.chown(new, 10001, 10001)
    put_back(back_up(source, out).path, new)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in new.rglob("*")} == {(10001, 10001)}


def test_a_damaged_backup_leaves_the_folder_as_it_was(source: Source, out: Path, tmp_path: Path) -> None:
    made = back_up(source, out)
    content = bytearray(made.path.read_bytes())
    at = content.rindex("Суточные".encode())
    content[at] ^= 1
    made.path.write_bytes(content)
    with pytest.raises(Misconfigured, match="контрольная сумма «files/"):
        put_back(made.path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_next_passage_after_a_restore_takes_no_id_that_was_used(source: Source, out: Path, tmp_path: Path) -> None:
    put_back(back_up(source, out).path, tmp_path / "new")
    with closing(sqlite3.connect(tmp_path / "new/znayka.db")) as raw:
        (used,) = raw.execute("SELECT seq FROM sqlite_sequence WHERE name = 'passages'").fetchone()
        (highest,) = raw.execute("SELECT max(id) FROM passages").fetchone()
    assert used > highest, "the last one was deleted; a loaded index may know it still"


def test_vectors_are_restored_with_the_model_that_made_them(source: Source, out: Path, tmp_path: Path) -> None:
    made = back_up(source, out)
    assert (made.manifest.encoder, made.manifest.fingerprint) == ("words", "words")
    put_back(made.path, tmp_path / "new")
    with closing(Database(f"sqlite:///{tmp_path / 'new/znayka.db'}")) as database, database.read() as conn:
        assert vectors.state(conn).fingerprint == "words"


@pytest.mark.parametrize("schema", FROZEN[:-1])
def test_a_backup_of_an_older_schema_is_made_unchanged_and_upgraded_when_restored(
    schema: str, out: Path, tmp_path: Path
) -> None:
    path = revive(schema, tmp_path / "data")
    with closing(Database(f"sqlite:///{path}")) as database:
        made = back_up(Source(database, tmp_path / "data", "words"), out)
        assert made.manifest.schema_version == database.require_usable() == schema
    put_back(made.path, tmp_path / "new")
    with closing(Database(f"sqlite:///{tmp_path / 'new/znayka.db'}")) as database, database.read() as conn:
        assert database.require_usable() == FROZEN[-1]
        assert documents.count(conn, EVERYONE) == len(rows(path)["documents"])
        hr = keys.resolve(conn, HR, now=1.8e9)
    assert hr is not None
    assert hr.reads == Reach(frozenset({"кадры"}))


@pytest.mark.crash
def test_a_death_at_any_step_of_backup_or_restore_leaves_nothing_half_and_the_next_try_succeeds(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.backup_deaths", str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    backups, restores = map(int, done.stdout.split())
    print(f"{backups} deaths of a backup, {restores} of a restore")
    assert min(backups, restores) > DEATHS_LEAST


def test_a_leftover_of_a_killed_backup_is_cleared_away_by_the_next(source: Source, out: Path) -> None:
    left = out / ".znayka-backup-dead"
    left.mkdir()
    (left / "whole").write_bytes(b"half")
    back_up(source, out)
    assert [path.name for path in out.iterdir()] == ["copy.tar"]


def test_a_folder_without_locks_and_hard_links_takes_backups_too(
    source: Source, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    lock = fcntl.flock
    # As NFS and CIFS do, where backups often go.
    monkeypatch.setattr("backup.aside.fcntl.flock", lambda fd, how: refuse() if is_in(fd, out) else lock(fd, how))
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (out / ".znayka-backup-of-another-machine").mkdir()
    made = back_up(source, out)
    with opened(made.path) as backup:
        check(backup, quiet)
    assert {path.name for path in out.iterdir()} == {"copy.tar", ".znayka-backup-of-another-machine"}
    with pytest.raises(InvalidRequest, match="уже есть"):
        publish(made.path, made.path)


def is_in(fd: object, folder: Path) -> bool:
    return isinstance(fd, int) and Path(f"/proc/self/fd/{fd}").readlink().is_relative_to(folder)


def test_two_restores_into_one_folder_do_not_meet(source: Source, out: Path, tmp_path: Path) -> None:
    made, new = back_up(source, out), tmp_path / "new"
    new.mkdir()
    fd = os.open(new, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(InvalidRequest, match="уже идёт восстановление"):
        put_back(made.path, new)
    os.close(fd)
    put_back(made.path, new)


def test_room_for_the_backup_is_asked_for_before_it_is_written(
    source: Source, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(out)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(StorageFull, match=r"нужно 1 МБ, свободно 0 МБ"):
        back_up(source, out)
    assert list(out.iterdir()) == []
