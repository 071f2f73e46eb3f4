"""What the stages hand to each other: frozen, without behaviour, without a library's types."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """Life of a document: queued, parsing, embedding, then one of the three ends."""

    QUEUED = "queued"
    PARSING = "parsing"
    EMBEDDING = "embedding"
    READY = "ready"
    PARTIAL = "partial"
    FAILED = "failed"


class Role(StrEnum):
    """What a right allows: to search and open; also to upload and delete; also to decide over rights."""

    READER = "reader"
    EDITOR = "editor"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Reach:
    """What a right extends to: collections, None being all of them, and besides them single documents by their ids."""

    collections: frozenset[str] | None = None
    documents: frozenset[str] = frozenset()


NOTHING = Reach(frozenset())


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and what they may read: `collections` (None: all of them) and single `documents` besides.

    `edits` is what they may change, None being all that they may read. No two callers share a `name`.
    """

    name: str
    collections: frozenset[str] | None = None
    documents: frozenset[str] = frozenset()
    edits: Reach | None = None
    is_administrator: bool = False

    @property
    def reads(self) -> Reach:
        """All that they may read."""
        return Reach(self.collections, self.documents)

    @property
    def changes(self) -> Reach:
        """All that they may change."""
        return self.reads if self.edits is None else self.edits


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a document's current stage is: `done` of `total` pages or passages."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a document is failed or partial: a word for programs, a Russian sentence for people."""

    code: str
    detail: str


class PersonalKind(StrEnum):
    """A kind of personal data that is told by its form. A company's ИНН is told apart, because it is public."""

    PASSPORT = "passport"
    SNILS = "snils"
    INN = "inn"
    COMPANY_INN = "company_inn"
    PHONE = "phone"
    EMAIL = "email"
    CARD = "card"


class PersonalPolicy(StrEnum):
    """What a collection does with personal data: nothing, hide it in all that is shown, or take no file with it."""

    ALLOW = "allow"
    MASK = "mask"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class PersonalCount:
    """How often a document holds a kind of personal data; never which values."""

    kind: PersonalKind
    count: int


@dataclass(frozen=True, slots=True)
class Document:
    """An uploaded file and where it is in its life. `pages` is None where pages have no numbers.

    `personal_data` is None as long as nobody has looked for it.
    """

    id: str
    name: str
    collection: str
    media_type: str
    size_bytes: int
    sha256: str
    status: Status
    progress: Progress | None
    pages: int | None
    passages: int
    error: Problem | None
    created_at: datetime
    updated_at: datetime
    personal_data: tuple[PersonalCount, ...] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Text of one page. `number` counts from 1; None where the format has no pages.

    Offsets and quotes refer to exactly this `text`. `headings` are (offset, level, title), in order.
    """

    number: int | None
    text: str
    headings: tuple[Heading, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading that stands at `start` of its page's text; level 1 is the outermost."""

    start: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a table as spans of the page's text; `header` is repeated with every piece of it."""

    start: int
    end: int
    header: str
    row_starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a reader made of a file. `problem` says which pages gave no text, if any did not."""

    media_type: str
    pages: tuple[Page, ...]
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A stored piece of one page. `start` and `end` are character offsets in the page's text; `score` ranks it.

    `also_in` names other documents, readable for the caller, that say the same there.
    """

    id: int
    document_id: str
    document: str
    page: int | None
    section: str | None
    text: str
    start: int
    end: int
    score: float = 0.0
    also_in: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """`[n]` in an answer. `quote` stands verbatim on that page of that document."""

    n: int
    document_id: str
    document: str
    page: int | None
    section: str | None
    quote: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another document says otherwise: `value` there, `said` in what the answer cites, in the documents' own words.

    `kind` is `value`, `words`, `negation` or `void` (a document is no longer in force); `notice` is a Russian sentence.
    """

    kind: str
    said: str
    value: str
    notice: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds from the receipt of the question; `first_token_ms` is None when no model spoke."""

    search_ms: float
    first_token_ms: float | None
    total_ms: float


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier question with its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Interpretation:
    """How a question was understood: the text that was searched for, and a Russian sentence when it was mended."""

    searched: str
    notice: str | None = None


class Verdict(StrEnum):
    """What the check made of a sentence of the model's."""

    SUPPORTED = "supported"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Check:
    """A sentence of the model's and what the check said. `reason` is a word for programs, empty when supported."""

    sentence: str
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service says, what it relied on, and what was found.

    `confidence` is the measured probability, 0..1, that the answer is right; `escalate` says that a person should look.
    `conflicts` are cited from n on where `citations` end.
    """

    answer: str
    refused: bool
    citations: tuple[Citation, ...]
    model: str
    timings: Timings
    passages: tuple[Passage, ...] = field(default=())
    confidence: float = 0.0
    escalate: bool = False
    checks: tuple[Check, ...] = ()
    interpretation: Interpretation | None = None
    conflicts: tuple[Conflict, ...] = ()
