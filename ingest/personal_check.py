"""Looks through documents for personal data as they are read, and lets in what their collection takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import UnreadableDocument
from core.types import ParsedDocument, PersonalKind, PersonalPolicy
from retrieval.personal_data import PERSONAL, count, find
from retrieval.store import policies
from retrieval.store.database import Database
from retrieval.store.jobs import Job

TITLES = {
    PersonalKind.PASSPORT: "паспорт",
    PersonalKind.SNILS: "СНИЛС",
    PersonalKind.INN: "ИНН человека",
    PersonalKind.PHONE: "телефон",
    PersonalKind.EMAIL: "e-mail",
    PersonalKind.CARD: "номер карты",
}
PLACES_SHOWN = 10
NAME = "имя файла"


@dataclass(frozen=True, slots=True)
class _Held:
    """How often a kind is found, and where: «стр. 3», «имя файла»."""

    count: int
    places: tuple[str, ...]


def admit(database: Database, job: Job, parsed: ParsedDocument) -> dict[PersonalKind, int]:
    """Return what a document holds; raise `UnreadableDocument` where its collection takes no such documents."""
    held = _held(job.name, parsed)
    counts = {kind: one.count for kind, one in held.items()}
    personal = {kind: one for kind, one in held.items() if kind in PERSONAL}
    with database.read() as conn:
        is_refused = bool(personal) and policies.policy(conn, job.collection) is PersonalPolicy.REFUSE
    if is_refused:
        with database.write() as conn:
            policies.note(conn, job.document_id, counts)
        raise _refusal(personal)
    return counts


def _held(name: str, parsed: ParsedDocument) -> dict[PersonalKind, _Held]:
    counts: Counter[PersonalKind] = Counter()
    places: dict[PersonalKind, dict[str, None]] = {}
    for place, text in _parts(name, parsed):
        for found in find(text):
            counts[found.kind] += 1
            places.setdefault(found.kind, {})[place] = None
    return {kind: _Held(counts[kind], tuple(places[kind])) for kind in PersonalKind if kind in counts}


def _parts(name: str, parsed: ParsedDocument) -> Iterator[tuple[str, str]]:
    yield NAME, name
    for position, page in enumerate(parsed.pages, start=1):
        yield f"стр. {page.number}" if page.number is not None else f"часть {position}", page.text


def _refusal(held: dict[PersonalKind, _Held]) -> UnreadableDocument:
    said = "; ".join(f"{TITLES[kind]} — {one.count} ({_listed(one.places)})" for kind, one in held.items())
    return UnreadableDocument(
        policies.REFUSED,
        f"В файле персональные данные, а эта коллекция таких файлов не принимает. Найдено: {said}. Файл не сохранён. "
        "Уберите эти данные и загрузите его снова или загрузите в другую коллекцию.",
    )


def _listed(places: tuple[str, ...]) -> str:
    more = len(places) - PLACES_SHOWN
    return ", ".join(places[:PLACES_SHOWN]) + (f" и ещё {more}" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class PersonalDataChecking:
    """Looks through documents that came before anybody looked."""

    database: Database

    def run(self) -> bool:
        """Look through one; say whether there was one."""
        with self.database.read() as conn:
            document_id = policies.unchecked(conn)
            texts = policies.texts(conn, document_id) if document_id is not None else []
        if document_id is None:
            return False
        counts = count(texts)
        with self.database.write() as conn:
            policies.note(conn, document_id, counts)
        return True
