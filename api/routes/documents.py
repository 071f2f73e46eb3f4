"""Documents: received, listed, shown, given back, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from api.audit_log import Witness
from api.dependencies import Parts, PartsDep, PrincipalDep, WitnessDep
from api.multipart import Part, read_parts, wait_for_chunks
from api.original import require_bytes
from api.wire import COLLECTION_MAX_CHARS, CollectionsOut, DocumentOut, DocumentsOut
from core import faults
from core.errors import Forbidden, InvalidRequest, ServiceError
from core.faults import Point
from core.types import Document, Principal, Status
from ingest import media_type
from ingest.files import Received
from ingest.upkeep import remove_unneeded
from retrieval.store import audit, documents
from retrieval.store.audit import Action, Event
from retrieval.store.documents import Upload

router = APIRouter(prefix="/v1", tags=["documents"])

UPLOAD_PATH = "/v1/documents"
NAME_MAX_BYTES = 1024
TRUE_WORDS = ("true", "1", "on", "yes")
FALSE_WORDS = ("false", "0", "off", "no", "")
UPLOAD_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "collection": {"type": "string", "default": "default"},
                        "replace": {"type": "boolean", "default": False, "description": "same name supersedes"},
                    },
                }
            }
        },
    }
}


@router.post("/documents", status_code=HTTPStatus.ACCEPTED, openapi_extra=UPLOAD_FORM)
async def upload(request: Request, found: PartsDep, witness: WitnessDep) -> list[DocumentOut]:
    """Take one or more files; they are read in the background. All of them are taken, or none."""
    _require_may_add(witness.principal)  # before a file comes, and alike for every collection
    body = wait_for_chunks(request.stream())
    content_type = request.headers.get("content-type", "")
    added = await found.uploads.run(partial(_receive, found, witness, body, content_type))
    return [DocumentOut.of(document, witness.principal) for document in added]


def _require_may_add(principal: Principal) -> None:
    if principal.changes.collections == frozenset():
        raise Forbidden("role_too_low", "Загружать документы вам нельзя. Это может редактор: попросите администратора.")


def _receive(found: Parts, witness: Witness, body: Iterator[bytes], content_type: str) -> list[Document]:
    files: list[tuple[str, Received]] = []
    try:
        return _take_in(found, witness, read_parts(body, content_type), files)
    except BaseException:
        for _, file in files:
            with suppress(ServiceError, OSError):  # the sweep removes what cannot be removed now
                remove_unneeded(found.database, found.files, file.sha256)
        raise


def _take_in(
    found: Parts, witness: Witness, parts: Iterator[Part], files: list[tuple[str, Received]]
) -> list[Document]:
    limits = found.settings
    form = {"collection": "default", "replace": "false"}
    with ExitStack() as held:
        for part in parts:
            if part.file_name is None:
                form[_field(part, form)] = part.text()
                continue
            if len(files) >= limits.upload_max_files:
                raise InvalidRequest("too_many_files", f"За один раз — не больше {limits.upload_max_files} файлов.")
            arriving = found.files.receive(
                part.pieces, max_bytes=limits.upload_max_bytes, reserve_bytes=limits.disk_reserve_bytes
            )
            files.append((_checked_name(part), held.enter_context(arriving)))
        if not files:
            raise InvalidRequest("no_file", "В запросе нет файла. Передайте его в поле file.")
        collection, is_replacement = _collection(form["collection"]), _flag(form["replace"])
        uploads = [_upload(name, file, collection, is_replacement) for name, file in files]
        with found.database.write() as conn:
            added = [documents.add(conn, each, witness.principal, now=found.wall_clock()) for each in uploads]
            audit.write(conn, [_uploaded(witness, each, is_replacement=is_replacement) for each in added])
        faults.reach(Point.ROW_COMMITTED)
        return added


def _uploaded(witness: Witness, document: Document, *, is_replacement: bool) -> Event:
    detail = {"name": document.name, "collection": document.collection} | (
        {"replace": "true"} if is_replacement else {}
    )
    return witness.event(Action.UPLOADED, document.id, **detail)


def _field(part: Part, form: dict[str, str]) -> str:
    if part.name not in form:
        raise InvalidRequest("bad_field", f"Неизвестное поле формы {part.name!r}. Есть file, collection и replace.")
    return part.name


def _checked_name(part: Part) -> str:
    name = part.file_name or ""
    if part.name != "file":
        raise InvalidRequest("bad_field", f"Файл передан в поле {part.name!r}, а нужно в поле file.")
    if not name.strip():
        raise InvalidRequest("no_name", "У файла нет имени. Назовите его и загрузите снова.")
    if len(name.encode()) > NAME_MAX_BYTES:
        raise InvalidRequest("name_too_long", f"Имя файла длиннее {NAME_MAX_BYTES} байт. Переименуйте файл.")
    return name


def _collection(name: str) -> str:
    if not name.strip() or len(name) > COLLECTION_MAX_CHARS:
        raise InvalidRequest("bad_collection", f"Имя коллекции — от 1 до {COLLECTION_MAX_CHARS} знаков.")
    return name


def _flag(word: str) -> bool:
    if word.lower() not in (*TRUE_WORDS, *FALSE_WORDS):
        raise InvalidRequest("bad_field", "Поле replace принимает true или false.")
    return word.lower() in TRUE_WORDS


def _upload(name: str, file: Received, collection: str, is_replacement: bool) -> Upload:
    try:
        kind = media_type.detect(file.path, name)
    except ServiceError as exc:
        raise type(exc)(exc.code, f"«{name}»: {exc.detail}") from exc
    return Upload(name, collection, kind, file.size_bytes, file.sha256, is_replacement)


@router.get("/documents")
def listing(
    found: PartsDep,
    principal: PrincipalDep,
    *,
    collection: str | None = None,
    status: Status | None = None,
    name: Annotated[str | None, Query(description="part of the name, in any case")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: str | None = None,
) -> DocumentsOut:
    """List documents, newest first."""
    query = documents.Query(collection=collection, status=status, name_part=name)
    with found.database.read() as conn:
        return DocumentsOut.of(documents.listing(conn, query, principal, limit=limit, cursor=cursor), principal)


@router.get("/documents/{document_id}")
def show(document_id: str, found: PartsDep, principal: PrincipalDep) -> DocumentOut:
    """Show one document: its state, how far it is, why it failed."""
    with found.database.read() as conn:
        return DocumentOut.of(documents.get(conn, document_id, principal), principal)


@router.get("/documents/{document_id}/content", response_class=FileResponse)
def content(document_id: str, found: PartsDep, witness: WitnessDep) -> FileResponse:
    """Give the original bytes back under the original name."""
    with found.database.read() as conn:
        document = documents.get(conn, document_id, witness.principal)
        documents.require_original(conn, document, witness.principal)
    path = require_bytes(found.files, document)
    witness.note(Action.OPENED, document.id, name=document.name)
    return FileResponse(
        path,
        media_type=document.media_type,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(document.name, safe='')}"},
    )


@router.delete("/documents/{document_id}", status_code=HTTPStatus.NO_CONTENT)
def delete(document_id: str, found: PartsDep, witness: WitnessDep) -> Response:
    """Delete a document; once this answers nothing of it is found, cited or downloadable."""
    with found.database.write() as conn:
        document = documents.get(conn, document_id, witness.principal)
        documents.remove(conn, document_id, witness.principal)
        named = {"name": document.name, "collection": document.collection}
        audit.write(conn, [witness.event(Action.DELETED, document.id, **named)])
    remove_unneeded(found.database, found.files, document.sha256)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/collections")
def collections(found: PartsDep, principal: PrincipalDep) -> CollectionsOut:
    """List the collections this key may read."""
    with found.database.read() as conn:
        return CollectionsOut.of(documents.collections(conn, principal))
