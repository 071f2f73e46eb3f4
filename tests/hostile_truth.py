"""Which ends are true of a file that others collected, as another library bears them out."""

from __future__ import annotations

import zipfile
from pathlib import Path

import docx
from docx.oxml.ns import qn
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from tests.hostile_case import PARTIAL, READY


def true_ends(path: Path) -> frozenset[str] | None:
    """`ready`, `partial` and codes of reasons; None for a type that nothing here can judge."""
    if path.suffix == ".pdf":
        return _ends_of_pdf(pypdf_says(path))
    if path.suffix == ".docx":
        return frozenset({_end_of_word(path)})
    return frozenset({READY}) if path.suffix in (".txt", ".md") else None


def pypdf_says(path: Path) -> tuple[str, ...]:
    """Reasons that another reader bears out, where a file gives us no text."""
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            return ("encrypted",)
        if not reader.pages:
            return ("no_pages", "damaged")
        return () if any(page.extract_text().strip() for page in reader.pages) else ("no_text",)
    except PyPdfError:
        return ("damaged", "no_text")  # a page without a table of references is blank to us, broken to it


def _ends_of_pdf(reasons: tuple[str, ...]) -> frozenset[str]:
    """What is locked cannot be read; else a page without a layer may be a picture of text."""
    return frozenset(reasons) if reasons == ("encrypted",) else frozenset({READY, PARTIAL, *reasons})


def _end_of_word(path: Path) -> str:
    try:
        body = docx.Document(str(path)).element.body
    except (KeyError, ValueError, zipfile.BadZipFile):
        return "damaged"
    return READY if any((text.text or "").strip() for text in body.iter(qn("w:t"))) else "no_text"
