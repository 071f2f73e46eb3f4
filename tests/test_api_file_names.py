"""A file name is data: it is kept byte for byte or refused in words, and never becomes a path or a header."""

from __future__ import annotations

import hashlib
import re
from email.message import Message
from pathlib import Path
from urllib.parse import quote

import pytest

from cli.console import table
from core.types import Role
from tests.small_service import small_service

NAMES = (
    "../a.txt",
    "../../../../etc/passwd",
    "..\\..\\a.txt",
    "/etc/passwd",
    "//host/share",
    "C:\\Windows\\a.txt",
    "C:a.txt",
    "\\\\host\\c$\\a",
    ".",
    "..",
    "...",
    "....//a",
    "./a.txt",
    "a/../b.txt",
    "a/b.txt",
    "~/a.txt",
    "~root",
    "CON",
    "con.txt",
    "NUL.txt",
    "aux.pdf",
    "COM1",
    "LPT1.docx",
    "a.txt.",
    "a.txt ",
    " a.txt",
    "a\x00.txt",
    "a\x01.txt",
    "a\x07.txt",
    "a\x1b[31m.txt",
    "a\x1b]0;x\x07.txt",
    "a\x7f.txt",
    "a\x85.txt",
    "a\u2028b.txt",
    "a\tb.txt",
    "\u202etxt.exe",
    "\u2066a\u2069.txt",
    "\u200fa.txt",
    "a\u200bb.txt",
    "\ufeffa.txt",
    "й.txt",
    "й.txt",
    "ё.txt",
    "ё.txt",
    "сору.txt",
    "👩‍👩‍👧.txt",
    "я" * 127,
    "a" * 255,
    "a" * 254 + ".",
    "a" * 256,
    "a" * 300,
    "я" * 255,
    "%2e%2e%2fa",
    "%00.txt",
    "%252e%252e",
    "a;b.txt",
    "a'b.txt",
    "a=b.txt",
    "a,b.txt",
    "<script>alert(1)</script>.html",
    "<img src=x onerror=a()>",
    "'; DROP TABLE documents;--",
    "1' OR '1'='1",
    "${jndi:ldap://x/a}",
    "{{7*7}}",
    "$(id)",
    "`id`",
    "a|id",
    "-rf",
    "--help",
    "*",
    "?.txt",
    "[a-z].txt",
    "https://example.ru/a",
    "file:///etc/passwd",
    "data:text/html,a",
    "a." + "x" * 200,
    "a.pdf.exe",
    "имя",
    ".htaccess",
    "__proto__",
    "constructor",
    "a.txt:stream",
    "desktop.ini",
    "A.txt",
    "a.TXT",
    "&amp;.txt",
    "=cmd|' /C calc'!A0",
    "Приказ № 5 «Об отпуске».txt",
)
HEADERS = (
    b"filename*=unicode_escape''%5Cud800.txt",
    b"filename*=raw_unicode_escape''%5Cudfff",
    b"filename*=UTF-8''%ED%A0%80.txt",
    b"filename*=no-such''a",
    b"filename*=utf-8''%00.txt",
    b"filename*=%00''a",
    b"filename*=hex''aa",
    b"filename*=idna''%ff",
    b"filename*=utf-16''a",
    b"filename*=",
    b"filename*=''",
    b"filename*0*=UTF-8''a; filename*2=b",
    b'filename="\xed\xa0\x80.txt"',
    b'filename="\xff\xfe.txt"',
    b'filename=""',
    b'filename="   "',
    b'filename="a%0D%0AX: y"',
)


def _posted(client, disposition: bytes, content: bytes):
    head = b'--XX\r\nContent-Disposition: form-data; name="file"; ' + disposition
    body = head + b"\r\n\r\n" + content + b"\r\n--XX--\r\n"
    return client.post("/v1/documents", content=body, headers={"Content-Type": "multipart/form-data; boundary=XX"})


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with small_service(tmp_path_factory.mktemp("names") / "data") as running:
        yield running


def _decoded(header: str) -> str:
    message = Message()
    message["Content-Disposition"] = header
    return message.get_filename() or ""


def _kept(client, document: dict[str, str], content: bytes) -> None:
    shown = client.get(f"/v1/documents/{document['id']}").json()
    back = client.get(f"/v1/documents/{document['id']}/content")
    assert shown["name"] == document["name"]
    assert back.content == content
    assert back.headers["x-content-type-options"] == "nosniff"
    assert "x" not in back.headers
    assert _decoded(back.headers["content-disposition"]) == document["name"]


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file() and not path.name.startswith("base.db")}


def _is_russian(answer) -> bool:
    return answer.status_code in {400, 413, 422} and bool(re.search("[а-яё]", answer.json()["detail"]))


def test_a_name_is_kept_as_it_came_or_refused_and_names_no_path(service, tmp_path_factory):
    client = service.client(service.key("names", role=Role.ADMINISTRATOR))
    data = next(tmp_path_factory.getbasetemp().glob("names*")) / "data"
    before, stored = _files(data.parent), set()
    for number, name in enumerate(NAMES):
        content = f"names {number}".encode()
        answer = _posted(client, b"filename*=UTF-8''" + quote(name, safe="").encode(), content)
        if not answer.is_success:
            assert _is_russian(answer), (name, answer.text)
            continue
        document = answer.json()[0]
        assert document["name"] == name.strip(), ascii(name)
        _kept(client, document, content)
        stored.add(hashlib.sha256(content).hexdigest())
    assert len(NAMES) >= 80
    assert len(stored) >= 70
    assert _files(data.parent) - before == stored


@pytest.mark.parametrize("disposition", HEADERS, ids=ascii)
def test_an_odd_header_is_kept_or_refused(service, disposition):
    client = service.client(service.key("headers", role=Role.ADMINISTRATOR))
    answer = _posted(client, disposition, disposition)
    if answer.is_success:
        _kept(client, answer.json()[0], disposition)
    else:
        assert _is_russian(answer), answer.text


def test_a_table_in_the_terminal_shows_controls_as_text(capsys):
    table(["имя"], [["a\x1b[31m\u202etxt\r\n\u2028\ud800й"]])
    assert capsys.readouterr().out == "имя\na\\x1b[31m\\u202etxt\\r\\n\\u2028\\ud800й\n"
