"""The archive of a backup: read as it was written, refused by the name of what is damaged or foreign."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import re
import subprocess
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from backup.archive import Writer
from backup.making import Source, make
from backup.manifest import MANIFEST, SUMS, write_sums
from backup.reading import check, opened
from core.errors import InvalidRequest, Misconfigured
from retrieval.store.database import Database
from tests.frozen_bases import FROZEN, revive

MOMENT = 1_790_000_000.0
FLIPS = 200
CUTS = 40


def quiet(done_bytes: int, total_bytes: int) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A backup of a real small base."""
    folder = tmp_path_factory.mktemp("whole")
    path = revive(FROZEN[-1], folder / "data")
    with closing(Database(f"sqlite:///{path}")) as database:
        database.migrate()
        make(Source(database, folder / "data", "words"), folder / "copy.tar", moment=MOMENT, progress=quiet)
    return (folder / "copy.tar").read_bytes()


def read(content: bytes, folder: Path) -> None:
    path = folder / "copy.tar"
    path.write_bytes(content)
    with opened(path) as backup:
        check(backup, quiet)


def spans(content: bytes) -> list[tuple[str, range]]:
    """Where each member stands, its header and filling included."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        found = archive.getmembers()
    ends = [*(one.offset for one in found[1:]), len(content)]
    return [(one.name, range(one.offset, end)) for one, end in zip(found, ends, strict=True)]


def test_any_tar_opens_a_backup_and_its_sums_are_those_of_sha256sum(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "copy.tar").write_bytes(whole)
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "xf", tmp_path / "copy.tar", "-C", tmp_path / "out"], check=True, capture_output=True)
    checked = subprocess.run(["sha256sum", "--check", SUMS], cwd=tmp_path / "out", capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count(": OK") == len(spans(whole)) - 1


def test_every_bit_counts_and_the_damaged_member_is_named(whole: bytes, tmp_path: Path) -> None:
    draw, places = random.Random(20), spans(whole)
    read(whole, tmp_path)
    for _ in range(FLIPS):
        at = draw.randrange(len(whole))
        turned = bytearray(whole)
        turned[at] ^= 1 << draw.randrange(8)
        number = next(n for n, (_, span) in enumerate(places) if at in span)
        with pytest.raises(Misconfigured) as refused:
            read(bytes(turned), tmp_path)
        # A header that cannot be read is named by what stands before it.
        near = {name for name, _ in places[max(0, number - 1) : number + 1]} | ({"начало"} if number == 0 else set())
        is_list = places[number][0] == SUMS
        assert is_list or any(name in refused.value.detail for name in near), (at, refused.value.detail)


def test_a_backup_cut_anywhere_is_refused(whole: bytes, tmp_path: Path) -> None:
    draw = random.Random(21)
    lengths = {0, 1, 511, 512, len(whole) - 512, len(whole) - 1, *(draw.randrange(len(whole)) for _ in range(CUTS))}
    for length in lengths:
        with pytest.raises(Misconfigured, match="Резервная копия повреждена"):
            read(whole[:length], tmp_path)
    for longer in (whole + b"\0", whole + whole):
        with pytest.raises(Misconfigured, match="лишние данные"):
            read(longer, tmp_path)


def test_a_file_that_is_not_there_or_not_a_backup_is_one_sentence(whole: bytes, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="не открыть"), opened(tmp_path / "none.tar"):
        pass
    # A bomb would have to be compressed; nothing compressed is unpacked.
    for content in (gzip.compress(bytes(10**7)), b"PK\3\4", "не копия".encode() * 1000):
        with pytest.raises(Misconfigured, match="не читается или не из копий Знайки"):
            read(content, tmp_path)


def foreign(name: str = "znayka.db", kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    """A header that no backup has, as a hostile archive would."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, target, size, 0o600
    return info


HOSTILE = {
    "above": foreign("../x"),
    "above inside": foreign("files/../../x"),
    "absolute": foreign("/etc/cron.d/x"),
    "hidden": foreign("files/.x"),
    "long": foreign("a" * 150),
    "Cyrillic": foreign("копия"),
    "symlink": foreign("files/x", tarfile.SYMTYPE, "/etc/passwd"),
    "symlink as a document's folder": foreign("files", tarfile.SYMTYPE, "/etc"),
    "hard link": foreign("model", tarfile.LNKTYPE, "/etc/passwd"),
    "device": foreign("model", tarfile.CHRTYPE),
    "pipe": foreign("model", tarfile.FIFOTYPE),
    "folder": foreign("files", tarfile.DIRTYPE),
    "sparse bomb": foreign("znayka.db", tarfile.GNUTYPE_SPARSE, size=512),
    "other dialect": foreign("model", tarfile.XHDTYPE, size=512),
    "negative size": foreign("model", size=-512),
    "size beyond the file": foreign("model", size=2**40),
}


@pytest.mark.parametrize("info", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_member_is_refused_before_anything_is_written(
    whole: bytes, info: tarfile.TarInfo, tmp_path: Path
) -> None:
    header = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    with pytest.raises(Misconfigured, match=r"не из копий Знайки|обрывается на «model»"):
        read(header + whole, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["copy.tar"]


def written(files: dict[str, bytes], sums: dict[str, str] | None = None) -> bytes:
    """An archive by our own writer, with a list of its sums unless another is given."""
    archive = io.BytesIO()
    writer = Writer(archive, int(MOMENT), lambda _: None)
    for name, content in files.items():
        writer.add(name, io.BytesIO(content), len(content))
    listed = write_sums(writer.sums if sums is None else sums)
    writer.add(SUMS, io.BytesIO(listed), len(listed))
    writer.finish()
    return archive.getvalue()


def contents(whole: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive if one.name != SUMS}  # type: ignore[union-attr]


def test_members_that_the_list_does_not_have_or_has_too_many_are_refused(whole: bytes, tmp_path: Path) -> None:
    files = contents(whole)
    assert written(files) == whole
    some = next(name for name in files if name.startswith("files/"))
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    without = {name: content for name, content in files.items() if name != some}
    with pytest.raises(Misconfigured, match=re.escape(some)):
        read(written(without, sums), tmp_path)
    with pytest.raises(Misconfigured, match=re.escape(some)):
        read(written(files, {name: one for name, one in sums.items() if name != some}), tmp_path)
    no_base = {name: content for name, content in files.items() if name != "znayka.db"}
    with pytest.raises(Misconfigured, match=r"в ней нет «znayka\.db»"):
        read(written(no_base), tmp_path)


@pytest.mark.parametrize("name", ["worker.lock", "index/1.faiss", "files/ab/cd", f"files/00/{'0' * 64}", "znayka.db/x"])
def test_members_that_no_backup_has_are_refused_though_their_sums_are_right(
    whole: bytes, name: str, tmp_path: Path
) -> None:
    with pytest.raises(Misconfigured, match="лишний или не сходится"):
        read(written({name: b"x"} | contents(whole)), tmp_path)


def test_a_manifest_of_a_newer_release_or_none_is_refused(whole: bytes, tmp_path: Path) -> None:
    files = contents(whole)
    newer = files[MANIFEST].replace(b'"schema_version": "' + FROZEN[-1].encode(), b'"schema_version": "9999')
    with pytest.raises(Misconfigured, match=rf"9999.*{FROZEN[-1]}"):
        read(written(files | {MANIFEST: newer}), tmp_path)
    with pytest.raises(Misconfigured, match="вид копии 2, эта версия знает 1"):
        read(written(files | {MANIFEST: files[MANIFEST].replace(b'"format": 1', b'"format": 2')}), tmp_path)
    with pytest.raises(Misconfigured, match=r"«manifest\.json» не читается"):
        read(written(files | {MANIFEST: b"{}"}), tmp_path)
