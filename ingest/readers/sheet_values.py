"""Cell values as a Russian reader sees them: 25.03.2024, 1 234,5, 12,5 %."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

_DECIMALS = re.compile(r"0\.(0+)")
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
_SIGNIFICANT_DIGITS = 15


def shown(value: object, number_format: str = "General") -> str:
    """Write a value out; `number_format` is Excel's code, of which grouping, decimals and per cent are kept."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "ИСТИНА" if value else "ЛОЖЬ"
    if isinstance(value, int | float):
        return _number(value, _QUOTED.sub("", number_format.split(";")[0]))
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return f"{value:%d.%m.%Y}"
    if isinstance(value, time):
        return _clock(value)
    return _duration(value) if isinstance(value, timedelta) else str(value)


def _number(value: float, code: str) -> str:
    is_percent = "%" in code
    value = value * 100 if is_percent else value
    decimals = _DECIMALS.search(code)
    if decimals:
        text = f"{value:,.{min(len(decimals.group(1)), 12)}f}"
    elif code.rstrip("%").endswith("0") and code != "General":
        text = f"{value:,.0f}"
    else:
        text = _general(value)
    whole, _, fraction = text.partition(".")
    whole = whole.replace(",", " " if "#,#" in code else "")
    return (f"{whole},{fraction}" if fraction else whole) + (" %" if is_percent else "")


def _general(value: float) -> str:
    """All digits that mean something, and none of the noise of binary fractions."""
    if isinstance(value, int) or (value.is_integer() and abs(value) < 10**_SIGNIFICANT_DIGITS):
        return str(int(value))
    return f"{value:.{_SIGNIFICANT_DIGITS}g}"


def _moment(value: datetime) -> str:
    return f"{value:%d.%m.%Y}" if value.time() == time() else f"{value:%d.%m.%Y} {_clock(value.time())}"


def _clock(value: time) -> str:
    return f"{value:%H:%M:%S}" if value.second else f"{value:%H:%M}"


def _duration(value: timedelta) -> str:
    minutes, seconds = divmod(round(value.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
