"""Requests and answers as JSON. Unknown fields of a request are refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from core.types import (
    Citation,
    Document,
    Interpretation,
    Passage,
    PersonalKind,
    PersonalPolicy,
    Principal,
    Problem,
    Progress,
    Status,
    Timings,
    Turn,
)
from retrieval.store.documents import CollectionSize, Listing, is_editable
from retrieval.store.passages import StoredPage

COLLECTION_MAX_CHARS = 200
HISTORY_MAX_TURNS = 50
Collection = Annotated[str, Field(min_length=1, max_length=COLLECTION_MAX_CHARS)]


class Request(BaseModel):
    """What a caller sends."""

    model_config = ConfigDict(extra="forbid")


class TurnIn(Request):
    """An earlier question with the answer it got."""

    question: str
    answer: str

    def turn(self) -> Turn:
        """Return it as the service's own type."""
        return Turn(self.question, self.answer)


class SearchIn(Request):
    """What to look for, and where; no collection means all that the key may read."""

    query: str = Field(examples=["сколько дней длится отпуск"])
    collection: Collection | None = None
    top_k: int | None = Field(None, ge=1, le=50)
    exact: bool = Field(False, description="Search for the words as typed: nothing is mended.")


class AskIn(Request):
    """A question, and the talk before it."""

    question: str = Field(examples=["Сколько дней длится отпуск?"])
    collection: Collection | None = None
    history: list[TurnIn] = Field(default_factory=list, max_length=HISTORY_MAX_TURNS)
    top_k: int | None = Field(None, ge=1, le=50)
    stream: bool = False
    exact: bool = Field(False, description="Take the question as typed: nothing is mended or taken from the history.")


class FeedbackIn(Request):
    """What a person thinks of an answer."""

    verdict: Literal["up", "down"]
    question: str
    answer: str
    comment: str = Field("", max_length=4000)
    document_ids: list[str] = Field(default_factory=list, max_length=50)


class Out(BaseModel):
    """What the service answers; built from the service's own types."""

    model_config = ConfigDict(from_attributes=True)


class ProgressOut(Out):
    """`done` of `total` pages or passages of the current stage."""

    stage: str
    done: int
    total: int

    @classmethod
    def of(cls, progress: Progress) -> Self:
        """Build from the service's own type."""
        return cls(stage=progress.stage, done=progress.done, total=progress.total)


class ErrorOut(Out):
    """Why a document is failed or partial."""

    code: str
    detail: str

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """Build from the service's own type."""
        return cls(code=problem.code, detail=problem.detail)


class PersonalCountOut(Out):
    """How often a document holds a kind of personal data; values are told nowhere."""

    kind: PersonalKind
    count: int


class DocumentOut(Out):
    """An uploaded file and where it is in its life; `editable` says whether the caller may delete it."""

    id: str
    name: str
    collection: str
    media_type: str
    size_bytes: int
    sha256: str
    status: Status
    progress: ProgressOut | None
    pages: int | None
    passages: int
    error: ErrorOut | None
    created_at: datetime
    updated_at: datetime
    personal_data: list[PersonalCountOut] | None
    editable: bool = False

    @classmethod
    def of(cls, document: Document, principal: Principal) -> Self:
        """Build from the service's own type, for this caller."""
        shown = cls.model_validate(document)
        shown.editable = is_editable(document, principal)
        return shown


class DocumentsOut(Out):
    """A part of the list; the next one starts at `next_cursor`."""

    items: list[DocumentOut]
    next_cursor: str | None

    @classmethod
    def of(cls, listing: Listing, principal: Principal) -> Self:
        """Build from the service's own type, for this caller."""
        return cls(items=[DocumentOut.of(d, principal) for d in listing.items], next_cursor=listing.next_cursor)


class CollectionOut(Out):
    """A collection, how many documents it holds, and what it does with personal data."""

    name: str
    documents: int
    personal_data: PersonalPolicy


class CollectionsOut(Out):
    """The collections this key may read."""

    items: list[CollectionOut]

    @classmethod
    def of(cls, sizes: tuple[CollectionSize, ...]) -> Self:
        """Build from the service's own type."""
        return cls(items=[CollectionOut.model_validate(size) for size in sizes])


class PageOut(Out):
    """Text of one page; quotes stand in it verbatim. `position` counts from 0, `page` is None without numbers."""

    document_id: str
    document: str
    position: int
    page: int | None
    text: str

    @classmethod
    def of(cls, page: StoredPage) -> Self:
        """Build from the service's own type."""
        return cls(
            document_id=page.document_id,
            document=page.document,
            position=page.position,
            page=page.number,
            text=page.text,
        )


class PassageOut(Out):
    """A piece of a page that was found."""

    document_id: str
    document: str
    page: int | None
    section: str | None
    text: str
    score: float
    also_in: tuple[str, ...] = ()

    @classmethod
    def of(cls, passage: Passage) -> Self:
        """Build from the service's own type."""
        return cls.model_validate(passage)


class CitationOut(Out):
    """`[n]` in the answer; `quote` stands verbatim on that page of that document."""

    n: int
    document_id: str
    document: str
    page: int | None
    section: str | None
    quote: str

    @classmethod
    def of(cls, citation: Citation) -> Self:
        """Build from the service's own type."""
        return cls.model_validate(citation)


class SearchTimingsOut(Out):
    """Milliseconds of the search."""

    search_ms: float


class TimingsOut(Out):
    """Milliseconds since the question came."""

    search_ms: float
    first_token_ms: float | None
    total_ms: float

    @classmethod
    def of(cls, timings: Timings) -> Self:
        """Build from the service's own type."""
        return cls.model_validate(timings)


class InterpretationOut(Out):
    """The text that was searched for; `notice` is a Russian sentence when it is not the text that was sent."""

    searched: str
    notice: str | None

    @classmethod
    def of(cls, interpretation: Interpretation) -> Self:
        """Build from the service's own type."""
        return cls.model_validate(interpretation)


class SearchOut(Out):
    """What was found, best first."""

    passages: list[PassageOut]
    timings: SearchTimingsOut
    interpretation: InterpretationOut
