"""Markdown as a person reads it: marks of headings, emphasis, links and templates go, tables and code stay.

Line by line and not through a syntax tree, so that thousands of files cost nothing and odd ones lose no text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path

from core.types import ParsedDocument
from ingest.cleaning import clean
from ingest.encoding import decode
from ingest.limits import Limits
from ingest.media_type import MARKDOWN
from ingest.readers.contract import OnProgress
from ingest.readers.page_text import PageText

_FRONT_MATTER = re.compile(r"\A\s*---[ \t]*\n(.*?\n)?(---|\.\.\.)[ \t]*(\n|\Z)", re.S)
_FRONT_TITLE = re.compile(r"^title:[ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.M)
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_FENCE = re.compile(r"^[ \t]*(```+(?=[^`]*$)|~~~+)")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)[ \t#]*$")
_ANCHOR = re.compile(r"\{#[^}]*\}")
_SETEXT = re.compile(r"^ {0,3}(=+|-+)[ \t]*$")
_RULE = re.compile(r"^ {0,3}([-*_])([ \t]*\1){2,}[ \t]*$")
_TABLE_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_CELL_END = re.compile(r"(?<!\\)\|")
# {% cut "Заголовок" %} and the like: only what is quoted is for the reader.
_TEMPLATE_TAG = re.compile(r"\{%-?[ \t]*(?P<word>\w*)[^%]*?(?:\"(?P<title>[^\"%]*)\")?[^%\"]*%\}")
_VARIABLE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_IMAGE = re.compile(r"!\[([^\]]*)\](\([^()]*(\([^()]*\)[^()]*)*\)|\[[^\]]*\])(\{[^}]*\})?")
_LINK = re.compile(r"\[([^\[\]]*)\](\([^()]*(\([^()]*\)[^()]*)*\)|\[[^\]]*\])(\{[^}]*\})?")
_REFERENCE = re.compile(r"^ {0,3}\[[^\]^]+\]:[ \t]*\S+.*$")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3})(?=\S)(.+?)(?<=\S)\1(?![\w*])|(?<!\w)(_{1,3})(?=\S)(.+?)(?<=\S)\3(?!\w)")
_STRUCK = re.compile(r"~~(\S.*?)~~")
_CODE_SPAN = re.compile(r"(`+)(.+?)\1")
# Holds the place of a code span; cannot occur otherwise, because `clean` takes control characters out.
_HELD = "\x00"
_BREAK = re.compile(r"<(br|/p|/li|/tr|/h[1-6])\b[^>]*>", re.I)
_TAG = re.compile(r"</?[A-Za-z][\w-]*(\s[^<>]*)?/?>")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|~<>-])")


def read(path: Path, _limits: Limits, _on_progress: OnProgress) -> ParsedDocument:
    """Give the text as one page without a number."""
    source = _COMMENT.sub("", clean(decode(path.read_bytes())))
    text = PageText()
    front = _FRONT_MATTER.match(source)
    if front:
        source = source[front.end() :]
        _front_title(front.group(), source, text)
    _lines(source.split("\n"), text)
    return ParsedDocument(MARKDOWN, (text.page(None),))


def _front_title(front: str, source: str, text: PageText) -> None:
    """A title that stands in the front matter alone is the document's heading."""
    title = _FRONT_TITLE.search(front)
    if title and not any(_HEADING.match(line) for line in source.split("\n", 20)):
        text.heading(plain(title.group(1)), 1)


def _lines(lines: Sequence[str], text: PageText) -> None:
    at = 0
    while at < len(lines):
        line = lines[at]
        following = lines[at + 1] if at + 1 < len(lines) else ""
        if fence := _FENCE.match(line):
            at = _code(lines, at, fence.group(1), text)
        elif "|" in line and "|" in following and _TABLE_RULE.match(following):
            at = _table(lines, at, text)
        elif heading := _HEADING.match(line):
            text.heading(plain(heading.group(2)), len(heading.group(1)))
            at += 1
        elif line.strip() and _SETEXT.match(following) and not line.lstrip().startswith(("-", "*", "+", ">", "|", "#")):
            text.heading(plain(line), 1 if "=" in following else 2)
            at += 2
        else:
            _paragraph(line, text)
            at += 1


def _paragraph(line: str, text: PageText) -> None:
    if not line.strip():
        text.gap()
    elif not _RULE.match(line) and not _REFERENCE.match(line):
        text.paragraph(plain(line))


def _code(lines: Sequence[str], at: int, fence: str, text: PageText) -> int:
    """Keep code to the letter; give the number of the line after it."""
    end = at + 1
    while end < len(lines) and not lines[end].strip().startswith(fence):
        end += 1
    text.gap()
    text.paragraph("\n".join(lines[at + 1 : end]))
    text.gap()
    return end + 1


def _table(lines: Sequence[str], at: int, text: PageText) -> int:
    """Add a table whose header is at `at` and whose rule follows; give the number of the line after it."""
    end = at + 2
    while end < len(lines) and "|" in lines[end] and lines[end].strip():
        end += 1
    text.table([_cells(line) for line in (lines[at], *lines[at + 2 : end])])
    return end


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [plain(cell) for cell in _CELL_END.split(inner)]


def plain(line: str) -> str:
    """Take the marks off one line; what stands in code spans is kept to the letter."""
    if not any(mark in line for mark in "`[*_~<&\\{"):
        return line
    spans = [_variables(match.group(2)) for match in _CODE_SPAN.finditer(line)]
    held = iter(spans)
    line = _without_marks(_CODE_SPAN.sub(_HELD, line))
    return re.sub(_HELD, lambda _: next(held, ""), line)


def _without_marks(line: str) -> str:
    line = _ANCHOR.sub("", _variables(_TEMPLATE_TAG.sub(_template_title, line)))
    line = _LINK.sub(r"\1", _IMAGE.sub(r"\1", line))
    line = html.unescape(_STRUCK.sub(r"\1", _TAG.sub("", _BREAK.sub("\n", line))))
    return _ESCAPED.sub(r"\1", _EMPHASIS.sub(lambda match: match.group(2) or match.group(4), line))


def _template_title(match: re.Match[str]) -> str:
    return match.group("title") or "" if match.group("word") in ("cut", "note", "tab", "list") else ""


def _variables(piece: str) -> str:
    """`{{ compute-name }}` stands for a word that we do not know: its own name is the best guess."""
    return _VARIABLE.sub(r"\1", piece)
