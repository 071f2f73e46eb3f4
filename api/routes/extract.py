"""Facts of documents as JSON of the caller's own schema."""

from __future__ import annotations

from typing import Any, Self

from fastapi import APIRouter, Request
from pydantic import Field, model_validator
from starlette.concurrency import run_in_threadpool

from api.departure import unless_gone
from api.dependencies import Parts, PartsDep, WitnessDep
from api.questions import checked
from api.turns import Turn
from api.wire import CitationOut, Collection, Out, TimingsOut
from api.wire import Request as Wanted
from core.errors import InvalidRequest, TryLater
from core.types import Passage, Principal, Status
from generation.extraction import Extraction, ExtractionRequest
from generation.json_grammar import check_usable
from generation.json_schema import SchemaLimits, resolve
from retrieval.store import documents, passages
from retrieval.store.audit import Action
from retrieval.store.database import Database

router = APIRouter(prefix="/v1", tags=["questions"])

RETRY_AFTER_S = 5
_EXAMPLE = {
    "type": "object",
    "properties": {
        "number": {"type": ["string", "null"], "description": "номер договора"},
        "signed": {"type": ["string", "null"], "format": "date", "description": "дата договора"},
        "total": {"type": ["number", "null"], "description": "сумма договора в рублях"},
    },
    "required": ["number", "signed", "total"],
}


class ExtractIn(Wanted):
    """What to draw, and from where: one document, or the best passages of a collection."""

    instruction: str = Field(examples=["Выпиши реквизиты договора"])
    json_schema: dict[str, Any] = Field(description="Draft 2020-12, an object at the top", examples=[_EXAMPLE])
    document_id: str | None = None
    collection: Collection | None = None
    top_k: int | None = Field(None, ge=1, le=50, description="passages of the collection to read")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.document_id is None) == (self.collection is None):
            raise ValueError("укажите либо document_id, либо collection")
        return self


class ExtractOut(Out):
    """`data` is valid by the schema; null with `refused` when nothing asked for stands in the documents.

    `fields` maps the JSON pointer (RFC 6901) of each value to the `n` of its citation; `unsupported` are the pointers
    of values that the schema demands and no passage says: do not rely on them.
    """

    data: Any
    refused: bool
    citations: list[CitationOut]
    fields: dict[str, int]
    unsupported: list[str]
    model: str
    timings: TimingsOut

    @classmethod
    def of(cls, extraction: Extraction) -> Self:
        """Build from the service's own type."""
        return cls.model_validate(extraction)


@router.post("/extract")
async def extract(wanted: ExtractIn, request: Request, found: PartsDep, witness: WitnessDep) -> ExtractOut:
    """Draw facts as JSON that is valid by `json_schema`, each with the words of a document that it rests on."""
    asked = await run_in_threadpool(_request, wanted, found, witness.principal)
    witness.note_question(
        Action.EXTRACTED, asked.instruction, wanted.document_id or wanted.collection or "", collection=wanted.collection
    )
    turn = found.turns.enter(witness.principal.name)
    try:
        return ExtractOut.of(await unless_gone(request, _extraction(found, asked, turn)))
    finally:
        found.turns.leave(turn)


def read_document(database: Database, document_id: str, principal: Principal) -> tuple[Passage, ...]:
    """Every passage of a document, in order.

    Raises `NotFound`, `TryLater` while the document is being read, `InvalidRequest` when it could not be.
    """
    with database.read() as conn:
        document = documents.get(conn, document_id, principal)
        if document.status is Status.FAILED:
            detail = f"Документ «{document.name}» не удалось прочитать. Загрузите его в другом виде."
            raise InvalidRequest("document_failed", detail)
        if document.status not in documents.ANSWERING:
            detail = f"Документ «{document.name}» ещё читается. Повторите через несколько секунд."
            raise TryLater("document_not_ready", detail, retry_after_s=RETRY_AFTER_S)
        return tuple(passages.of_document(conn, document_id, principal))


def _request(wanted: ExtractIn, found: Parts, principal: Principal) -> ExtractionRequest:
    node = resolve(wanted.json_schema, SchemaLimits.of(found.settings))
    if node.get("type") != "object" or not node.get("properties"):
        raise InvalidRequest("schema_not_object", "Схема JSON не подходит: наверху нужен object с полями в properties.")
    check_usable(node)
    return ExtractionRequest(
        instruction=checked(wanted.instruction, found.settings),
        node=node,
        principal=principal,
        document_id=wanted.document_id,
        collection=wanted.collection,
        top_k=wanted.top_k or found.settings.top_k,
    )


async def _extraction(found: Parts, asked: ExtractionRequest, turn: Turn) -> Extraction:
    """Read at once, wait for the turn, then ask the model; who had to wait gets what stands when it is over."""
    read = await found.extractor.read(asked)
    await turn.come()
    if turn.was_queued:
        read = await found.extractor.read(asked)
    extraction = await found.extractor.extract(asked, read)
    found.metrics.answers.labels("refused" if extraction.refused else "extracted").inc()
    return extraction
