"""Tells what a file is from its content. A name only settles which of the text kinds a text is."""

from __future__ import annotations

import re
import struct
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from core.errors import UnreadableDocument, UnsupportedType
from ingest import ole
from ingest.encoding import decode

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
DOC = "application/msword"
XLS = "application/vnd.ms-excel"
PPT = "application/vnd.ms-powerpoint"
RTF = "application/rtf"
ZIP = "application/zip"
EML = "message/rfc822"
HTML = "text/html"
MARKDOWN = "text/markdown"
CSV = "text/csv"
TEXT = "text/plain"
PNG, JPEG, TIFF, BMP, GIF, WEBP = "image/png", "image/jpeg", "image/tiff", "image/bmp", "image/gif", "image/webp"

READABLE = (
    "PDF, Word, Excel, PowerPoint, OpenDocument, RTF, HTML, Markdown, CSV, текст, письмо EML, изображение или ZIP"
)

_HEAD_BYTES = 65536
_PDF_WITHIN = 1024
_DIRECTORY_MAX_BYTES = 2**20
_MAGIC = (
    (b"{\\rtf", RTF),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"GIF8", GIF),
)
_REFUSED = (
    (b"7z\xbc\xaf\x27\x1c", "архив 7z"),
    (b"Rar!\x1a\x07", "архив RAR"),
    (b"\x1f\x8b", "архив GZIP"),
    (b"BZh", "архив BZIP2"),
    (b"\xfd7zXZ\x00", "архив XZ"),
    (b"AT&TFORM", "документ DjVu"),
    (b"MZ", "программа"),
    (b"\x7fELF", "программа"),
)
_ZIPPED = (("word/", DOCX), ("xl/", XLSX), ("ppt/", PPTX))
_OLE = (("WordDocument", DOC), ("Workbook", XLS), ("Book", XLS), ("PowerPoint Document", PPT))
_ENCRYPTED = MappingProxyType({".xlsx": XLSX, ".pptx": PPTX})
_SUFFIXES = MappingProxyType(
    {".md": MARKDOWN, ".markdown": MARKDOWN, ".csv": CSV, ".tsv": CSV, ".txt": TEXT, ".text": TEXT, ".log": TEXT}
)
_HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_CONTROLS_MAX = 0.005
# Nothing here goes back to try another way: forty comments would have as many ways as there are sums of forty.
_HTML_START = re.compile(
    r"\s*+(?><\?xml[^>]*+>\s*+)?+(?><!--.*?-->\s*+)*+<(!doctype\s++html|html|head|body|meta|title)\b", re.I | re.S
)
_HTML_TAG = re.compile(r"<(p|div|table|br|h[1-6]|span|a|ul|ol|b|body)\b[^>]*>", re.I)
_MAIL_FIELD = re.compile(
    r"^(from|to|cc|subject|date|message-id|received|return-path|mime-version|content-type|delivered-to|x-[\w-]+):",
    re.I | re.M,
)
_MAIL_FIELDS_MIN = 3
_MARKDOWN_MARK = re.compile(
    r"^(#{1,6}[ \t]+\S|```|[ \t]*[-*+][ \t]+\[[ xX]\]|\|?[ \t]*:?-{3,}:?[ \t]*\|)"
    r"|\[[^\[\]\n]{1,300}\]\([^()\n]{1,2000}\)|\*\*\S[^*\n]*\*\*",
    re.M,
)
_MARKDOWN_MARKS_MIN = 3
_CSV_ROWS = 10


def detect(path: Path, name: str) -> str:
    """Name the media type of the file at `path`, uploaded as `name`; reads at most a few blocks of it.

    Raises `UnsupportedType` when no reader takes it, `UnreadableDocument` when it is empty.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip(b"\x00\t\n\r "):
        raise UnreadableDocument(
            "empty_file", "Файл пуст. Проверьте, что он сохранён полностью, и загрузите его ещё раз."
        )
    return _binary(path, head, PurePosixPath(name.lower()).suffix) or _text(head, name)


def _binary(path: Path, head: bytes, suffix: str) -> str | None:
    if b"%PDF" in head[:_PDF_WITHIN]:
        return PDF
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(path, head)
    if ole.is_ole(head):
        return _ole(path, suffix)
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return BMP
    for magic, kind in _REFUSED:
        if head.startswith(magic) and (magic != b"MZ" or b"\x00" in head):
            raise _unsupported(f"Это {kind}, такие файлы не читаются")
    return None


def _unsupported(what: str) -> UnsupportedType:
    return UnsupportedType("unsupported_type", f"{what}. Сохраните содержимое как {READABLE} и загрузите снова.")


def _zipped(path: Path, head: bytes) -> str:
    """The office formats are archives with known folders; OpenDocument names itself in its first member."""
    mimetype = head[38:120].split(b"PK")[0] if head[30:38] == b"mimetype" else b""
    for media_type in (ODT, ODS, ODP):
        if mimetype.startswith(media_type.encode()):
            return media_type
    names = _member_names(path) or _local_names(head)
    if not any(name.startswith(("_rels/", "[Content_Types]")) for name in names):
        return ZIP
    return next((kind for folder, kind in _ZIPPED if any(name.startswith(folder) for name in names)), ZIP)


def _member_names(path: Path) -> list[str]:
    """Names in the archive's directory, of its first megabyte at most, however many it has."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        tail_start = max(0, size - 66_000)
        file.seek(tail_start)
        tail = file.read()
        end = tail.rfind(b"PK\x05\x06")
        if end < 0 or len(tail) < end + 22:
            return []
        directory_bytes = int(struct.unpack_from("<I", tail, end + 12)[0])
        file.seek(max(0, tail_start + end - directory_bytes))
        directory = file.read(min(directory_bytes, _DIRECTORY_MAX_BYTES))
    return _headers(directory, b"PK\x01\x02", length_at=28, name_at=46)


def _local_names(head: bytes) -> list[str]:
    return _headers(head, b"PK\x03\x04", length_at=26, name_at=30)


def _headers(block: bytes, mark: bytes, *, length_at: int, name_at: int) -> list[str]:
    names, at = [], block.find(mark)
    while 0 <= at <= len(block) - name_at:
        (length,) = struct.unpack_from("<H", block, at + length_at)
        names.append(block[at + name_at : at + name_at + length].decode("utf-8", errors="replace"))
        at = block.find(mark, at + name_at)
    return names


def _ole(path: Path, suffix: str) -> str:
    """The old office formats, and the new ones under a password: those hide what they are, so the name tells."""
    streams = ole.streams(path)
    if "EncryptedPackage" in streams:
        return _ENCRYPTED.get(suffix, DOCX)
    for stream, media_type in _OLE:
        if stream in streams:
            return media_type
    if "__properties_version1.0" in streams:
        raise _unsupported("Это письмо Outlook (MSG), такие файлы не читаются")
    raise _unsupported("Это файл неизвестного формата Office")


def _text(head: bytes, name: str) -> str:
    text = decode(head)
    if len(_CONTROLS.findall(text)) > _CONTROLS_MAX * len(text):
        raise _unsupported("Файл не похож ни на документ, ни на текст")
    suffix = PurePosixPath(name.lower()).suffix
    if _HTML_START.match(text) or (suffix in _HTML_SUFFIXES and _HTML_TAG.search(text)):
        return HTML
    if _looks_like_mail(text):
        return EML
    return _SUFFIXES.get(suffix) or _plain_kind(text)


def _looks_like_mail(text: str) -> bool:
    fields = re.split(r"\r?\n\r?\n", text.lstrip(), maxsplit=1)[0]
    names = {field.lower() for field in _MAIL_FIELD.findall(fields)}
    return bool(_MAIL_FIELD.match(fields)) and len(names) >= _MAIL_FIELDS_MIN


def _plain_kind(text: str) -> str:
    if len(_MARKDOWN_MARK.findall(text)) >= _MARKDOWN_MARKS_MIN:
        return MARKDOWN
    return CSV if _looks_like_csv(text) else TEXT


def _looks_like_csv(text: str) -> bool:
    lines = [line for line in text.splitlines()[:_CSV_ROWS] if line.strip()]
    counts = [{line.count(delimiter) for line in lines} for delimiter in ";\t,"]
    return len(lines) > 2 and any(len(same) == 1 and min(same) >= 2 for same in counts)
