"""Keys, people and rights at the console: what is said there is in the database, and in the audit log."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from core.errors import InvalidRequest, NotFound, ServiceError
from core.types import Reach
from retrieval.store import audit, people
from retrieval.store.audit import Action, Event
from tests.small_base import SmallBase

Console = Callable[..., str]


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SmallBase]:
    made = SmallBase(tmp_path)
    yield made
    made.close()


@pytest.fixture
def znayka(base: SmallBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    """Give a command; the answer is what it wrote, an error of ours is raised."""
    monkeypatch.setenv("ZNAYKA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ZNAYKA_DATABASE_URL", f"sqlite:///{tmp_path / 'base.db'}")

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, words)
        if done.exception is not None:
            raise done.exception
        return done.stdout

    return run


def test_a_user_is_made_known_put_into_a_group_and_reads_what_is_opened_to_it(znayka: Console, base: SmallBase) -> None:
    document = base.add("письмо", collection="почта")
    znayka("users", "add", "Иванов")
    znayka("groups", "add", "Кадровики")
    znayka("groups", "join", "иванов", "кадровики")
    assert "кадры: редактор" in znayka("grants", "add", "--group", "кадровики", "-c", "кадры", "--role", "editor")
    znayka("grants", "add", "--user", "иванов", "--document", document)
    with base.database.read() as conn:
        known = people.resolve(conn, "иванов", ())
    assert known is not None
    assert known.reads == Reach(frozenset({"кадры"}), frozenset({document}))
    assert "кадровики" in znayka("users", "list")
    assert "иванов" in znayka("groups", "list")
    listed = znayka("grants", "list").splitlines()
    assert len(listed) == 3
    for line in listed[1:]:
        znayka("grants", "remove", line.split()[0])
    znayka("groups", "leave", "иванов", "кадровики")
    znayka("groups", "remove", "кадровики")
    znayka("users", "block", "иванов")
    with base.database.read() as conn:
        assert people.resolve(conn, "иванов", ()) is None
        made = [entry.event for entry in audit.listing(conn, audit.Span(), limit=99)]
    assert [event.action for event in made] == [
        "user_added", "group_added", "joined", "granted", "granted", "withdrawn", "withdrawn", "left", "group_removed",
        "user_blocked",
    ]  # fmt: skip
    assert all(event.principal.startswith("console:") for event in made)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--user", "иванов"),
        ("--user", "иванов", "--group", "г", "--everything"),
        ("--user", "иванов", "-c", "кадры", "--everything"),
        ("--user", "иванов", "-c", "кадры", "--role", "administrator"),
        ("--user", "никто", "--everything"),
        ("--key", "нет", "--everything"),
        ("--user", "иванов", "--document", "нет"),
    ],
    ids=" ".join,
)
def test_a_grant_that_cannot_be_is_refused_and_nothing_is_written_down(
    znayka: Console, base: SmallBase, words: tuple[str, ...]
) -> None:
    znayka("users", "add", "иванов")
    with pytest.raises((InvalidRequest, NotFound)):
        znayka("grants", "add", *words)
    with base.database.read() as conn:
        assert len(audit.listing(conn, audit.Span(), limit=9)) == 1


def test_a_key_is_made_for_a_role_and_a_time(znayka: Console) -> None:
    secret = znayka("keys", "create", "бот", "-c", "кадры", "--role", "reader", "--expires", "31.12.2099").strip()
    listed = znayka("keys", "list")
    assert "кадры: читатель" in listed
    assert "31.12.2099" in listed
    assert secret not in listed + znayka("audit", "export")
    for day in ("вчера", "01.01.2001"):
        with pytest.raises(ServiceError):
            znayka("keys", "create", "бот", "--expires", day)


def test_the_audit_log_is_exported_whole_and_no_spreadsheet_runs_what_stands_in_it(
    znayka: Console, base: SmallBase, tmp_path: Path
) -> None:
    events = [Event(1_700_000_000.0 + n, "=cmd|'/c calc'!A1", Action.ASKED, detail={"n": str(n)}) for n in range(2500)]
    with base.database.write() as conn:
        audit.write(conn, events)
    rows = [json.loads(line) for line in znayka("audit", "export").splitlines()]
    assert [row["detail"]["n"] for row in rows] == [str(n) for n in range(2500)]
    assert rows[0]["at"] == "2023-11-14T22:13:20.000+00:00"
    path = tmp_path / "журнал.csv"
    znayka("audit", "export", "--format", "csv", "--output", str(path))
    table = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    assert len(table) == 2500
    assert {row["principal"] for row in table} == {"'=cmd|'/c calc'!A1"}
    assert znayka("audit", "export", "--since", "01.01.2024") == ""
    assert len(znayka("audit", "export", "--until", "2024-01-01").splitlines()) == 2500
