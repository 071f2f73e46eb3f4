"""The package under DOCX and PPTX: a ZIP of XML parts tied by relationships (ECMA-376, part 2).

Read directly, because the usual libraries hide footnotes, numbering, text boxes and tracked changes, load every
picture, and refuse a document over a missing part that holds no text.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Self
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from core.errors import UnreadableDocument
from ingest.limits import Limits
from ingest.ole import is_ole
from ingest.readers.zip_directory import open_zip
from ingest.reasons import damaged, password_protected, too_large_inside

_RELATIONSHIPS = "/relationships}"
_PROLOG_BYTES = 64 * 2**10  # entities are declared before the first element


class Package:
    """An open package. Elements and attributes come without namespaces, those of relationships as `r:id`."""

    def __init__(self, path: Path, limits: Limits, kind: str) -> None:
        """Open and check sizes. Raises `UnreadableDocument`; `kind` names the document in the reason."""
        self._kind = kind
        with path.open("rb") as file:
            if is_ole(file.read(8)):  # what is a ZIP today is in an OLE container when a password locks it
                raise password_protected()
        self._zip = open_zip(path, kind)
        self._parts = {info.filename.lstrip("/").lower(): info for info in self._zip.infolist()}
        if sum(info.file_size for info in self._parts.values()) > limits.archive_max_bytes:
            raise too_large_inside(limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def main_part(self, usual: str) -> str:
        """Path of the part that the package is about; `usual` where it does not say."""
        return next(iter(self.related("", "officeDocument")), usual)

    def must_xml(self, part: str) -> Element:
        """Root of a part without which there is no document."""
        root = self.xml(part)
        if root is None:
            raise damaged(self._kind)
        return root

    def xml(self, part: str) -> Element | None:
        """Root of a part, None if there is no such part."""
        info = self._parts.get(part.lower())
        if info is None:
            return None
        try:
            return _without_namespaces(fromstring(self._zip.read(info)))
        except DefusedXmlException as exc:
            raise _forbidden() from exc
        except (ParseError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as exc:
            raise damaged(self._kind) from exc

    def refuse_entities(self) -> None:
        """Raise where a part declares entities, before a library reads it that would only call the file damaged."""
        for info in self._zip.infolist():
            if not info.filename.lower().endswith((".xml", ".rels")):
                continue
            try:
                with self._zip.open(info) as part:
                    prolog = part.read(_PROLOG_BYTES)
            except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as exc:
                raise damaged(self._kind) from exc
            if b"<!ENTITY" in prolog.replace(b"\0", b""):  # UTF-16 has a zero beside every letter
                raise _forbidden()

    def related(self, part: str, kind: str) -> list[str]:
        """Paths of the parts that `part` refers to by relationships whose type ends in `kind`, in order."""
        return [target for _, type_, target in self._relationships(part) if type_.endswith(f"/{kind}")]

    def target(self, part: str, relationship_id: str) -> str:
        """Path of the part that `part` means by `relationship_id`, empty if none."""
        return next((target for id_, _, target in self._relationships(part) if id_ == relationship_id), "")

    def _relationships(self, part: str) -> list[tuple[str, str, str]]:
        folder, name = posixpath.split(part)
        root = self.xml(posixpath.join(folder, "_rels", f"{name}.rels"))
        return [
            (item.get("Id", ""), item.get("Type", ""), _joined(folder, item.get("Target", "")))
            for item in (root if root is not None else ())
            if item.get("TargetMode") != "External"
        ]


def _forbidden() -> UnreadableDocument:
    return UnreadableDocument(
        "forbidden_xml", "В файле есть внешние ссылки XML, которые небезопасно открывать. Сохраните его заново."
    )


def _joined(folder: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")


def _without_namespaces(root: Element) -> Element:
    """Strip namespaces, which differ between the transitional and the strict flavour of the standard."""
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
        if any(name.startswith("{") for name in element.attrib):
            element.attrib = {_attribute(name): value for name, value in element.attrib.items()}
    return root


def _attribute(name: str) -> str:
    namespace, brace, local = name.rpartition("}")
    return f"r:{local}" if (namespace + brace).endswith(_RELATIONSHIPS) else local
