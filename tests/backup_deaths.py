"""Dies by SIGKILL at each step on the disk of a backup and of a restore, one after another, and looks at what is left.

Run as a program of its own, because it forks: `python -m tests.backup_deaths FOLDER`. Prints how many deaths of each.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

from backup.making import Source, make
from backup.reading import check, opened
from backup.restoring import Place, restore
from core.errors import Misconfigured
from retrieval.store.audit import Action, Event
from retrieval.store.database import Database
from tests.frozen_bases import FROZEN, Rows, revive, rows

MOMENT = 1_790_000_000.0
STEPS = {
    "open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.chown", "os.truncate",
    "shutil.rmtree", "fcntl.flock", "sqlite3.connect",
}  # fmt: skip
CHANGED = {"audit", "documents"}  # by the restore itself: an entry, and leases given back


def quiet(done_bytes: int, total_bytes: int) -> None:
    """Nobody watches."""


def dies_at(step: int, folder: Path, act: Callable[[], object]) -> bool:
    """Act in a child that is killed at its `step`-th step in `folder`; False when it came to its end before that."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"step {step}: exit {status}"
        return os.WIFSIGNALED(status)
    try:
        _arm(step, str(folder))
        act()
    except BaseException as exc:  # noqa: BLE001 -- a child of a fork must not go on as its parent
        sys.stderr.write(f"step {step}: {exc!r}\n")
        os._exit(1)
    os._exit(0)


def _arm(step: int, folder: str) -> None:
    arrivals = count(1)

    def strike(event: str, arguments: tuple[object, ...]) -> None:
        is_ours = event == "fcntl.flock" or any(folder in str(one) for one in arguments)
        if event in STEPS and is_ours and next(arrivals) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(strike)


def back_up(data_dir: Path, target: Path) -> None:
    with closing(Database(f"sqlite:///{data_dir / 'znayka.db'}")) as database:
        make(Source(database, data_dir, "words"), target, moment=MOMENT, progress=quiet)


def put_back(target: Path, data_dir: Path) -> None:
    event = Event(MOMENT, "console:test", Action.RESTORED, target.name)
    restore(target, Place(data_dir, data_dir / "znayka.db"), event, progress=quiet)


def deaths_of_a_backup(data_dir: Path, target: Path) -> int:
    """Die at each step in turn. Nothing may bear the final name before it is whole; the last try clears up."""
    for step in count(1):
        target.unlink(missing_ok=True)
        died = dies_at(step, target.parent, lambda: back_up(data_dir, target))
        if target.exists():
            with opened(target) as backup:
                check(backup, quiet)
        assert died or [path.name for path in target.parent.iterdir()] == [target.name]
        if not died:
            return step - 1
    raise AssertionError


def deaths_of_a_restore(target: Path, data_dir: Path, whole: Rows) -> int:
    """Die at each step in turn, then try again: what is left refuses to serve, or is whole."""
    for step in count(1):
        died = dies_at(step, data_dir.parent, lambda: put_back(target, data_dir))
        if not (data_dir / "znayka.db").exists():
            assert not data_dir.exists() or not any(data_dir.iterdir()) or refuses(data_dir), step
            assert not dies_at(0, data_dir, lambda: put_back(target, data_dir))
        check_restored(data_dir, whole)
        shutil.rmtree(data_dir)
        if not died:
            return step - 1
    raise AssertionError


def refuses(data_dir: Path) -> bool:
    """Say whether a service would refuse this folder."""
    try:
        Database(f"sqlite:///{data_dir / 'znayka.db'}").migrate()
    except Misconfigured as exc:
        return exc.code == "restore_unfinished"
    return False


def check_restored(data_dir: Path, whole: Rows) -> None:
    """The base and the bytes of all documents are there, and nothing besides."""
    assert {path.name for path in data_dir.iterdir()} == {"znayka.db", "files"}
    now = rows(data_dir / "znayka.db")
    assert {name: held for name, held in now.items() if name not in CHANGED} == {
        name: held for name, held in whole.items() if name not in CHANGED
    }
    names = {path.name for path in data_dir.glob("files/??/*")}
    assert names == {row["sha256"] for row in now["documents"]}


def main(folder: Path) -> None:
    """Make a base, then let both die."""
    data_dir, target = folder / "data", folder / "out/copy.tar"
    with closing(Database(f"sqlite:///{revive(FROZEN[-1], data_dir)}")) as database:
        database.migrate()
    target.parent.mkdir()
    whole = rows(data_dir / "znayka.db")
    backups = deaths_of_a_backup(data_dir, target)
    restores = deaths_of_a_restore(target, folder / "new/data", whole)
    sys.stdout.write(f"{backups} {restores}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
