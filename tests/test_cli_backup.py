"""`znayka backup` and `znayka restore` at the console: names, rotation, the log, what the doctor makes of it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.finding import Level
from cli.main import app
from cli.service_checks import check_backup, check_database
from core.errors import InvalidRequest
from core.settings import Settings
from retrieval.store import audit
from retrieval.store.audit import Action, Event, Span
from retrieval.store.database import Database
from tests.frozen_bases import FROZEN, revive

Console = Callable[..., str]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    with closing(Database(f"sqlite:///{revive(FROZEN[-1], tmp_path / 'data')}")) as database:
        database.migrate()
    return tmp_path / "data"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def znayka(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    """Give a command over the data folder, or another one; the answer is what it wrote."""

    def run(*words: object, folder: Path = data_dir, code: int = 0) -> str:
        monkeypatch.setenv("ZNAYKA_DATA_DIR", str(folder))
        done = CliRunner().invoke(app, [str(word) for word in words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done.output

    return run


def logged(data_dir: Path) -> list[Event]:
    with closing(Database(f"sqlite:///{data_dir / 'znayka.db'}")) as database, database.read() as conn:
        return [one.event for one in audit.listing(conn, Span(), limit=99)]


def test_a_backup_is_made_checked_and_restored_by_three_commands(
    znayka: Console, data_dir: Path, out: Path, tmp_path: Path
) -> None:
    said = znayka("backup", out)
    made = next(iter(out.iterdir()))
    assert re.fullmatch(r"znayka-\d{8}T\d{6}Z\.tar", made.name)
    assert f"Копия готова: {made}" in said
    assert "Документов: 6" in said
    assert f"схема {FROZEN[-1]}" in znayka("backup", "--verify", made)
    assert "начнутся заново: 1." in znayka("restore", made, folder=tmp_path / "new")
    assert (logged(data_dir)[-1].action, logged(data_dir)[-1].object) == (Action.BACKED_UP, made.name)
    last = logged(tmp_path / "new")[-1]
    assert (last.action, last.object) == (Action.RESTORED, made.name)
    assert last.principal.startswith("console:")


def test_only_old_backups_of_ours_go_and_never_the_one_just_made(znayka: Console, out: Path) -> None:
    ours = [f"znayka-2099{month:02}01T000000Z.tar" for month in range(1, 5)]
    others = ["znayka-old.tar", "znayka-20200101T000000Z.tar.zst", "бухгалтерия.tar"]
    for name in (*ours, *others):
        (out / name).write_bytes(b"before")
    said = znayka("backup", out, "--keep", 3)
    left = {path.name for path in out.iterdir()}
    assert set(others) <= left
    assert left & set(ours) == set(ours[2:]), "the two newest of the others stay"
    assert len(left) == len(others) + 3
    assert said.count("Удалена старая копия") == 2
    with pytest.raises(InvalidRequest, match="укажите вместо файла папку"):
        znayka("backup", out / "one.tar", "--keep", 3)


def test_a_backup_that_lacks_a_document_says_which_ends_with_1_and_drops_no_older_one(
    znayka: Console, data_dir: Path, out: Path
) -> None:
    next(path for path in data_dir.glob("files/??/*") if "Товар" in path.read_text()).unlink()
    older = out / "znayka-20200101T000000Z.tar"
    older.write_bytes(b"it may hold what is lost")
    assert "«склад.txt»" in znayka("backup", out, "--keep", 1, code=1)
    assert older.exists()
    made = next(path for path in out.iterdir() if path != older)
    assert "не было уже при её создании: 1" in znayka("backup", "--verify", made)


def test_a_restore_says_when_another_model_would_embed_everything_anew(
    znayka: Console, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    znayka("backup", out / "one.tar")
    monkeypatch.setenv("ZNAYKA_EMBEDDING_MODEL", "deepvk/USER-bge-m3")
    assert "с моделью поиска multilingual-e5-small" in znayka("restore", out / "one.tar", folder=tmp_path / "new")


def test_the_doctor_warns_of_an_old_backup_only_where_one_was_made(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir)
    assert check_backup(settings).level is Level.OK
    assert "не делалась" in check_backup(settings).detail
    for days, level in ((20, Level.WARNING), (3, Level.OK)):
        with closing(Database(settings.sql_url)) as database, database.write() as conn:
            audit.write(conn, [Event(time.time() - days * 86400, "console:root", Action.BACKED_UP, "copy.tar")])
        assert check_backup(settings).level is level


def test_the_doctor_looks_at_a_base_of_an_older_schema_as_it_is(tmp_path: Path) -> None:
    path = revive(FROZEN[0], tmp_path / "data")
    settings = Settings(data_dir=path.parent)
    assert check_database(settings).level is Level.OK
    assert check_backup(settings).level is Level.OK
