"""Every hostile file that is made here."""

from __future__ import annotations

from tests.hostile_archives import archive_cases
from tests.hostile_case import Case
from tests.hostile_entities import entity_cases
from tests.hostile_office import office_cases
from tests.hostile_ole import old_cases
from tests.hostile_pdf import pdf_cases
from tests.hostile_plain import text_cases
from tests.hostile_polyglots import polyglot_cases

GROUPS = (pdf_cases, entity_cases, office_cases, archive_cases, text_cases, old_cases, polyglot_cases)


def hostile_cases(url: str) -> list[Case]:
    """All of them, each under a name of its own; `url` is where a request must never come from."""
    return [case for group in GROUPS for case in group(url)]
