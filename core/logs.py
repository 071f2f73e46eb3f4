"""The one form of all logs: a JSON object a line, or a short line where a person watches a terminal."""

from __future__ import annotations

import json
import logging
import sys
import threading
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType

STACKS = "stacks"  # in `extra`: the stacks of another process, to be logged as an exception of ours would be
_OUTPUT = "output"  # the logger named for what a program printed past any logger
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_log = logging.getLogger(__name__)


def visible(text: str) -> str:
    """Controls, direction marks, line separators and lone surrogates as escapes: a name must not steer a terminal."""
    return _without_hidden(text, lambda sign: ascii(sign)[1:-1])


def escaped(text: str) -> str:
    """Return `text` as it stands within a string of a JSON log line."""
    return _json(text)[1:-1]


def adopted(text: str) -> str:
    """Return a line that a program wrote as a JSON line: unchanged when it is one, else as a message."""
    if _parsed(text) is not None:
        return _without_hidden(text, _escape)
    return _json({"time": _utc(datetime.now(UTC)), "level": "info", "logger": _OUTPUT, "message": text})


def readable(line: str) -> str:
    """Return a JSON line as people read it, a stack on lines of its own; any other line with its signs visible."""
    entry = _parsed(line)
    return visible(line) if entry is None else _short(entry)


def log_to_stderr(level: str = "info", *, is_json: bool | None = None) -> None:
    """Send all of this process's logs, warnings and unexpected ends to standard error, from now on.

    As JSON unless that is a terminal, or as `is_json` says.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if (is_json if is_json is not None else not sys.stderr.isatty()) else ShortLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _tell_end
    threading.excepthook = lambda failed: _tell_end(
        failed.exc_type, failed.exc_value or failed.exc_type(), failed.exc_traceback
    )


class JsonLines(logging.Formatter):
    """An object a line: `time` (UTC), `level`, `logger`, `message`, and `exception` with its whole stack."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of printable signs, whatever the message holds."""
        return _json(_entry(record, self))


class ShortLines(logging.Formatter):
    """Time of the day, level, logger and message; the stack indented below."""

    def format(self, record: logging.LogRecord) -> str:
        """Return lines without anything that steers a terminal."""
        return _short(_entry(record, self))


def _entry(record: logging.LogRecord, formatter: logging.Formatter) -> dict[str, str]:
    entry = {
        "time": _utc(datetime.fromtimestamp(record.created, UTC)),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _message(record),
    }
    if record.exc_info:
        entry["exception"] = formatter.formatException(record.exc_info)
    elif stacks := getattr(record, STACKS, None) or record.stack_info:
        entry["exception"] = stacks
    return entry


def _message(record: logging.LogRecord) -> str:
    """A message that does not fit its arguments is told as well as can be: `logging` would print past the form."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r}"


def _short(entry: Mapping[str, object]) -> str:
    message = visible(str(entry.get("message", "")))
    if entry.get("logger") == _OUTPUT:
        return message
    time = str(entry.get("time", ""))[11:19]
    head = f"{time} {str(entry.get('level', '')).upper()} {entry.get('logger', '')}"
    stack = [f"    {visible(line)}" for line in str(entry.get("exception", "")).splitlines()]
    return "\n".join([f"{visible(head)} {message}", *stack])


def _parsed(line: str) -> dict[str, object] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "message" in entry else None


def _json(value: object) -> str:
    return _without_hidden(json.dumps(value, ensure_ascii=False), _escape)


def _escape(sign: str) -> str:
    return json.dumps(sign)[1:-1]


def _without_hidden(text: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(escape(sign) if unicodedata.category(sign) in _HIDDEN else sign for sign in text)


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _tell_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    _log.critical("ended by %s", kind.__name__, exc_info=(kind, error, trace))
