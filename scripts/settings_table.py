"""The table in docs/configuration.md, made from `core.settings`: `--write` renews it, or it is checked."""

from __future__ import annotations

import sys
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.settings import PREFIX, Settings  # noqa: E402 - a script of the checkout, installed or not

PAGE = ROOT / "docs" / "configuration.md"
BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"
UNITS = {
    "_bytes_per_s": "bytes a second",
    "_ms": "milliseconds",
    "_s": "seconds",
    "_days": "days",
    "_bytes": "bytes",
    "_chars": "characters",
    "_tokens": "tokens",
    "_pages": "pages",
    "_files": "files",
    "_passages": "passages",
    "_threads": "threads",
}


def main() -> int:
    """Write or check; the exit code is 1 when the page does not show the settings as they are."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    renewed = f"{before}{BEGIN}\n{settings_table()}\n{END}{after}"
    if "--write" in sys.argv[1:]:
        PAGE.write_text(renewed, encoding="utf-8")
    elif renewed != page:
        sys.stderr.write("docs/configuration.md does not show the settings as they are: run `make docs`.\n")
        return 1
    return 0


def settings_table() -> str:
    """Every setting as a row of a Markdown table, in the order of `Settings`."""
    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    return "\n".join(["| Variable | Default | Unit or values | Meaning |", "|---|---|---|---|", *rows])


def _row(name: str, field: FieldInfo) -> str:
    cells = [f"`{PREFIX}{name.upper()}`", _default(field.default), _unit(name, field), field.description or ""]
    return f"| {' | '.join(cells)} |"


def _default(value: Any) -> str:
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if isinstance(value, Path):
        value = value.as_posix().replace(Path.home().as_posix(), "~")
    return "*(empty)*" if value in ("", None) else f"`{value}`"


def _unit(name: str, field: FieldInfo) -> str:
    choices = get_args(field.annotation)
    if choices and NoneType not in choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    stem = name.removesuffix("_max")
    unit = next((word for suffix, word in UNITS.items() if stem.endswith(suffix)), "")
    bounds = ", ".join(filter(None, map(_bound, field.metadata)))
    return ", ".join(part for part in (unit, bounds) if part)


def _bound(constraint: Any) -> str:
    for attribute, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤")):
        if (value := getattr(constraint, attribute, None)) is not None:
            return f"{sign} {value}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
