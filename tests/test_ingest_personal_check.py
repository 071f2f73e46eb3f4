"""A collection that takes no personal data: the file ends failed with kinds, counts and pages, and its bytes go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Forbidden, NotFound
from core.types import PersonalPolicy, Principal, Reach, Status
from ingest.upkeep import sweep
from retrieval.store import documents, policies
from tests.test_ingest_worker import ANYONE, Base

TEXT = "Иванова Анна, тел. +7 (912) 345-67-89 и 8 (913) 222-33-44, СНИЛС 112-233-445 95. Поставщик: ИНН 7707083893."


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Base]:
    base = Base(tmp_path)
    with base.database.write() as conn:
        policies.set_policy(conn, "default", PersonalPolicy.REFUSE, now=1.0)
    yield base
    base.sandbox.close()
    base.database.close()


def test_a_file_is_refused_with_what_it_holds_but_never_the_values_and_its_bytes_go(base: Base) -> None:
    refused, clean = base.put("Сотрудники.txt", TEXT), base.put("Правила.txt", "Отпуск длится 28 дней. ИНН 7707083893.")
    base.work()
    ended = base.get(refused)
    assert ended.status is Status.FAILED
    assert ended.error is not None
    assert ended.error.code == "personal_data"
    assert "СНИЛС — 1 (часть 1); телефон — 2 (часть 1)" in ended.error.detail
    assert not any(value in ended.error.detail for value in ("912", "112-233", "7707083893"))
    assert {one.kind: one.count for one in ended.personal_data or ()} == {"snils": 1, "phone": 2, "company_inn": 1}
    assert base.get(clean).status is Status.READY
    assert not base.files.path(ended.sha256).exists()
    assert base.files.path(base.get(clean).sha256).exists()
    with base.database.read() as conn, pytest.raises(NotFound, match="не хранится"):
        documents.require_original(conn, ended, ANYONE)


def test_the_same_file_is_taken_once_the_collection_allows_it(base: Base) -> None:
    base.put("Сотрудники.txt", TEXT)
    base.work()
    with base.database.write() as conn:
        policies.set_policy(conn, "default", PersonalPolicy.ALLOW, now=2.0)
    again = base.put("Сотрудники.txt", TEXT)
    base.work()
    assert base.get(again).status is Status.READY
    assert base.files.path(again.sha256).exists()


def test_bytes_that_a_death_left_go_with_the_next_sweep_and_a_telling_name_is_refused_too(base: Base) -> None:
    named = base.put("тел +7 (912) 345-67-89.txt", "Отпуск длится 28 дней.")
    base.work()
    ended = base.get(named)
    assert ended.error is not None
    assert "телефон — 1 (имя файла)" in ended.error.detail
    assert ended.name == "тел [телефон].txt"
    path = base.files.path(ended.sha256)
    path.write_bytes(b"left by a death")
    sweep(base.database, base.files)
    assert not path.exists()


def test_documents_that_were_there_stay_and_are_counted(base: Base) -> None:
    with base.database.write() as conn:
        policies.set_policy(conn, "default", PersonalPolicy.ALLOW, now=1.0)
    document = base.put("Сотрудники.txt", TEXT)
    base.work()
    with base.database.write() as conn:
        policies.set_policy(conn, "default", PersonalPolicy.REFUSE, now=2.0)
        found = policies.listing(conn)[0]
    assert base.get(document).status is Status.READY
    assert (found.documents, found.holding, found.unchecked) == (1, 1, 0)


def test_a_reader_of_a_hiding_collection_has_no_original_and_its_editor_has(base: Base) -> None:
    with base.database.write() as conn:
        policies.set_policy(conn, "default", PersonalPolicy.MASK, now=1.0)
    document = base.put("Сотрудники.txt", TEXT)
    base.work()
    reader = Principal("r", frozenset({"default"}), edits=Reach(frozenset()))
    with base.database.read() as conn:
        documents.require_original(conn, base.get(document), ANYONE)
        with pytest.raises(Forbidden, match="редактор"):
            documents.require_original(conn, base.get(document), reader)
