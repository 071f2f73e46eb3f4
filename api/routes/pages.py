"""Pages that citations open on: their text, and for paged formats their image with the quote marked."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import PartsDep, WitnessDep
from api.original import require_bytes
from api.wire import PageOut
from core.errors import UnreadableDocument, UnsupportedType
from ingest.media_type import JPEG, PDF, PNG
from retrieval.store import documents, passages
from retrieval.store.audit import Action

router = APIRouter(prefix="/v1/documents/{document_id}/pages/{page}", tags=["documents"])

WITH_IMAGES = (PDF, PNG, JPEG)
QUOTE_MAX_CHARS = 2000
CACHE_S = 300


@router.get("")
def text(document_id: str, page: int, found: PartsDep, witness: WitnessDep) -> PageOut:
    """Give the text of a page; where a format has no page numbers, `page` counts its parts from 1."""
    with found.database.read() as conn:
        shown = passages.page(conn, document_id, page, witness.principal)
    witness.note(Action.OPENED, document_id, name=shown.document, page=str(page))
    return PageOut.of(shown)


@router.get("/image", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def image(
    document_id: str,
    page: int,
    found: PartsDep,
    witness: WitnessDep,
    *,
    quote: Annotated[str, Query(max_length=QUOTE_MAX_CHARS)] = "",
    width_px: Annotated[int, Query(ge=200, le=2400)] = 1000,
) -> Response:
    """Give a PNG of a page of a PDF or an image, with the words of `quote` marked; 415 for other formats."""
    with found.database.read() as conn:
        document = documents.get(conn, document_id, witness.principal)
        documents.require_original(conn, document, witness.principal)
        number = passages.page(conn, document_id, page, witness.principal).number
    if document.media_type not in WITH_IMAGES or number is None:
        raise UnsupportedType("no_page_images", "У этого формата нет изображений страниц; доступен текст страницы.")
    path = require_bytes(found.files, document)
    witness.note(Action.OPENED, document_id, name=document.name, page=str(page))
    arguments = {
        "path": str(path.absolute()),
        "page_number": number,
        "quote": quote,
        "width_px": width_px,
    }
    try:
        png = found.sandbox.call("render_page", arguments)
    except UnreadableDocument as exc:
        raise UnsupportedType(
            "no_page_image", "Эту страницу не удалось показать картинкой; доступен её текст."
        ) from exc
    return Response(png, media_type="image/png", headers={"Cache-Control": f"private, max-age={CACHE_S}"})
