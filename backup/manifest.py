"""What a backup says of itself: a page of facts for people and for restore, and the sums of all files."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

DATABASE, MANIFEST, SUMS = "znayka.db", "manifest.json", "SHA256SUMS"
FILES = "files"
# Beside database and files: what the service cannot make again. Models are downloaded, the index is derived.
KEPT = ("encoders.json", "evaluations", "model")
FORMAT = 1
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)")


class Counts(BaseModel):
    """How much there is, as the snapshot of the database has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    documents: dict[str, int]
    passages: int
    files: int
    files_bytes: int


class Manifest(BaseModel):
    """`schema_version` is that of the database, `missing` are hashes of documents whose bytes could not be had.

    `fingerprint` names the model of the vectors, `encoder` is what the settings called it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    application: str
    schema_version: str
    created_at: str
    encoder: str
    fingerprint: str | None
    counts: Counts
    missing: tuple[str, ...] = ()


def file_name(sha256: str) -> str:
    """Under which name the bytes of a document stand in the archive and under the data folder."""
    return f"{FILES}/{sha256[:2]}/{sha256}"


def write_sums(sums: Mapping[str, str]) -> bytes:
    """The lines that `sha256sum --check` reads."""
    return "".join(f"{sha256}  {name}\n" for name, sha256 in sums.items()).encode("ascii")


def read_sums(text: bytes) -> dict[str, str]:
    """Read such lines; raise ValueError for anything else."""
    lines = text.decode("ascii").splitlines(keepends=True)
    found = [_LINE.fullmatch(line.removesuffix("\n")) for line in lines]
    sums = {match[2]: match[1] for match in found if match}
    if len(sums) != len(lines) or write_sums(sums) != text:
        raise ValueError("not a list of sums")
    return sums
