"""Opening a backup: nothing of it is believed before it agrees with its own list of sums."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from backup.archive import Member, damaged, members, pieces
from backup.manifest import DATABASE, FILES, FORMAT, KEPT, MANIFEST, SUMS, Manifest, file_name, read_sums
from core.errors import InvalidRequest, Misconfigured
from retrieval.store.database import require_known

_TEXT_MAX_BYTES = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Backup:
    """An open backup whose members are those that it lists. `contents` are what `restore` writes, in their order."""

    archive: IO[bytes]
    manifest: Manifest
    sums: dict[str, str]
    contents: tuple[Member, ...]

    @property
    def size_bytes(self) -> int:
        """The sizes of the contents together."""
        return sum(member.size_bytes for member in self.contents)

    def read(self, member: Member) -> Iterator[bytes]:
        """Give the bytes of a member; raises `Misconfigured` at their end when they are not those of its sum."""
        digest = hashlib.sha256()
        for piece in pieces(self.archive, member):
            digest.update(piece)
            yield piece
        if digest.hexdigest() != self.sums[member.name]:
            raise damaged(f"контрольная сумма «{member.name}» не сходится")


@contextmanager
def opened(path: Path) -> Iterator[Backup]:
    """Open a backup and hold its list of members against what is there; their bytes are checked as they are read.

    Raises `Misconfigured` that names the damaged member, or both schemas when only a newer release can read it.
    """
    try:
        archive = path.open("rb")
    except OSError as exc:
        raise InvalidRequest("no_backup", f"Копию {path} не открыть: {exc.strerror}.") from exc
    with archive:
        found = list(members(archive))
        if [member.name for member in found[-2:]] != [MANIFEST, SUMS]:
            raise damaged(f"в конце нет «{MANIFEST}» и «{SUMS}»: это не копия Знайки или она записана не до конца")
        sums = _sums(archive, found[-1])
        _compare([member.name for member in found[:-1]], sums)
        yield Backup(archive, _manifest(archive, found[-2], sums), sums, tuple(found[:-2]))


def check(backup: Backup, progress: Callable[[int, int], None]) -> None:
    """Read every byte and compare all sums; raises `Misconfigured` that names the damaged member."""
    done_bytes = 0
    for member in backup.contents:
        for piece in backup.read(member):
            done_bytes += len(piece)
            progress(done_bytes, backup.size_bytes)


def _text(archive: IO[bytes], member: Member) -> bytes:
    if member.size_bytes > _TEXT_MAX_BYTES:
        raise damaged(f"«{member.name}» слишком велик")
    return b"".join(pieces(archive, member))


def _sums(archive: IO[bytes], member: Member) -> dict[str, str]:
    try:
        return read_sums(_text(archive, member))
    except ValueError as exc:
        raise damaged(f"«{member.name}» не читается") from exc


def _compare(names: list[str], sums: dict[str, str]) -> None:
    """The members are exactly those that the list has, in its order, and each is something that we back up."""
    for name, listed in zip([*names, None], [*sums, None], strict=False):
        if name != listed:
            raise damaged(f"в ней «{name or 'конец'}», а в её списке «{listed or 'конец'}»")
    if DATABASE not in sums:
        raise damaged(f"в ней нет «{DATABASE}»")
    for name, sha256 in sums.items():
        top, _, rest = name.partition("/")
        is_document = top == FILES and name == file_name(sha256)
        if not (is_document or top in KEPT or (name in (DATABASE, MANIFEST) and not rest)):
            raise damaged(f"«{name}» в копии лишний или не сходится с контрольной суммой")


def _manifest(archive: IO[bytes], member: Member, sums: dict[str, str]) -> Manifest:
    text = _text(archive, member)
    if hashlib.sha256(text).hexdigest() != sums[member.name]:
        raise damaged(f"контрольная сумма «{member.name}» не сходится")
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as exc:
        raise damaged(f"«{member.name}» не читается") from exc
    if manifest.format > FORMAT:
        raise Misconfigured(
            "backup_newer",
            f"Копия сделана более новой Знайкой {manifest.application}: вид копии {manifest.format}, "
            f"эта версия знает {FORMAT}. Обновите Знайку.",
        )
    require_known(manifest.schema_version)
    return manifest
