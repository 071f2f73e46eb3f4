"""Policies of collections and erasing at the console."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from core.types import PersonalPolicy
from retrieval.store import audit, policies
from retrieval.store.audit import Action
from tests.service import free_ports
from tests.small_base import SmallBase

Console = Callable[..., Result]
TEXT = "Анкета сотрудницы: телефон +7 (912) 345-67-89, отдел снабжения"


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SmallBase]:
    made = SmallBase(tmp_path)
    yield made
    made.close()


@pytest.fixture
def znayka(base: SmallBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.setenv("ZNAYKA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ZNAYKA_DATABASE_URL", f"sqlite:///{tmp_path / 'base.db'}")
    monkeypatch.setenv("ZNAYKA_LLM_PORT", str(free_ports(1)[0]))
    return lambda *words, **options: CliRunner().invoke(app, words, **options)


def actions(base: SmallBase) -> list[tuple[str, str]]:
    with base.database.read() as conn:
        return [(e.event.action, e.event.object) for e in audit.listing(conn, audit.Span(), limit=100)]


def test_a_policy_is_set_told_and_written_down(znayka: Console, base: SmallBase) -> None:
    document = base.add(TEXT, collection="кадры")
    with base.database.write() as conn:
        policies.note(conn, document, dict.fromkeys(["phone"], 1))  # type: ignore[arg-type]
    said = znayka("collections", "policy", "кадры", "refuse").stdout
    assert "больше не принимаются" in said
    assert "остаются 1" in said
    assert "скрываются" in znayka("collections", "policy", "кадры", "mask").stdout
    with base.database.read() as conn:
        assert policies.policy(conn, "кадры") is PersonalPolicy.MASK
    assert actions(base) == [(Action.POLICY_SET, "кадры")] * 2
    row = znayka("collections", "list").stdout.splitlines()[1].split()
    assert row[:2] == ["кадры", "скрываются"]


def test_erasing_asks_first_and_then_reports_every_place(znayka: Console, base: SmallBase, tmp_path: Path) -> None:
    document = base.add(TEXT, name="Анкета Синицыной.txt")
    assert znayka("erase", document, input="n\n").exit_code == 1
    assert actions(base) == [], "nothing happens without a yes"
    output = tmp_path.parent / f"{document}.json"
    done = znayka("erase", "Анкета Синицыной.txt", "--json", str(output), input="y\n")
    assert done.exit_code == 0, done.stdout
    assert "Ничего не осталось." in done.stdout
    report = json.loads(output.read_text(encoding="utf-8"))
    assert report["is_clean"]
    assert report["documents"] == [document]
    assert {place["after"] for place in report["places"]} == {0}
    assert actions(base) == [(Action.ERASED, document)]


def test_erasing_what_is_not_there_is_one_sentence(znayka: Console) -> None:
    done = znayka("erase", "нет.txt", "--yes")
    assert "нет.txt" in str(done.exception)
