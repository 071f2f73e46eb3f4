"""What SECURITY.md and the table of reliability name as a proof is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_TEST = re.compile(r"tests/test_\w+\.py")


@pytest.mark.parametrize("document", ["SECURITY.md", "docs/reliability.md"])
def test_every_test_that_a_document_names_exists(document: str) -> None:
    named = set(_TEST.findall((ROOT / document).read_text(encoding="utf-8")))
    assert len(named) > 20
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
