"""Lines of a printed page put together to paragraphs, so that a sentence is not cut where the paper ended.

One `\\n` parts paragraphs, table rows, list items and headings; within a paragraph lines are joined by a space, and a
word hyphenated at a line's end is made whole. Running heads and page numbers stay: a line that repeats may as well be
a table's header, a quote of any line must be found on its page, and keyword search gives little weight to what is
everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from core.types import Page
from ingest.cleaning import clean

_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_SPACES = re.compile(r"[ \t\u00a0]+")
_HEADING = re.compile(
    r"(?:статья|глава|раздел|приложение|таблица|рисунок|article|chapter|section|table|figure)\s+[\dIVXLC№]",
    re.IGNORECASE,
)
_STARTS_ITEM = re.compile(
    rf"[-–—•·▪●*]\s|\(?\d{{1,3}}[.)]\s|\d{{1,3}}(?:\.\d{{1,3}})+[.)]?\s|[а-яa-z]\)|{_HEADING.pattern}",
    re.IGNORECASE,
)
_OPEN_END = re.compile(
    r"(?:\b(?:от|и|в|во|с|со|на|по|из|к|о|об|для|или|не|за|при|до|без|под|над|у|что|как|the|of|and|in|to|for)|[№,(«])$",
)
_ABBREVIATION = re.compile(r"\b(?:гг?|стр?|пп?|чч?|руб|тыс|млн|млрд|см|им|ул|[тд]\.\s?[депк])\.$")
_SPACED_LETTERS = re.compile(r"(?<!\w)(?:[А-ЯЁа-яё] ){4,}[А-ЯЁа-яё](?!\w)")
_LEADER = re.compile(r"\.{4,}|…{2,}")
_BROKEN_WORD = re.compile(r"([^\W\d_]+)[-\u2010\u00ad]$")
_KEPT_LEFT = re.compile(r"кое|non|self|well|anti|multi|semi", re.IGNORECASE)
_KEPT_RIGHT = re.compile(r"то|либо|нибудь|таки", re.IGNORECASE)
_ADJECTIVE = re.compile(r".{3,}(?:[ыио]й|[ая]я|[ое]е|[ыи]е|[ыи]х|[ое]го|[ое]му|[ыи]ми|[ую]ю|[оеыи]м)", re.IGNORECASE)
_COMPOUND_LEFT = re.compile(r".{4,}[нксвтл]о", re.IGNORECASE)
_FULL_LINE = 0.8
_FULL_LINE_MIN = 50


def pages_of(texts: Sequence[str]) -> list[Page]:
    """Number the pages from 1 and make paragraphs of their lines; words of one page help to mend those of another."""
    vocabulary = {word for text in texts for word in vocabulary_of(text)}
    return [Page(number, clean(join_lines(text, vocabulary))) for number, text in enumerate(texts, 1)]


def vocabulary_of(text: str) -> set[str]:
    """Words that stand unbroken in `text`, in lower case: they decide how a hyphenated word is put together."""
    return {word.lower() for line in text.splitlines() for word in _WORD.findall(line.rstrip("-\u2010\u00ad "))}


def join_lines(text: str, vocabulary: Collection[str]) -> str:
    """Return `text` with the lines of each paragraph joined; an empty line always parts."""
    lines = [_SPACES.sub(" ", line).strip() for line in text.translate(_LIGATURES).splitlines()]
    full = max(_FULL_LINE * _usual_length(lines), _FULL_LINE_MIN)
    paragraphs: list[list[str]] = []
    last_line = ""
    for line in lines:
        if line and last_line and _continues(paragraphs[-1], line, is_full=len(last_line) >= full):
            paragraphs[-1][-1] = _with_joint(last_line, line, vocabulary)
            paragraphs[-1].append(line)
        elif line:
            paragraphs.append([line])
        last_line = line
    return "\n".join(_tightened("".join(paragraph)) for paragraph in paragraphs).replace("\u00ad", "")


def _tightened(line: str) -> str:
    """Undo letter-spacing: «П Р И К А З» is a word, and is to be found as one."""
    return _SPACED_LETTERS.sub(lambda match: match.group().replace(" ", ""), line)


def _usual_length(lines: list[str]) -> int:
    """Length that nine lines in ten do not pass: that of a full line of this page."""
    lengths = sorted(len(line) for line in lines if line)
    return lengths[len(lengths) * 9 // 10] if lengths else 0


def _continues(paragraph: list[str], line: str, *, is_full: bool) -> bool:
    """Tell whether `line` goes on with the lines of `paragraph`; `is_full` when the last of them reached the margin."""
    last = paragraph[-1]
    if line[0] in ",;:.)»" and last[-1] not in ".!?;:":
        return True
    if _STARTS_ITEM.match(line) or _LEADER.search(last):
        return False
    broken = _BROKEN_WORD.search(last)
    if _OPEN_END.search(last) or (broken and broken.group()[0].isupper() and line[0].isalpha()):
        return True
    if line[0].islower():
        return last[-1] not in "!?;:" and (is_full or not last[-1].isdigit())
    if not is_full or _HEADING.match(paragraph[0]) or line.isupper() != last.isupper():
        return False
    return last[-1] not in ".!?;:" or line[0] == "№" or bool(_ABBREVIATION.search(last))


def _with_joint(last: str, line: str, vocabulary: Collection[str]) -> str:
    """Give `last` the end to which `line` is joined: a space, a hyphen, or the first half of a word."""
    if line[0] in ",;:.)»":
        return last
    broken = _BROKEN_WORD.search(last)
    right = re.match(r"[^\W\d_]+", line)
    if not broken or not right:
        return f"{last} "
    if last[-1] == "\u00ad" or not _keeps_hyphen(broken.group(1), right.group(), vocabulary):
        return last[:-1]
    return last


def _keeps_hyphen(left: str, right: str, vocabulary: Collection[str]) -> bool:
    """Tell «научно-технический» from «дого-вор»: as the document writes it elsewhere, else by the parts' form."""
    if (left + right).lower() in vocabulary:
        return False
    if f"{left}-{right}".lower() in vocabulary:
        return True
    if right[0].isupper() or _KEPT_LEFT.fullmatch(left) or _KEPT_RIGHT.fullmatch(right):
        return True
    return bool(_COMPOUND_LEFT.fullmatch(left) and _ADJECTIVE.fullmatch(right))
