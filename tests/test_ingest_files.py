"""Original files on the disk: whole or not at all, and never lost to a race."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import StorageFull, TooLarge
from ingest.files import FileStore, Received

WORD = "отпуск ".encode()


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "files")


def put(store: FileStore, *pieces: bytes, max_bytes: int = 1000) -> Received:
    with store.receive(pieces, max_bytes=max_bytes, reserve_bytes=0) as received:
        return received


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]


def test_bytes_come_back_under_their_hash(store: FileStore) -> None:
    received = put(store, WORD, WORD)
    assert received.sha256 == hashlib.sha256(WORD * 2).hexdigest()
    assert received.path == store.path(received.sha256)
    assert received.path.read_bytes() == WORD * 2
    assert received.size_bytes == len(WORD * 2)


def test_nothing_is_removed_while_a_backup_holds_the_files(store: FileStore, tmp_path: Path) -> None:
    sha256 = put(store, WORD).sha256
    another = FileStore(tmp_path / "files")
    with another.hold():
        assert not store.remove(sha256, is_needed=lambda: False)
        assert store.sweep_orphans((), is_needed=lambda _: False) == 0
        later = put(store, b"later")
    assert store.path(sha256).exists()
    assert later.path.exists()
    assert store.sweep_orphans((later.sha256,), is_needed=lambda _: False) == 1
    assert not store.path(sha256).exists()


def test_an_empty_file_is_a_file(store: FileStore) -> None:
    assert put(store).path.read_bytes() == b""


def test_the_limit_holds_while_receiving_and_leaves_nothing(store: FileStore, tmp_path: Path) -> None:
    seen = []

    def endless() -> Iterator[bytes]:
        while True:
            seen.append(1)
            yield b"x" * 100

    with pytest.raises(TooLarge), store.receive(endless(), max_bytes=1000, reserve_bytes=0):
        pass
    assert len(seen) == 11
    assert files_in(tmp_path) == []


def test_an_upload_that_breaks_off_leaves_nothing(store: FileStore, tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield WORD
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError), store.receive(broken(), max_bytes=1000, reserve_bytes=0):
        pass
    assert files_in(tmp_path) == []


def test_the_reserve_is_left_free(store: FileStore, tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(StorageFull), store.receive([WORD], max_bytes=1000, reserve_bytes=free * 2):
        pass
    assert files_in(tmp_path) == []


def test_a_full_disk_is_said_so(store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ingest.files.os.write", full)
    with pytest.raises(StorageFull), store.receive([WORD], max_bytes=1000, reserve_bytes=0):
        pass
    assert files_in(tmp_path) == []


def test_the_same_bytes_twenty_times_at_once_are_one_file(store: FileStore, tmp_path: Path) -> None:
    threads = [threading.Thread(target=put, args=(store, WORD)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(files_in(tmp_path)) == 1


def test_leftovers_of_a_dead_process_go_and_an_upload_in_progress_stays(store: FileStore, tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from ingest.files import FileStore
def pieces():
    yield b"half"
    os._exit(9)
with FileStore(Path(sys.argv[1])).receive(pieces(), max_bytes=100, reserve_bytes=0):
    pass
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "files")], check=False)
    assert done.returncode == 9
    assert len(files_in(tmp_path)) == 1

    def sweeping() -> Iterator[bytes]:
        yield WORD
        assert store.sweep() == 1
        yield WORD

    assert put(store, *[]).path.exists()
    with store.receive(sweeping(), max_bytes=1000, reserve_bytes=0) as received:
        assert received.path.read_bytes() == WORD * 2


def test_nobody_removes_a_file_between_its_receipt_and_its_row(store: FileStore) -> None:
    with store.receive([WORD], max_bytes=1000, reserve_bytes=0) as received:
        assert not store.remove(received.sha256, is_needed=lambda: False)
        assert store.sweep_orphans(set(), is_needed=lambda _: False) == 0
    assert received.path.exists()
    assert not store.remove(received.sha256, is_needed=lambda: True)
    assert store.remove(received.sha256, is_needed=lambda: False)
    assert not received.path.exists()
    assert store.remove(received.sha256, is_needed=lambda: False)


def test_the_sweep_takes_files_that_no_document_names(store: FileStore) -> None:
    known, fresh, orphan = (put(store, word) for word in (b"known", b"fresh", b"orphan"))
    assert store.sweep_orphans({known.sha256}, is_needed=lambda sha256: sha256 == fresh.sha256) == 1
    assert [received.path.exists() for received in (known, fresh, orphan)] == [True, True, False]


@pytest.mark.parametrize("name", ["../etc/passwd", "", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_only_a_hash_names_a_file(store: FileStore, name: str) -> None:
    with pytest.raises(ValueError):
        store.path(name)
