"""Erasing a document: no byte of it below the data folder, whatever cut the work off; all else stays."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, text

from core.errors import NotFound, TryLater
from core.logs import JsonLines
from core.types import PersonalKind
from ingest import reembed, traces
from ingest.erasure import Erasure, Report
from retrieval.store import audit, documents, feedback, grants, jobs, passages, policies, schema
from retrieval.store.audit import Action, Event
from retrieval.store.database import Database
from retrieval.store.documents import Upload
from retrieval.store.feedback import Opinion
from retrieval.store.passages import Ingested, NewPage, NewPassage
from retrieval.terms import index_text
from retrieval.vector_index import Allowed, VectorIndex
from tests.small_base import EVERYONE, SmallBase, vector_of

CANARY = "щукобрас"
PHRASE = f"Премию назначает только {CANARY}, и никто другой в отделе"
NAME = f"приказ {CANARY}.txt"
OTHER = "Отпуск длится двадцать восемь календарных дней"
STEPS = ("erase_rows", "erase_bytes", "erase_vectors", "erase_derived", "erase_quotes", "scour", "look_again")
RUN = "0199aaaa-0000-7000-8000-000000000001"


@dataclass
class World:
    """A data folder with one document that is everywhere, and another beside it."""

    folder: Path
    document: str
    other: str
    passage_ids: tuple[int, ...]

    def erasure(self, kill_at: str = "") -> Erasure:
        def step(name: str) -> None:
            if name == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

        database = Database(f"sqlite:///{self.folder / 'base.db'}")

        def tell(conn, ids) -> None:
            audit.write(conn, [Event(9.0, "console:test", Action.ERASED, id_) for id_ in ids])

        return Erasure(database, self.folder, tell, lambda: "", step)

    def erase(self, wanted: str = "") -> Report:
        erasure = self.erasure()
        try:
            return erasure.run(erasure.find(wanted or self.document))
        finally:
            erasure.database.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    base = SmallBase(tmp_path)
    document, other = ingested(base, NAME, PHRASE), ingested(base, "отпуска.txt", OTHER)
    with base.database.write() as conn:
        cited = (document,)
        for said in (Opinion("up", "Кто назначает премию?", f"«{PHRASE}» [1].", "", cited),):
            feedback.add(conn, said, EVERYONE, now=2.0)
        feedback.add(conn, Opinion("up", "Отпуск?", OTHER, "", (other,)), EVERYONE, now=2.0)
        events = [
            Event(1.0, "test", Action.UPLOADED, document, {"name": NAME, "collection": "default"}),
            Event(2.0, "test", Action.ASKED, "default", {"question": f"{PHRASE}?"}),
            Event(3.0, "test", Action.OPENED, other, {"name": "отпуска.txt"}),
        ]
        audit.write(conn, events)
        ids = tuple(
            conn.execute(select(schema.passages.c.id).where(schema.passages.c.document_id == document)).scalars()
        )
    base.compact()
    spread(tmp_path, ids)
    yield World(tmp_path, document, other, ids)
    base.close()


def ingested(base: SmallBase, name: str, said: str) -> str:
    """A document with its bytes in the file store."""
    data = f"{said}\n{name}".encode()
    sha256 = hashlib.sha256(data).hexdigest()
    path = base.index_folder.parent / "files" / sha256[:2] / sha256
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    with base.database.write() as conn:
        document = documents.add(conn, Upload(name, "default", "text/plain", len(data), sha256), EVERYONE, now=1.0)
        jobs.lease(conn, "test", limit=10, now=1.0)
        passage = NewPassage(0, None, said, 0, len(said), sha256, vector_of(said), index_text(f"{name}\n{said}"))
        made = Ingested(document.id, "text/plain", (NewPage(1, said),), (passage,))
        assert passages.commit(conn, made, "test", now=1.0)
    return document.id


def spread(folder: Path, ids: tuple[int, ...]) -> None:
    """What quotes the document beside the database: an evaluation, reports, a log, an older edition, old vectors."""
    run = folder / "evaluations" / RUN
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"status": "done", "name": NAME}), encoding="utf-8")
    (run / "report.json").write_text(json.dumps({"got": PHRASE}), encoding="utf-8")  # ASCII with \u escapes
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "report.html").write_text(f"<p>{PHRASE}</p>", encoding="utf-8")
    (folder / "logs").mkdir()
    line = JsonLines().format(logging.makeLogRecord({"msg": f"quoted:\n«{PHRASE}»"}))
    (folder / "logs" / "api.log").write_text(f"ok\n{line}\nmore\n", encoding="utf-8")
    orphan = hashlib.sha256(b"older").hexdigest()
    (folder / "files" / orphan[:2]).mkdir(exist_ok=True)
    (folder / "files" / orphan[:2] / orphan).write_text(PHRASE, encoding="utf-16")
    (folder / "reembed").mkdir()
    records = np.zeros(2, reembed._record(64))
    records["id"], records["vector"][:, 0] = [ids[0], 10**6], 1
    records["key"] = [b"a" * 64, b"b" * 64]
    records.tofile(folder / "reembed" / "old.vectors")


def test_nothing_is_left_in_any_file_and_the_report_says_so(world: World) -> None:
    assert holding(world.folder), "the search below finds what is there"
    report = world.erase()
    assert report.is_clean, report
    before = {place.name: place.before for place in report.places}
    assert [name for name, count in before.items() if not count] == [
        "векторы предложений",
        "права на документ",
        "временные файлы",
        "память процесса модели",
    ]
    check_gone(world)


def check_gone(world: World) -> None:
    assert holding(world.folder) == []
    base = Database(f"sqlite:///{world.folder / 'base.db'}")
    try:
        assert base.damage() == []
        with base.read() as conn:
            assert list(conn.execute(select(schema.documents.c.id)).scalars()) == [world.other]
            assert [one.event.action for one in audit.listing(conn, audit.Span(), limit=100)] == [
                "uploaded",
                "asked",
                "opened",
                "erased",
            ]
            assert audit.listing(conn, audit.Span(), limit=100)[2].event.detail == {"name": "отпуска.txt"}
            assert [one.question for one in feedback.listing(conn, EVERYONE, limit=9)] == ["Отпуск?"]
            snapshot = VectorIndex(world.folder / "index").refresh(conn)
            assert snapshot.body is not None
            assert set(world.passage_ids).isdisjoint(snapshot.body.ids.tolist())
            assert len(snapshot.search(vector_of(OTHER), 5, Allowed()).ids) == 1
            conn.execute(text("SELECT count(*) FROM passage_stems WHERE passage_stems MATCH 'отпуск'"))
        with pytest.raises(Exception, match="append-only"), base.write() as conn:
            conn.execute(text("DELETE FROM audit"))
    finally:
        base.close()
    assert len(list((world.folder / "index").iterdir())) == 2, "one generation, without the one before"
    assert not (world.folder / "erasures").exists()
    assert (world.folder / "logs" / "api.log").read_text(encoding="utf-8").startswith("ok\n ")


@pytest.mark.parametrize("step", STEPS)
def test_one_that_is_killed_at_any_step_is_finished_by_the_same_command(world: World, step: str) -> None:
    child = os.fork()
    if child == 0:
        try:
            erasure = world.erasure(kill_at=step)
            erasure.run(erasure.find(world.document))
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    report = world.erase(NAME)
    assert report.is_clean, report
    assert next(place.before for place in report.places if place.name == "запись о документе") == 1
    check_gone(world)


def holding(folder: Path) -> list[str]:
    """Files with a canary in their bytes: looked for here anew, not by what is tested."""
    found = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        data = path.read_bytes()
        forms = [CANARY.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be", "cp1251")]
        if any(form in data or form in data.lower() for form in [*forms, json.dumps(CANARY)[1:-1].encode()]):
            found.append(path.name)
    return found


def test_bytes_that_another_document_needs_stay_and_are_reported(world: World) -> None:
    base = Database(f"sqlite:///{world.folder / 'base.db'}")
    with base.write() as conn:
        sha256 = documents.get(conn, world.document, EVERYONE).sha256
        twin = documents.add(conn, Upload("копия.txt", "иная", "text/plain", 1, sha256), EVERYONE, now=3.0)
    base.close()
    report = world.erase()
    assert not report.is_clean
    kept = next(place for place in report.places if place.name == "исходный файл")
    assert (kept.after, twin.id in kept.how) == (1, True)


def test_an_unknown_name_and_one_in_two_collections_are_not_erased(world: World) -> None:
    base = Database(f"sqlite:///{world.folder / 'base.db'}")
    with base.write() as conn:
        documents.add(conn, Upload(NAME, "иная", "text/plain", 1, "e" * 64), EVERYONE, now=3.0)
    base.close()
    with pytest.raises(NotFound, match="нет"):
        world.erase("нет такого.txt")
    with pytest.raises(NotFound, match="default, иная"):
        world.erase(NAME)
    assert holding(world.folder)


def test_it_waits_for_an_evaluation_that_runs(world: World) -> None:
    state = world.folder / "evaluations" / RUN / "run.json"
    state.write_text(json.dumps({"status": "running"}), encoding="utf-8")
    with pytest.raises(TryLater, match="проверка"):
        world.erase()


def test_old_vectors_are_overwritten_where_they_stand(world: World) -> None:
    world.erase()
    records = np.fromfile(world.folder / "reembed" / "old.vectors", reembed._record(64))
    assert records["key"].tolist() == [b"0" * 64, b"b" * 64]
    assert np.allclose(np.linalg.norm(records["vector"], axis=1), 1), "else the worker would take it for torn"


def test_excerpts_are_of_this_document_alone() -> None:
    shared = "Общие положения действуют для всех работников компании"
    found = traces.excerpts([NAME], [f"{shared}\n{PHRASE}"], [shared])
    assert found[0] == NAME
    assert found
    assert all(piece not in shared for piece in found)


def test_a_grant_of_the_document_goes_with_it(world: World) -> None:
    from retrieval.store import people
    from retrieval.store.grants import ObjectKind, Opening, SubjectKind

    base = Database(f"sqlite:///{world.folder / 'base.db'}")
    with base.write() as conn:
        people.add_user(conn, "анна", now=1.0)
        opening = Opening(ObjectKind.DOCUMENT, world.document, documents_role())
        grants.give(conn, people.subject(conn, SubjectKind.USER, "анна"), opening, now=1.0)
    report = world.erase()
    assert report.is_clean
    with base.read() as conn:
        assert grants.listing(conn) == []
    base.close()


def documents_role():
    from core.types import Role

    return Role.READER


def test_counts_of_personal_data_are_noted_for_documents_that_came_before(world: World) -> None:
    from ingest.personal_check import PersonalDataChecking

    base = Database(f"sqlite:///{world.folder / 'base.db'}")
    with base.write() as conn:
        conn.execute(
            schema.pages.update()
            .where(schema.pages.c.document_id == world.other)
            .values(text="Звоните +7 (912) 345-67-89, ivanov@example.ru")
        )
    checking = PersonalDataChecking(base)
    assert [checking.run() for _ in range(3)] == [True, True, False]
    with base.read() as conn:
        counted = documents.get(conn, world.other, EVERYONE).personal_data or ()
        assert [(one.kind, one.count) for one in counted] == [(PersonalKind.PHONE, 1), (PersonalKind.EMAIL, 1)]
        assert policies.unchecked(conn) is None
    base.close()
