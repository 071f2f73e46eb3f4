"""Multipart bodies as they arrive: parts one after another, none held in memory or in a second file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from email.message import Message

import anyio
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from core.errors import InvalidRequest, TooLarge

FIELD_MAX_BYTES = 4096
HEADERS_MAX_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form. `file_name` is None for a plain field; `pieces` must be read before the next part."""

    name: str
    file_name: str | None
    pieces: Iterator[bytes]

    def text(self) -> str:
        """Return a plain field's value; raise `TooLarge` when it is more than a few kilobytes."""
        value = b""
        for piece in self.pieces:
            value += piece
            if len(value) > FIELD_MAX_BYTES:
                raise TooLarge("field_too_large", f"Поле формы {self.name} слишком длинное.")
        return value.decode("utf-8", errors="replace")


@dataclass(frozen=True, slots=True)
class _Begin:
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Piece:
    data: bytes


@dataclass(frozen=True, slots=True)
class _End:
    pass


_Event = _Begin | _Piece | _End


def wait_for_chunks(stream: AsyncIterator[bytes]) -> Iterator[bytes]:
    """Read a body from a worker thread, where parsing and fsync hold nobody up."""
    try:
        while (chunk := anyio.from_thread.run(anext, stream, None)) is not None:
            yield chunk
    except ClientDisconnect as exc:
        raise InvalidRequest("incomplete_upload", "Файл пришёл не целиком: связь прервалась.") from exc


def read_parts(body: Iterable[bytes], content_type: str) -> Iterator[Part]:
    """Give the parts of a multipart body in order.

    Raises `InvalidRequest` when the body is no multipart form, is malformed, or ends before its last boundary.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise InvalidRequest("not_multipart", "Файлы передаются формой multipart/form-data в поле file.")
    events = _events(body, boundary)
    for event in events:
        if isinstance(event, _Begin):
            part = _part(event, events)
            yield part
            for _ in part.pieces:  # what the caller left unread, up to the end of this part
                pass


def _part(begin: _Begin, events: Iterator[_Event]) -> Part:
    disposition = begin.headers.get("content-disposition", "")
    _, options = parse_options_header(disposition)
    file_name = options.get(b"filename")
    return Part(
        name=options.get(b"name", b"").decode("utf-8", errors="replace"),
        file_name=_extended_name(disposition) if file_name is None else _name(file_name),
        pieces=_pieces(events),
    )


def _extended_name(disposition: str) -> str | None:
    """The name in RFC 2231's form, which older clients send for names beyond ASCII; None if there is none."""
    message = Message()
    message["Content-Disposition"] = disposition
    try:
        name = message.get_filename()
    except ValueError:  # the sender chooses the encoding, and may name one that no text can be in
        return ""
    return None if name is None else name.encode("utf-8", errors="replace").decode()


def _name(raw: bytes) -> str:
    # Browsers send UTF-8 and escape quotes in the way of URLs; old programs on Windows send their own code page.
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        name = raw.decode("cp1251", errors="replace")
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def _pieces(events: Iterator[_Event]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, _End):
            return
        if isinstance(event, _Piece):
            yield event.data


def _events(body: Iterable[bytes], boundary: bytes) -> Iterator[_Event]:
    collector = _Collector()
    parser = MultipartParser(boundary, collector.callbacks())  # type: ignore[arg-type]
    try:
        for chunk in body:
            parser.write(chunk)
            yield from collector.take()
        parser.finalize()
    except MultipartParseError as exc:
        raise InvalidRequest("bad_multipart", "Форма с файлом повреждена. Повторите загрузку.") from exc
    if not collector.is_complete:
        raise InvalidRequest("incomplete_upload", "Файл пришёл не целиком: связь прервалась. Загрузите его снова.")


class _Collector:
    """Turns the parser's calls into events."""

    def __init__(self) -> None:
        self.is_complete = False
        self._events: list[_Event] = []
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._field = b""
        self._value = b""

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": lambda: self._events.append(_Begin(dict(self._headers))),
            "on_part_data": lambda data, start, end: self._events.append(_Piece(data[start:end])),
            "on_part_end": lambda: self._events.append(_End()),
            "on_end": self._on_end,
        }

    def take(self) -> list[_Event]:
        events, self._events = self._events, []
        return events

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        # Latin-1 keeps every byte, so that the name's own encoding can be found out later.
        self._headers[self._field.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._field = self._value = b""

    def _count(self, size_bytes: int) -> None:
        self._header_bytes += size_bytes
        if self._header_bytes > HEADERS_MAX_BYTES:
            raise TooLarge("headers_too_large", "Слишком много заголовков в форме.")

    def _on_end(self) -> None:
        self.is_complete = True
