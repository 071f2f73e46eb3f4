"""A disk that fills, or closes for writing, before any write there is: a reason, no half file, and it heals itself."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core import faults
from core.errors import Misconfigured, StorageFull
from core.types import Status
from ingest import desk, worker
from ingest.compaction import Compaction
from ingest.upkeep import sweep
from retrieval.index import Edition, is_intact
from retrieval.store import vectors
from retrieval.store.database import Database
from retrieval.vector_index import Allowed, VectorIndex
from tests.small_base import SmallBase, vector_of
from tests.test_ingest_worker import RULES, Base, wait_until

REASONS = {"full": (StorageFull, "disk_full"), "readonly": (Misconfigured, "disk_read_only")}
WRITES_MAX = 60

pytestmark = pytest.mark.parametrize("kind", list(REASONS))


@pytest.fixture(autouse=True)
def disarmed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(desk, "_FULL_DISK_PAUSE_S", 0.1)
    monkeypatch.setattr(desk, "_MISCONFIGURED_PAUSE_S", 0.1)
    monkeypatch.setattr(desk, "_INSIST_EVERY_S", 0.05)
    monkeypatch.setattr(worker, "_PAUSE_S", 0.05)
    yield
    faults.arm("")


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Base]:
    """Its connections are opened while a fault is armed, as those of a process that was started so."""
    faults.arm("full@1000000")
    base = Base(tmp_path)
    faults.arm("")
    yield base
    base.sandbox.close()
    base.database.close()


def whole_files(folder: Path) -> list[str]:
    """Names under which bytes stand for good; each must be what its name says."""
    paths = [path for path in folder.glob("??/*") if path.is_file()]
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in paths)
    return [path.name for path in paths]


def refusal(base: Base, nth: int, kind: str) -> StorageFull | Misconfigured | None:
    """Upload while the nth write and all after it fail; None when it takes fewer writes than that."""
    faults.arm(f"{kind}@{nth}")
    try:
        base.put(f"{nth}.md", f"Документ номер {nth}. " * 50)
    except (StorageFull, Misconfigured) as exc:
        return exc
    finally:
        faults.arm("")
    return None


def test_an_upload_meets_it_before_any_write(base: Base, kind: str) -> None:
    error, code = REASONS[kind]
    nth = 1
    while (refused := refusal(base, nth, kind)) is not None:
        assert isinstance(refused, error)
        assert refused.code in (code, "database_unusable")
        assert "диск" in refused.detail.lower()
        assert base.count("documents") == 0, "reads go on, and no row points to nothing"
        whole_files(base.folder / "files")
        nth += 1
    print(f"{kind}: {nth - 1} writes of an upload failed, one after another")
    assert 5 <= nth - 1 < WRITES_MAX
    sweep(base.database, base.files)
    assert len(whole_files(base.folder / "files")) == base.count("documents") == 1
    assert list((base.folder / "files/incoming").iterdir()) == []


def test_a_document_in_the_worker_waits_and_goes_on_by_itself(base: Base, kind: str) -> None:
    documents = []
    for nth in (1, 2, 3, 5, 8, 13):
        documents.append(base.put(f"{nth}.md", f"{RULES}\n\nНомер {nth}."))
        faults.arm(f"{kind}@{nth}-{nth + 25}")
        with base.working():
            wait_until(lambda: base.unfinished() == 0)
        faults.arm("")
        ended = [base.get(one) for one in documents]
        assert [(one.status, one.error) for one in ended] == [(Status.READY, None)] * len(ended)
    assert base.count("passages") == sum(base.get(one).passages for one in documents)
    assert base.database.damage() == []


def test_while_nothing_can_be_written_the_document_keeps_its_place_and_reads_go_on(base: Base, kind: str) -> None:
    document = base.put("один.md", RULES)
    faults.arm(kind)
    with base.working():
        for _ in range(20):
            assert base.get(document).status in (Status.QUEUED, Status.PARSING, Status.EMBEDDING)
            time.sleep(0.05)
        assert base.count("documents") == 1
        faults.arm("")
        wait_until(lambda: base.unfinished() == 0)
    assert base.get(document).status == Status.READY


def test_the_index_is_whole_or_absent_whichever_write_fails(tmp_path: Path, kind: str) -> None:
    base = SmallBase(tmp_path)
    for n in range(50):
        base.add(f"приказ {n}")
    first = base.compact()
    base.add("новый приказ")
    compaction = Compaction(base.database, base.index_folder, threshold=1)
    failed = 0
    for nth in range(1, WRITES_MAX):
        faults.arm(f"{kind}@{nth}")
        try:
            compaction.run(is_idle=True)
        except OSError:
            failed += 1
        else:
            break
        finally:
            faults.arm("")
        names = {path.name for path in base.index_folder.iterdir()}
        assert not any(name.endswith(".tmp") for name in names), names
        assert in_force(base.database, base.index_folder) == first
        assert reachable(base) == 51
    print(f"{kind}: {failed} writes of the index failed, one after another")
    assert failed >= 4
    assert in_force(base.database, base.index_folder) == first + 1
    assert reachable(base) == 51
    base.close()


def in_force(database: Database, folder: Path) -> int:
    with database.read() as conn:
        state = vectors.state(conn)
    assert is_intact(folder, Edition(state.generation, state.index_revision, state.fingerprint or ""))
    return state.generation


def reachable(base: SmallBase) -> int:
    with base.database.read() as conn:
        found = VectorIndex(base.index_folder).refresh(conn).search(vector_of("приказ"), 100, Allowed())
    assert len(np.unique(found.ids)) == len(found.ids)
    return len(found.ids)
