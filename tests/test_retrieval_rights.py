"""Rights in the store and in the search: what is opened is found, whatever else is there, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from core.errors import Forbidden, InvalidRequest, NotFound, ServiceError
from core.types import NOTHING, Principal, Reach, Role
from retrieval.query.reader import QueryReader
from retrieval.query.vocabulary import Vocabulary
from retrieval.searcher import Searcher
from retrieval.store import audit, documents, grants, keys, passages, people
from retrieval.store.audit import Action, Event, Span
from retrieval.store.database import MIGRATIONS, Database
from retrieval.store.documents import Query, Upload
from retrieval.store.grants import ObjectKind, Opening, Subject, SubjectKind
from retrieval.store.keys import Terms
from retrieval.vector_index import VectorIndex
from tests.small_base import EVERYONE, SmallBase, WordEncoder

NOW = 1_000_000.0
READ_HR = Opening(ObjectKind.COLLECTION, "кадры", Role.READER)


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SmallBase]:
    base = SmallBase(tmp_path)
    yield base
    base.close()


def searcher(base: SmallBase) -> Searcher:
    reader = QueryReader(Vocabulary(base.database))
    return Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.6, reader=reader)


def user(conn: Connection, name: str) -> Subject:
    people.add_user(conn, name, now=NOW)
    return people.subject(conn, SubjectKind.USER, name)


def principal(conn: Connection, name: str, *groups: str) -> Principal:
    found = people.resolve(conn, name, groups)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallBase, frozenset[str]]]:
    """Ten thousand passages, one in a hundred one's own: those of others fit every query of the test better."""
    base = SmallBase(tmp_path_factory.mktemp("crowd"))
    for number in range(99):
        base.add(
            *(f"4.2. Срок согласования договора поставки, {number * 100 + n}." for n in range(100)), collection="чужие"
        )
    mine = [
        base.add(*(f"4.2. Договор хранения {tens * 10 + n}." for n in range(10)), collection="свои")
        for tens in range(10)
    ]
    yield base, frozenset(mine)
    base.close()


@pytest.mark.parametrize("where", ["beyond the index file", "in the index file"])
def test_with_one_percent_of_ten_thousand_passages_readable_the_ten_best_are_ten_own(
    crowd: tuple[SmallBase, frozenset[str]], where: str
) -> None:
    base, mine = crowd
    if where == "in the index file":
        base.compact()
    search = searcher(base).search
    askers = (Principal("c", frozenset({"свои"})), Principal("s", frozenset(), mine))
    for query in ("срок согласования договора поставки", "п. 4.2 договора", "срок согласованяи договора"):
        theirs = search(query, principal=EVERYONE, collection=None, top_k=10).passages
        assert not {passage.document_id for passage in theirs} & mine, "the others were to fit better"
        for asker, collection in product(askers, (None, "свои")):
            found = search(query, principal=asker, collection=collection, top_k=10).passages
            assert len(found) == 10, (query, asker.name)
            assert {passage.document_id for passage in found} <= mine, (query, asker.name)


def test_a_collection_of_which_one_document_is_open_is_searched_for_that_one(base: SmallBase) -> None:
    mine, other = base.add("отпуск инженера", collection="кадры"), base.add("отпуск директора", collection="кадры")
    base.add("отпуск врача", collection="клиника")
    asker = Principal("u", frozenset({"клиника"}), frozenset({mine}))
    search = searcher(base).search
    assert {p.document_id for p in search("отпуск", principal=asker, collection="кадры", top_k=9).passages} == {mine}
    assert other not in {p.document_id for p in search("отпуск", principal=asker, collection=None, top_k=9).passages}
    assert len(search("отпуск", principal=asker, collection=None, top_k=9).passages) == 2
    with pytest.raises(NotFound):
        search("отпуск", principal=asker, collection="склад", top_k=9)


def test_no_query_is_mended_by_a_word_of_a_document_that_is_not_open(base: SmallBase) -> None:
    mine = base.add("зюзяклавр спит", "другой зюзяклавр", collection="кадры")
    base.add("бурмаклавр ест", "другой бурмаклавр", collection="кадры")
    search = searcher(base).search
    asker = Principal("u", frozenset(), frozenset({mine}))
    assert search("зюзякалвр", principal=asker, collection=None, top_k=1).interpretation.searched == "зюзяклавр"
    assert search("бурмакалвр", principal=EVERYONE, collection=None, top_k=1).interpretation.searched == "бурмаклавр"
    assert search("бурмакалвр", principal=asker, collection=None, top_k=1).interpretation.searched == "бурмакалвр"


def test_a_person_has_what_is_opened_to_them_and_to_their_groups_and_nothing_else(base: SmallBase) -> None:
    letter = base.add("письмо", collection="почта")
    with base.database.write() as conn:
        me = user(conn, "Иванов")
        people.add_group(conn, "Бухгалтерия", now=NOW)
        people.add_group(conn, "дирекция", now=NOW)
        for group, name in (("бухгалтерия", "счета"), ("дирекция", "приказы")):
            opening = Opening(ObjectKind.COLLECTION, name, Role.EDITOR)
            grants.give(conn, people.subject(conn, SubjectKind.GROUP, group), opening, now=NOW)
        assert principal(conn, "иванов").reads == NOTHING
        grants.give(conn, me, READ_HR, now=NOW)
        grants.give(conn, me, Opening(ObjectKind.DOCUMENT, letter, Role.READER), now=NOW)
        people.join(conn, "иванов", "бухгалтерия")
        known = principal(conn, "ИВАНОВ ", "дирекция", "неизвестная")
    assert known.name == "user:иванов"
    assert known.reads == Reach(frozenset({"кадры", "счета", "приказы"}), frozenset({letter}))
    assert known.edits == Reach(frozenset({"счета", "приказы"}))
    assert not known.is_administrator


def test_a_blocked_person_is_not_let_in_in_whatever_letters_their_name_comes(base: SmallBase) -> None:
    with base.database.write() as conn:
        people.add_user(conn, "Ivanov", now=NOW)
        people.block_user(conn, "ivanov", now=NOW)
        assert [people.resolve(conn, name, ()) for name in ("ivanov", " IVANOV", "Ｉｖａｎｏｖ")] == [None] * 3
        people.add_user(conn, "ivanov", now=NOW)
        assert people.resolve(conn, "Ivanov", ()) is not None
        for odd in ("", "  ", "a\nb", "я" * 256, "a\u202eb"):
            with pytest.raises(InvalidRequest):
                people.canonical(odd)


def test_a_removed_group_takes_its_rights_along(base: SmallBase) -> None:
    with base.database.write() as conn:
        people.add_group(conn, "г", now=NOW)
        grants.give(conn, people.subject(conn, SubjectKind.GROUP, "г"), READ_HR, now=NOW)
        people.remove_group(conn, "г")
        assert grants.listing(conn) == []
        people.add_group(conn, "г", now=NOW)
        assert principal(conn, "кто-то", "г").reads == NOTHING


def test_a_grant_is_replaced_by_another_role_and_ends_when_it_is_withdrawn(base: SmallBase) -> None:
    with base.database.write() as conn:
        me = user(conn, "u")
        first = grants.give(conn, me, READ_HR, now=NOW)
        assert grants.give(conn, me, Opening(ObjectKind.COLLECTION, "кадры", Role.EDITOR), now=NOW) == first
        assert principal(conn, "u").edits is None
        grants.withdraw(conn, first)
        assert principal(conn, "u").reads == NOTHING
        with pytest.raises(NotFound):
            grants.withdraw(conn, first)
        for wrong in (
            Opening(ObjectKind.COLLECTION, "кадры", Role.ADMINISTRATOR),
            Opening(ObjectKind.EVERYTHING, "кадры", Role.READER),
            Opening(ObjectKind.COLLECTION, "", Role.READER),
        ):
            with pytest.raises(InvalidRequest):
                grants.give(conn, me, wrong, now=NOW)
        with pytest.raises(NotFound):
            grants.give(conn, me, Opening(ObjectKind.DOCUMENT, "нет", Role.READER), now=NOW)


def test_who_may_only_read_changes_nothing(base: SmallBase) -> None:
    document = base.add("отпуск", collection="кадры")
    reader = Principal("r", frozenset({"кадры"}), edits=NOTHING)
    upload = Upload("a.txt", "кадры", "text/plain", 1, "0" * 64)
    with base.database.write() as conn:
        with pytest.raises(Forbidden):
            documents.add(conn, upload, reader, now=NOW)
        with pytest.raises(Forbidden):
            documents.remove(conn, document, reader)
        with pytest.raises(NotFound):
            documents.add(conn, upload, Principal("o", frozenset({"склад"})), now=NOW)
        with pytest.raises(NotFound):
            documents.remove(conn, document, Principal("o", frozenset({"склад"})))
        single = Principal("s", frozenset(), frozenset({document}))
        with pytest.raises(Forbidden):
            documents.add(conn, upload, single, now=NOW)
        documents.remove(conn, document, single)


def test_a_new_edition_stays_open_to_those_who_had_the_old_one(base: SmallBase) -> None:
    old = base.add("первая", collection="кадры", name="Приказ.txt")
    with base.database.write() as conn:
        grants.give(conn, user(conn, "u"), Opening(ObjectKind.DOCUMENT, old, Role.READER), now=NOW)
    new = base.add("вторая", collection="кадры", name="Приказ.txt", is_replacement=True)
    with base.database.write() as conn:
        known = principal(conn, "u")
        assert known.documents == {new}
        assert [d.id for d in documents.listing(conn, Query(), known, limit=9, cursor=None).items] == [new]
        documents.remove(conn, new, EVERYONE)
        assert grants.listing(conn) == []


def test_a_key_is_good_for_its_role_and_until_its_time(base: SmallBase) -> None:
    with base.database.write() as conn:
        secret = keys.create(conn, "бот", ["кадры"], now=NOW, terms=Terms(Role.READER, NOW + 10))
        assert keys.resolve(conn, secret, now=NOW + 9) == Principal("бот", frozenset({"кадры"}), edits=NOTHING)
        assert keys.resolve(conn, secret, now=NOW + 10) is None
        assert keys.exist(conn), "the end of the last key must not open the service to everybody"
        assert keys.ended_name(conn, secret) == "бот"
        admin = keys.create(conn, "админ", None, now=NOW, terms=Terms(Role.ADMINISTRATOR))
        assert keys.resolve(conn, admin, now=NOW) == Principal("админ", is_administrator=True)
        nothing = keys.create(conn, "пустой", [], now=NOW)
        assert keys.resolve(conn, nothing, now=NOW) == Principal("пустой", frozenset())
        with pytest.raises(InvalidRequest):
            keys.create(conn, "поздно", None, now=NOW, terms=Terms(expires_at=NOW))
        with pytest.raises(InvalidRequest):
            keys.create(conn, "user:иванов", None, now=NOW)
        with pytest.raises(InvalidRequest):
            keys.create(conn, "админ", ["кадры"], now=NOW, terms=Terms(Role.ADMINISTRATOR))


def test_keys_of_the_release_before_keep_exactly_the_rights_they_had(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scopes = {"все": None, "две": ["кадры", "склад"], "никакие": []}
    with database.write() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0002")
        for name, scope in scopes.items():
            stored = None if scope is None else json.dumps(scope, ensure_ascii=False)
            row = {"id": name, "sha": keys._hash(f"secret of {name}"), "scope": stored}
            columns = "INSERT INTO api_keys (id, name, sha256, collections, created_at)"
            conn.execute(text(f"{columns} VALUES (:id, :id, :sha, :scope, 1)"), row)
    database.migrate()
    with database.read() as conn:
        for name, scope in scopes.items():
            expected = Principal(name, None if scope is None else frozenset(scope))
            assert keys.resolve(conn, f"secret of {name}", now=NOW) == expected
    database.close()


def test_what_the_audit_log_holds_can_be_neither_changed_nor_removed(base: SmallBase) -> None:
    with base.database.write() as conn:
        audit.write(
            conn, [Event(NOW, "бот", Action.DELETED, "д", {"name": "а.txt"}, "::1"), Event(NOW, "б", Action.ASKED)]
        )
    for statement in (
        "UPDATE audit SET principal = 'x'",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE id = 2",
        "DELETE FROM audit WHERE at < 2e9",
        "INSERT OR REPLACE INTO audit (id, at, principal, action) VALUES (1, 0, '', 'asked')",
        "INSERT INTO audit (id, at, principal, action) VALUES (1, 0, '', '') ON CONFLICT (id) DO UPDATE SET at = 0",
    ):
        with pytest.raises((ServiceError, DatabaseError), match="append-only"), base.database.write() as conn:
            conn.execute(text(statement))
    with base.database.read() as conn:
        first, second = audit.listing(conn, Span(), limit=9)
        assert first.event == Event(NOW, "бот", Action.DELETED, "д", {"name": "а.txt"}, "::1")
        assert audit.listing(conn, Span(after=first.id), limit=9) == [second]
        assert audit.listing(conn, Span(since=NOW + 1), limit=9) == audit.listing(conn, Span(until=NOW), limit=9) == []


COLLECTIONS = ("а", "б", "в")
openings = st.lists(
    st.tuples(st.sampled_from(["u", "г"]), st.sampled_from([*COLLECTIONS, 0, 1, 2, 3, 4, 5, None]), st.booleans()),
    max_size=6,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(openings)
def test_what_is_read_and_changed_is_what_a_plain_list_of_openings_says(
    tmp_path_factory: pytest.TempPathFactory, openings: list[tuple[str, str | int | None, bool]]
) -> None:
    base = SmallBase(tmp_path_factory.mktemp("base"))
    made = [(base.add(f"отпуск {n}", collection=COLLECTIONS[n % 3]), COLLECTIONS[n % 3]) for n in range(6)]
    rules: dict[tuple[str, str | None], bool] = {}
    with base.database.write() as conn:
        user(conn, "u")
        people.add_group(conn, "г", now=NOW)
        for who, what, is_editor in openings:
            kind = SubjectKind.USER if who == "u" else SubjectKind.GROUP
            role = Role.EDITOR if is_editor else Role.READER
            name = made[what][0] if isinstance(what, int) else what
            object_kind = ObjectKind.DOCUMENT if isinstance(what, int) else ObjectKind.COLLECTION
            opening = Opening(object_kind, name, role) if name else Opening(ObjectKind.EVERYTHING, "", role)
            grants.give(conn, people.subject(conn, kind, who), opening, now=NOW)
            rules[who, name] = is_editor
        known = principal(conn, "u", "г")
    names = {name for _, name in rules}
    edited = {name for (_, name), is_editor in rules.items() if is_editor}
    readable = {id_ for id_, place in made if names & {None, id_, place}}
    changeable = {id_ for id_, place in made if edited & {None, id_, place}}
    found = searcher(base).search("отпуск", principal=known, collection=None, top_k=10).passages
    assert {passage.document_id for passage in found} == readable
    for id_, _ in made:
        with base.database.read() as conn:
            assert bool(passages.of_document(conn, id_, known)) == (id_ in readable)
        with base.database.write() as conn:
            try:
                documents.remove(conn, id_, known)
                outcome = "removed"
            except Forbidden:
                outcome = "readable"
            except NotFound:
                outcome = "unknown"
        assert outcome == ("removed" if id_ in changeable else "readable" if id_ in readable else "unknown")
    base.close()


def test_scores_do_not_tell_whether_a_word_stands_in_closed_documents(tmp_path: Path) -> None:
    scores: dict[str, list[tuple[str, float]]] = {"reader": [], "everyone": []}
    for word in ("увольнение", "обновление"):  # the closed documents hold the one or the other, as often
        (tmp_path / word).mkdir()
        base = SmallBase(tmp_path / word)
        for number in range(40):
            base.add(f"Приказ {number}: {word} и перевод", collection="дирекция")
            base.add(f"График отпусков {number}", "Насос хранят сухим", collection="общая")
        base.add("Отпуск и увольнение", collection="общая")
        found = searcher(base)
        for name, who in (("reader", Principal("чтец", frozenset({"общая"}))), ("everyone", EVERYONE)):
            told = found.search("увольнение или отпуск", principal=who, collection="общая", top_k=5, exact=True)
            scores[name] += [(passage.text, passage.score) for passage in told.passages]
        base.close()
    for name, halves in scores.items():
        assert (halves[: len(halves) // 2] == halves[len(halves) // 2 :]) == (name == "reader"), name
