"""What a check of the doctor says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters; the value is the word shown."""

    OK = "ок"
    WARNING = "внимание"
    ERROR = "ошибка"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `remedy` says how to mend what is not all right."""

    level: Level
    title: str
    detail: str
    remedy: str = ""


def ok(title: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(Level.OK, title, detail)


def warning(title: str, detail: str, remedy: str) -> Finding:
    """The service works, but not everything in it, or not well."""
    return Finding(Level.WARNING, title, detail, remedy)


def error(title: str, detail: str, remedy: str) -> Finding:
    """The service cannot work like this."""
    return Finding(Level.ERROR, title, detail, remedy)
