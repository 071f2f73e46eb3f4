"""What the API sends, as the page uses it. Shapes are those of the REST contract; fields it adds later are ignored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from core.errors import ServiceError
from core.types import Citation, Conflict, Document, Interpretation, PersonalPolicy, Problem, Role, Timings

T = TypeVar("T")

UNEXPECTED = "Страница не поняла ответ сервиса. Возможно, у них разные версии: обновите и перезапустите сервис."


class ClientError(ServiceError):
    """The API refused, or could not be reached. `retry_after_s` is set when it said when to come back."""

    def __init__(self, code: str, detail: str, *, status: int = 0, retry_after_s: int | None = None) -> None:
        super().__init__(code, detail)
        self.status = status
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that a search brought up."""

    document_id: str
    document: str
    text: str
    page: int | None = None
    section: str | None = None
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer. `confidence` is 0..1; `escalate` says that a person should look."""

    answer: str
    refused: bool = False
    citations: tuple[Citation, ...] = ()
    model: str = ""
    timings: Timings | None = None
    confidence: float = 1.0
    escalate: bool = False
    interpretation: Interpretation | None = None
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """What the visitor may do: `editable` collections may be changed (None: all, new ones too).

    `edits_all` says that whatever they read they may also change.
    """

    role: Role
    editable: tuple[str, ...] | None = None
    edits_all: bool = True

    @property
    def may_upload(self) -> bool:
        """Whether there is a collection to upload to."""
        return self.editable is None or bool(self.editable)


@dataclass(frozen=True, slots=True)
class Listed(Document):
    """A document of the list; `editable` says whether the visitor may delete it."""

    editable: bool = True


@dataclass(frozen=True, slots=True)
class DocumentList:
    """One screen of documents; `next_cursor` is None on the last."""

    items: tuple[Listed, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """A named set of documents, how many it holds, and what it does with personal data."""

    name: str
    documents: int = 0
    personal_data: PersonalPolicy = PersonalPolicy.ALLOW


@dataclass(frozen=True, slots=True)
class CollectionList:
    """All collections this key may read."""

    items: tuple[Collection, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be talked to, by its name."""

    id: str


@dataclass(frozen=True, slots=True)
class ModelList:
    """All models, in OpenAI's shape."""

    data: tuple[Model, ...]


@dataclass(frozen=True, slots=True)
class PageText:
    """Text of one page, to which quotes refer."""

    text: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person thought of an answer: `verdict` is `up` or `down`."""

    question: str
    answer: str
    verdict: str
    document_ids: tuple[str, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A share of `count` questions with the ends of its interval, and against an earlier run where there is one.

    `verdict` is `better`, `worse` or `noise`.
    """

    measure: str
    value: float
    low: float
    high: float
    count: int
    before: float | None = None
    verdict: str | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A run of questions with known answers; `status` is `running` until it is done, failed, stopped or interrupted."""

    id: str
    name: str
    status: str
    done: int
    total: int
    created_at: datetime
    collection: str | None = None
    eta_s: float | None = None
    error: Problem | None = None
    failed: int | None = None
    figures: tuple[Figure, ...] = ()
    compared_with: str | None = None
    editable: bool = True


@dataclass(frozen=True, slots=True)
class EvaluationList:
    """All runs, newest first."""

    items: tuple[Evaluation, ...]


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """A passage that was found for a question of an evaluation; `is_right` says that the answer stands there."""

    document: str
    text: str
    is_right: bool
    page: int | None = None
    section: str | None = None


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question of an evaluation with what was expected and what came; `failure` is None where all is right."""

    question: str
    expected: str
    got: str
    failure: str | None = None
    passages: tuple[FoundPlace, ...] = ()


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """All questions of an evaluation."""

    questions: tuple[AskedQuestion, ...]


@dataclass(frozen=True, slots=True)
class Queued:
    """The question waits: `position` questions are to be answered before and with it."""

    position: int
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What the search found, sent before the first word."""

    passages: tuple[Found, ...]
    interpretation: Interpretation | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """The next piece of the answer's text."""

    text: str


Event = Queued | Sources | Token | Answered

EVENTS: dict[str, type[Event]] = {"queued": Queued, "sources": Sources, "token": Token, "done": Answered}


def parse(shape: type[T], value: bytes | dict[str, Any]) -> T:
    """Check JSON, decoded or not, against a shape; raise `ClientError` where it does not fit."""
    known = TypeAdapter(shape)
    try:
        return known.validate_json(value) if isinstance(value, bytes) else known.validate_python(value)
    except ValidationError as exc:
        raise ClientError("unexpected_answer", UNEXPECTED) from exc
