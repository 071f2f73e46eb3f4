"""Make the example documents from `examples/source`: a DOCX by python-docx and a PDF by LibreOffice.

A source has one paragraph a line: `#` and `##` are headings, `|` rows form a table, `>>>` starts a page,
`%` is a remark.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import docx
from docx.document import Document
from docx.enum.text import WD_BREAK

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PDF_TIMEOUT_S = 120


def main() -> None:
    """Write both documents under their Russian names."""
    _build("komandirovki").save(str(EXAMPLES / "Инструкция по командировкам.docx"))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "Положение об отпусках.docx"
        _build("otpuska").save(str(made))
        _convert_to_pdf(made, Path(folder))
        made.with_suffix(".pdf").replace(EXAMPLES / "Положение об отпусках.pdf")


def _build(source: str) -> Document:
    document = docx.Document()
    document.styles["Normal"].font.name = "DejaVu Sans"
    for is_row, lines in groupby(_lines(source), key=lambda line: line.startswith("|")):
        if is_row:
            _add_table(document, [[cell.strip() for cell in line.strip("|").split("|")] for line in lines])
        else:
            for line in lines:
                _add_line(document, line)
    return document


def _lines(source: str) -> Iterator[str]:
    text = (EXAMPLES / "source" / f"{source}.txt").read_text(encoding="utf-8")
    return (line for line in text.splitlines() if line and not line.startswith("%"))


def _add_line(document: Document, line: str) -> None:
    marks, _, title = line.partition(" ")
    if line == ">>>":
        document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)
    elif marks in {"#", "##"}:
        document.add_heading(title, level=len(marks))
    else:
        document.add_paragraph(line)


def _add_table(document: Document, rows: list[list[str]]) -> None:
    table = document.add_table(rows=0, cols=len(rows[0]), style="Table Grid")
    for row in rows:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text


def _convert_to_pdf(source: Path, folder: Path) -> None:
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=PDF_TIMEOUT_S)


if __name__ == "__main__":
    main()
