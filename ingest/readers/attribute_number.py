"""Whole numbers in attributes of XML and HTML, which a file may write as it likes."""

from __future__ import annotations

import re

# `int` would take 5,000 digits for a mistake, and `str.isdigit` «²» for a number.
_NUMBER = re.compile(r"-?[0-9]{1,9}")


def attribute_number(value: str | None, otherwise: int) -> int:
    """What is written, of at most nine digits; `otherwise` where that is no number."""
    return int(value) if value and _NUMBER.fullmatch(value.strip()) else otherwise
