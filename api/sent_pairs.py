"""The file of questions that an evaluation is started with, as it was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from api.dependencies import Parts
from api.multipart import Part, read_parts
from api.questions import checked
from core.errors import InvalidRequest, TooLarge
from core.settings import Settings
from evaluation.pairs import Pair, read_pairs
from ingest.limits import Limits

NAME_MAX_CHARS = 255
UNPACKED_TIMES = 20  # how many times larger an XLSX may be than the limit of the file


@dataclass(frozen=True, slots=True)
class Sent:
    """What came with the form."""

    name: str
    data: bytes
    collection: str | None


def receive(body: Iterable[bytes], content_type: str, *, max_bytes: int) -> Sent:
    """Read the form; raise `InvalidRequest` when it is another, `TooLarge` when the file is."""
    sent = Sent("", b"", None)
    for part in read_parts(body, content_type):
        if part.name == "file" and part.file_name is not None and not sent.name:
            sent = replace(sent, name=_checked_name(part), data=_bytes(part, max_bytes))
        elif part.name == "collection" and part.file_name is None:
            sent = replace(sent, collection=part.text().strip() or None)
        else:
            raise InvalidRequest("bad_field", "В форме — один файл в поле file и, если нужно, поле collection.")
    if not sent.name:
        raise InvalidRequest("no_file", "В запросе нет файла с вопросами. Передайте его в поле file.")
    return sent


def _checked_name(part: Part) -> str:
    name = Path((part.file_name or "").replace("\\", "/")).name.replace("\x00", "").strip()
    if not name or len(name) > NAME_MAX_CHARS:
        raise InvalidRequest("bad_name", f"Имя файла — от 1 до {NAME_MAX_CHARS} знаков. Переименуйте его.")
    return name


def _bytes(part: Part, max_bytes: int) -> bytes:
    data = bytearray()
    for piece in part.pieces:
        data += piece
        if len(data) > max_bytes:
            limit = max(1, max_bytes // 2**20)
            raise TooLarge("pairs_too_large", f"Файл с вопросами больше {limit} МБ. Разделите его на части.")
    return bytes(data)


def pairs_of(found: Parts, sent: Sent) -> tuple[Pair, ...]:
    """Read the questions; raise `InvalidRequest` with the row when one cannot be asked."""
    settings = found.settings
    with found.evaluations.runs.aside() as folder:
        path = folder / f"pairs{Path(sent.name).suffix}"
        path.write_bytes(sent.data)
        pairs = read_pairs(path, _limits(settings))
    if len(pairs) > (most := settings.evaluation_max_pairs):
        raise InvalidRequest(
            "too_many_pairs", f"Вопросов в файле {len(pairs)}, а можно не больше {most}. Разделите его на части."
        )
    for pair in pairs:
        with _row_named(pair):
            checked(pair.question, settings)
    return pairs


def _limits(settings: Settings) -> Limits:
    """This file is read in the process of the service, so that it may cost much less than a document."""
    max_bytes = settings.evaluation_max_bytes
    return replace(Limits.of(settings), archive_max_bytes=UNPACKED_TIMES * max_bytes, output_chars=max_bytes)


@contextmanager
def _row_named(pair: Pair) -> Iterator[None]:
    try:
        yield
    except InvalidRequest as exc:
        raise InvalidRequest(exc.code, f"Строка {pair.row}: {exc.detail}") from exc
