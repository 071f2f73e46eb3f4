"""Cutting a parsed document into passages along its structure. Pure: equal documents give equal passages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from langchain_text_splitters import RecursiveCharacterTextSplitter

from core.types import Page, ParsedDocument
from ingest.sections import Outline, Section, common_path, path_text
from ingest.table_places import TablePlaces
from retrieval.query.letters import text_in_one_alphabet
from retrieval.sentences import split_sentences

_TINY_SHARE = 2  # neighbours are joined while they fill no more than this part of a passage
_CONTEXT_CHARS = 300
_SLAB_CHARS = 20_000  # a "sentence" longer than this is none, and would be costly to take apart
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*|(?<=[.!?…:;])[ \t]*\n")
_SPACE = re.compile(r"\s+")
_EXTENSION = re.compile(r"(?<=.)\.[A-Za-z][A-Za-z0-9]{0,4}$")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage to be stored: `text` is `page.text[start:end]` of page `page_position`, to the character.

    `context` is what the text needs to be understood and does not contain: the header of a table begun earlier.
    """

    page_position: int
    page: int | None
    section: str | None
    context: str
    text: str
    start: int
    end: int


class Excerpt(Protocol):
    """What is embedded of a passage, whether just cut or long stored."""

    @property
    def section(self) -> str | None:
        """Path of the section."""

    @property
    def context(self) -> str:
        """Header of its table, or nothing."""

    @property
    def text(self) -> str:
        """Verbatim text."""


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch of a page; `prose` is False inside a table."""

    start: int
    end: int
    prose: bool = True


def chunk(document: ParsedDocument, *, max_chars: int, overlap_chars: int) -> Iterator[Chunk]:
    """Cut every page into passages of at most `max_chars`, which together cover all of its text.

    A passage crosses neither a page nor, unless both are tiny, a section; consecutive passages of one
    section share up to `overlap_chars` of whole sentences, rows of tables none.
    """
    outline = Outline()
    cutter = _Cutter(max_chars, overlap_chars)
    for position, page in enumerate(document.pages):
        tables = TablePlaces(page.tables)
        for section, end in _joined(page, outline.sections(page), max_chars // _TINY_SHARE):
            for span in cutter.cut(page.text, tables, _Span(section.start, end)):
                text = page.text[span.start : span.end]
                yield Chunk(
                    page_position=position,
                    page=page.number,
                    section=path_text(section.path),
                    context=_context(tables, span),
                    text=text,
                    start=span.start,
                    end=span.end,
                )


def embedded_text(document_name: str, excerpt: Excerpt) -> str:
    """Return what is embedded for a passage: the document, section and table header it stands under, then its text.

    A word typed in both alphabets is in one, as in questions: the model knows «отпуск», not «oтпуcк».
    """
    return text_in_one_alphabet(verbatim_text(document_name, excerpt))


def verbatim_text(document_name: str, excerpt: Excerpt) -> str:
    """Return the same to the letter, as bases of earlier releases have it embedded."""
    title = _EXTENSION.sub("", document_name.replace("\\", "/").rsplit("/", 1)[-1])
    return "\n".join(part for part in (title, excerpt.section, excerpt.context, excerpt.text) if part)


def _joined(page: Page, sections: list[Section], tiny: int) -> Iterator[tuple[Section, int]]:
    """Yield sections with their ends; a bare heading joins what stands under it, tiny neighbours join each other."""
    ends = [*(section.start for section in sections[1:]), len(page.text)]
    current, current_end = sections[0], ends[0]
    for section, end in zip(sections[1:], ends[1:], strict=True):
        is_bare = not page.text[current.body : current_end].strip()
        if is_bare and section.path[: len(current.path)] == current.path:
            current = Section(current.start, section.body, section.path)
        elif is_bare and not page.text[current.start : current_end].strip():
            current = section
        elif end - current.start <= tiny and (shared := common_path(current.path, section.path)):
            current = Section(current.start, section.body, shared)
        else:
            yield current, current_end
            current = section
        current_end = end
    yield current, current_end


class _Cutter:
    """Cuts a section that is too long for one passage: between paragraphs, else sentences, else words."""

    def __init__(self, max_chars: int, overlap_chars: int) -> None:
        self._max = max_chars
        self._overlap = overlap_chars
        self._room = max_chars - overlap_chars
        self._splitter = RecursiveCharacterTextSplitter(
            separators=[r"(?<=[;:])\s+", r"(?<=,)\s+", r"\s+", ""],
            is_separator_regex=True,
            keep_separator="end",
            strip_whitespace=False,
            chunk_size=self._room,
            chunk_overlap=0,
        )

    def cut(self, text: str, tables: TablePlaces, section: _Span) -> Iterator[_Span]:
        """Yield spans without white space around them that cover the text of `section`."""
        whole = _trimmed(text, section)
        if whole.end - whole.start <= self._max:
            yield from [whole] if whole.end > whole.start else []
            return
        previous: _Span | None = None
        for span in self._packed(text, tables, whole):
            begin = self._overlap_start(text, previous, span) if previous else span.start
            yield _Span(begin, span.end, span.prose)
            previous = span

    def _packed(self, text: str, tables: TablePlaces, whole: _Span) -> Iterator[_Span]:
        packed: _Span | None = None
        for piece in self._pieces(text, tables, whole):
            span = _trimmed(text, piece)
            if span.start == span.end:
                continue
            if packed and span.end - packed.start <= self._room and packed.prose == span.prose:
                span = _Span(packed.start, span.end, span.prose)
            elif packed:
                yield packed
            packed = span
        if packed:
            yield packed

    def _pieces(self, text: str, tables: TablePlaces, whole: _Span) -> Iterator[_Span]:
        for stretch in _stretches(tables, whole):
            if stretch.end - stretch.start <= self._room:
                yield stretch
                continue
            for block in _paragraphs(text, stretch):
                yield from [block] if block.end - block.start <= self._room else self._sentences(text, block)

    def _sentences(self, text: str, block: _Span) -> Iterator[_Span]:
        starts = [block.start + sentence.start for sentence in split_sentences(text[block.start : block.end])]
        for start, end in pairwise([block.start, *starts[1:], block.end]):
            if end - start <= self._room:
                yield _Span(start, end, block.prose)
                continue
            at = start
            for piece in self._splitter.split_text(text[start:end]):
                yield _Span(at, at + len(piece), block.prose)
                at += len(piece)

    def _overlap_start(self, text: str, previous: _Span, span: _Span) -> int:
        """Return where the tail of `previous` that `span` repeats begins: at a sentence, failing that at a word."""
        if not (previous.prose and span.prose):
            return span.start
        earliest = max(previous.start, previous.end - self._overlap, span.end - self._max)
        window = max(previous.start, earliest - self._overlap)
        starts = (window + sentence.start for sentence in split_sentences(text[window : previous.end]))
        words = (match.end() for match in _SPACE.finditer(text, earliest, previous.end))
        return next((at for at in (*starts, *words) if earliest <= at and window < at < previous.end), span.start)


def _stretches(tables: TablePlaces, whole: _Span) -> Iterator[_Span]:
    """Yield the prose between tables as it is, and tables row by row."""
    at = whole.start
    for table in tables.within(whole.start, whole.end):
        edges = sorted({table.start, *table.row_starts, table.end})
        for start, end in pairwise(edges):
            row = _Span(max(start, at), min(end, whole.end), prose=False)
            if row.end > row.start:
                if row.start > at:
                    yield _Span(at, row.start)
                yield row
                at = row.end
    if at < whole.end:
        yield _Span(at, whole.end)


def _paragraphs(text: str, stretch: _Span) -> Iterator[_Span]:
    ends = [match.end() for match in _PARAGRAPH_END.finditer(text, stretch.start, stretch.end)]
    for start, end in pairwise([stretch.start, *ends, stretch.end]):
        for slab in range(start, end, _SLAB_CHARS):
            yield _Span(slab, min(slab + _SLAB_CHARS, end), stretch.prose)


def _context(tables: TablePlaces, span: _Span) -> str:
    table = tables.at(span.start)
    return table.header[:_CONTEXT_CHARS] if table and table.start < span.start else ""


def _trimmed(text: str, span: _Span) -> _Span:
    piece = text[span.start : span.end]
    start = span.start + len(piece) - len(piece.lstrip())
    return _Span(start, max(start, span.start + len(piece.rstrip())), span.prose)
