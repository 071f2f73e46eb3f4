"""The one form that text has everywhere after a reader: offsets and quotes refer to what `clean` returns."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import groupby

_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# Soft hyphens, zero-width and direction marks, variation selectors, controls but tab and line feed, lone surrogates.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\U000e0000-\U000e0fff]"
)
# Marks over and under a letter: putting them in order takes the square of their number, and no language piles up more
# than this (UAX 15, Stream-Safe Text Format).
_MARKS_MAX = 30
_PLANE_0_END, _MARKS_END = 0x10000, 0x20000  # Unicode has no marks above plane 1
_BEYOND_PLANE_0 = re.compile("[\U00010000-\U0010ffff]")


@cache
def _piled_up(end: int) -> re.Pattern[str]:
    """More marks in a row than are kept, of the code points below `end`."""
    marks = [code for code in range(0x300, end) if unicodedata.combining(chr(code))]
    runs = [[code for _, code in run] for _, run in groupby(enumerate(marks), lambda at: at[1] - at[0])]
    mark = f"[{''.join(f'{chr(run[0])}-{chr(run[-1])}' for run in runs)}]"
    # One apart from the others, so that the search skips what is none.
    return re.compile(f"{mark}{mark}{{{_MARKS_MAX},}}")


def clean(text: str) -> str:
    """Return `text` in NFC, with `\\n` line ends and plain spaces, without control and invisible characters.

    Idempotent, and must run before any offset is computed.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _LINE_ENDS.sub("\n", text)
    text = _SPACES.sub(" ", text)
    return _without_piles(unicodedata.normalize("NFC", _without_piles(_INVISIBLE.sub("", text))))


def _without_piles(text: str) -> str:
    # Most texts have no such letter, and to look for marks of both planes takes ten times as long.
    end = _MARKS_END if _BEYOND_PLANE_0.search(text) else _PLANE_0_END
    return _piled_up(end).sub(lambda marks: marks[0][:_MARKS_MAX], text)


def clean_line(text: str) -> str:
    """Return `text` cleaned and on one line, runs of white space as one space: a heading, a cell."""
    return " ".join(clean(text).split())
