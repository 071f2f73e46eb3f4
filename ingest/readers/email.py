"""Letters (EML): who wrote what to whom and when, the text, then the attachments, each under its own name."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from email import policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from pathlib import Path

from core.types import Page, ParsedDocument
from ingest.cleaning import clean_line
from ingest.encoding import decode
from ingest.limits import Limits
from ingest.media_type import EML
from ingest.readers import html
from ingest.readers.contract import OnProgress
from ingest.readers.members import Members
from ingest.readers.page_text import PageText

_FIELDS = (("From", "От кого"), ("To", "Кому"), ("Cc", "Копия"), ("Date", "Дата"))


def read(path: Path, limits: Limits, on_progress: OnProgress) -> ParsedDocument:
    """Give the letter as the first page, the attachments' pages after it."""
    with path.open("rb") as file:
        # The old policy never fails on a bad header; the new one does.
        message: Message = BytesParser(policy=policy.compat32).parse(file)
    parts = list(_parts(message))
    body = _body(parts)
    attachments = [part for part in parts if part is not body and _is_attachment(part)]
    members = Members(limits)
    with tempfile.TemporaryDirectory(prefix="letter-") as folder:
        for done, part in enumerate(attachments, 1):
            _add(part, done, Path(folder), members)
            on_progress(done, len(attachments))
    return members.document(EML, [_letter(message, body)])


def _parts(message: Message) -> Iterator[Message]:
    """The leaves of a letter; a letter attached to it is one leaf."""
    if message.get_content_maintype() == "multipart" and message.is_multipart():
        for part in message.get_payload():
            if isinstance(part, Message):
                yield from _parts(part)
    else:
        yield message


def _body(parts: list[Message]) -> Message | None:
    texts = [part for part in parts if part.get_content_disposition() != "attachment"]
    for wanted in ("text/plain", "text/html"):
        for part in texts:
            if part.get_content_type() == wanted and _payload(part).strip():
                return part
    return None


def _is_attachment(part: Message) -> bool:
    """Pictures that only adorn the text are none."""
    is_adornment = part.get_content_maintype() == "image" and part.get_content_disposition() != "attachment"
    return not is_adornment and (part.get_filename() is not None or part.get_content_type() == EML)


def _letter(message: Message, body: Message | None) -> Page:
    text = PageText()
    text.heading(_field(message, "Subject") or "Письмо без темы", 1)
    for name, shown in _FIELDS:
        if value := _date(message) if name == "Date" else _field(message, name):
            text.paragraph(f"{shown}: {value}")
    text.gap()
    if body is not None and body.get_content_type() == "text/html":
        html.lay_out(_payload(body), text, body.get_content_charset())
    elif body is not None:
        text.paragraph(decode(_payload(body), body.get_content_charset()))
    return text.page(None)


def _add(part: Message, number: int, folder: Path, members: Members) -> None:
    name = clean_line(_decoded(part.get_filename() or "")) or f"вложение {number}.eml"
    path = folder / "attachment"
    data = _payload(part)
    members.spend(1, len(data))
    path.write_bytes(data)
    members.add(name, path)


def _payload(part: Message) -> bytes:
    if part.is_multipart():
        inner = part.get_payload()
        return inner[0].as_bytes() if isinstance(inner, list) and isinstance(inner[0], Message) else b""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _field(message: Message, name: str) -> str:
    return clean_line(_decoded(message.get(name, "")))


def _decoded(value: object) -> str:
    """A header as text, whether encoded by the rules or written in raw bytes of cp1251 or KOI8-R."""
    try:
        pieces = decode_header(value)  # type: ignore[arg-type]
    except HeaderParseError:
        return str(value)
    return "".join(_piece(text, charset) for text, charset in pieces)


def _piece(text: bytes | str, charset: str | None) -> str:
    if isinstance(text, bytes):
        return decode(text, charset)
    if text.isascii():
        return text
    try:
        return decode(text.encode("utf-8", errors="surrogateescape"), charset)
    except UnicodeEncodeError:  # half of a pair, which UTF-7 can name
        return text


def _date(message: Message) -> str:
    value = _field(message, "Date")
    try:
        return f"{parsedate_to_datetime(value):%d.%m.%Y %H:%M}"
    except ValueError:
        return value
