"""What a run's folder says of itself beside its checkpoint: which base, which shape of adapter, which data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import InvalidRequest
from generation.model_file import write_atomically

_FILE = "run.json"


@dataclass(frozen=True, slots=True)
class Base:
    """The model under the adapter, known by its file's hash: over another file the adapter says nonsense."""

    name: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """Written before the first lesson. `data` names the data set, `data_sha256` is the hash of its lessons."""

    base: Base
    rank: int
    alpha: int
    data: str
    data_sha256: str
    passes: int = 1
    licences: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Keep it in the run's folder."""
        write_atomically(folder / _FILE, json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n")


def read_record(folder: Path) -> Record:
    """Read what `Record.write` wrote; raise `InvalidRequest` when the folder holds no run."""
    try:
        row = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return Record(**{**row, "base": Base(**row["base"]), "licences": tuple(row["licences"])})
    except (OSError, ValueError, TypeError, KeyError) as exc:
        detail = f"В {folder} нет обучения: файл {_FILE} не читается. Укажите папку, которую создала znayka train run."
        raise InvalidRequest("no_run", detail) from exc
