"""Small bases of every schema that ever was, made by `scripts/freeze_schema.py`, with their documents' bytes."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).parent / "data/schemas"
FROZEN = tuple(sorted(path.stem for path in SCHEMAS.glob("*.sql")))
HR, OLD, REVOKED = (f"znk_{name}-{'x' * 32}" for name in ("кадры", "старый", "отозванный"))
Rows = dict[str, list[dict[str, Any]]]


def revive(schema: str, data_dir: Path) -> Path:
    """Make a data folder of the base of this schema; return its database."""
    data_dir.mkdir(parents=True)
    path = data_dir / "znayka.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript((SCHEMAS / f"{schema}.sql").read_text(encoding="utf-8"))
        texts = raw.execute("SELECT sha256, coalesce(text, name) FROM documents LEFT JOIN pages ON id = document_id")
        for sha256, text in texts:
            assert hashlib.sha256(text.encode()).hexdigest() == sha256
            file = data_dir / "files" / sha256[:2] / sha256
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    return path


def rows(path: Path) -> Rows:
    """Every row of every table, the shadows of virtual tables left out."""
    with closing(sqlite3.connect(path)) as raw:
        raw.row_factory = sqlite3.Row
        names = [row["name"] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        wanted = [name for name in names if not name.startswith(("passage_stems_", "sqlite_"))]
        return {name: [dict(row) for row in raw.execute(f"SELECT {_columns(name)} FROM {name}")] for name in wanted}


def _columns(table: str) -> str:
    return "rowid, *" if table == "passage_stems" else "*"
