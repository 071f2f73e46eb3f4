import io
import zipfile
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from core.errors import UnreadableDocument
from core.types import ParsedDocument
from ingest.limits import Limits
from ingest.readers import read


@pytest.fixture
def parse(tmp_path):
    def of(data: bytes, name: str = "a.zip", limits: Limits | None = None) -> ParsedDocument:
        path = tmp_path / "upload"
        path.write_bytes(data)
        return read(path, name, limits or Limits(), lambda _done, _total: None)

    return of


def zipped(members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def titles(document: ParsedDocument) -> list[str]:
    for page in document.pages:
        assert page.text.startswith(page.headings[0].title)
    return [page.headings[0].title for page in document.pages]


def code_of(parse, *args) -> str:
    with pytest.raises(UnreadableDocument) as raised:
        parse(*args)
    return raised.value.code


def test_every_member_is_read_under_its_name_and_pages_are_numbered(parse):
    document = parse(zipped([("папка/приказ.md", "# Отпуск\n\nтекст"), ("цены.csv", "а;б\n1;2\n")]))
    assert titles(document) == ["папка/приказ.md", "цены.csv"]
    assert [page.number for page in document.pages] == [1, 2]
    first, second = document.pages
    assert [(heading.level, heading.title) for heading in first.headings] == [(1, "папка/приказ.md"), (2, "Отпуск")]
    assert first.text[first.headings[1].start :] == "Отпуск\n\nтекст"
    assert second.text[second.tables[0].start : second.tables[0].end] == "а | б\n1 | 2"
    assert document.problem is None


@pytest.mark.parametrize("name", ["a.zip", "a.docx"])
def test_an_archive_that_lost_bytes_before_its_directory_is_damaged_and_not_called_odd(parse, name):
    members = {"a.zip": "приказ.txt", "a.docx": "word/document.xml"}
    whole = zipped([(members[name], "Приказ об отпуске")])
    assert code_of(parse, whole[:4] + whole[14:], name) == "damaged"


def test_a_bad_member_loses_nothing_of_the_others_and_is_named(parse):
    document = parse(zipped([("a.txt", "Приказ"), ("b.rar", b"Rar!\x1a\x07\x01"), ("c.txt", b"")]))
    assert titles(document) == ["a.txt"]
    assert document.problem is not None
    assert document.problem.code == "archive_members_unread"
    assert "«b.rar» — Это архив RAR" in document.problem.detail
    assert "«c.txt» — Файл пуст" in document.problem.detail


@pytest.mark.parametrize("codec", ["cp866", "cp1251"])
def test_names_from_windows_are_read(parse, codec):
    raw = "Отчёт за март.txt".encode(codec)
    data = zipped([("X" * len(raw), "текст")]).replace(b"X" * len(raw), raw)
    assert titles(parse(data)) == ["Отчёт за март.txt"]


def test_a_name_that_climbs_out_is_only_a_label(parse, tmp_path):
    document = parse(zipped([("../../../climbed.txt", "текст"), ("/etc/b.txt", "текст")]))
    assert titles(document) == ["../../../climbed.txt", "etc/b.txt"]
    assert not list(tmp_path.parent.rglob("climbed.txt"))


def test_sizes_are_added_up_before_anything_is_unpacked(parse):
    bomb = zipped([(f"{number}.txt", b"a" * 400_000) for number in range(4)])
    assert len(bomb) < 10_000
    assert code_of(parse, bomb, "a.zip", Limits(archive_max_bytes=10**6)) == "too_large_unpacked"


def test_an_archive_in_an_archive_counts_with_its_own_size(parse):
    inner = zipped([("b.txt", b"a" * 800_000)])
    both = zipped([("a.zip", inner), ("b.zip", inner)])
    document = parse(both, "a.zip", Limits(archive_max_bytes=10**6))
    assert titles(document) == ["a.zip"]
    assert document.problem is not None
    assert "«b.zip» — В распакованном виде" in document.problem.detail


def test_the_number_of_files_is_limited(parse):
    many = zipped([(f"{number}.txt", "а") for number in range(11)])
    assert code_of(parse, many, "a.zip", Limits(archive_max_files=10)) == "too_many_files"


def test_an_archive_in_an_archive_is_read_and_a_third_is_not(parse):
    third = zipped([("глубоко.txt", "дно")])
    second = zipped([("рядом.txt", "текст"), ("третий.zip", third)])
    document = parse(zipped([("второй.zip", second)]))
    assert titles(document) == ["второй.zip"]
    assert "рядом.txt" in document.pages[0].text
    assert document.problem is not None
    assert "третий.zip" in document.problem.detail


def test_an_archive_that_claims_less_than_it_holds_gives_no_more(parse):
    honest = zipped([("a.txt", b"b" * 100_000), ("c.txt", "цел")])
    lying = honest.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    document = parse(lying)
    assert titles(document) == ["c.txt"]
    assert "повреждён" in document.problem.detail


def test_a_cut_archive_and_an_empty_one_are_reasons(parse):
    whole = zipped([("a.txt", "текст " * 100)])
    assert code_of(parse, whole[: len(whole) // 2]) == "damaged"
    assert code_of(parse, zipped([])) == "empty_archive"
    assert code_of(parse, zipped([("a.exe", b"MZ\x00\x01\x02")])) == "archive_without_text"


def test_an_encrypted_archive_says_password(parse):
    data = bytearray(zipped([("a.txt", "текст")]))
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    assert code_of(parse, bytes(data)) == "encrypted"


def letter(html: str | None = None) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = "Счёт на оплату"
    message["From"] = "Пётр Иванов <p@example.ru>"
    message["To"] = "buh@example.ru"
    message["Date"] = "Mon, 25 Mar 2024 10:20:00 +0300"
    message.set_content("Добрый день!\n\nСчёт во вложении.", charset="koi8-r", cte="base64")
    if html:
        message.add_alternative(html, subtype="html")
    return message


def test_a_letter_gives_who_when_what_and_its_attachments(parse):
    message = letter()
    message.add_attachment(b"\xf1\xf7\xb8\xf2 7", maintype="text", subtype="plain", filename="Счёт №7.txt")
    document = parse(bytes(message), "письмо.eml")
    first, second = document.pages
    assert first.text == (
        "Счёт на оплату\nОт кого: Пётр Иванов <p@example.ru>\nКому: buh@example.ru\nДата: 25.03.2024 10:20\n\n"
        "Добрый день!\n\nСчёт во вложении."
    )
    assert second.text == "Счёт №7.txt\n\nсчёт 7"
    assert [page.number for page in document.pages] == [1, 2]


def test_a_letter_of_html_alone_is_laid_out(parse):
    message = EmailMessage(policy=SMTP)
    message["Subject"], message["From"], message["To"] = "Тема", "a@b.ru", "c@d.ru"
    message.set_content("<table><tr><th>А<th>Б</tr><tr><td>1<td>2</tr></table>", subtype="html")
    (page,) = parse(bytes(message), "a.eml").pages
    assert page.text[page.tables[0].start : page.tables[0].end] == "А | Б\n1 | 2"
    assert page.number is None


def test_headers_in_raw_bytes_of_old_programs_are_read(parse):
    raw = "From: Иванов <a@b.ru>\r\nTo: c@d.ru\r\nSubject: Приказ об отпусках\r\n\r\nТекст приказа".encode("cp1251")
    (page,) = parse(raw, "a.eml").pages
    assert page.text.startswith("Приказ об отпусках\nОт кого: Иванов <a@b.ru>")
    assert page.text.endswith("Текст приказа")


def test_a_letter_in_a_letter_is_read(parse):
    outer = letter()
    outer.add_attachment(letter())
    document = parse(bytes(outer), "a.eml")
    assert len(document.pages) == 2
    assert document.pages[1].text.count("Счёт на оплату") == 1


def test_a_bad_attachment_leaves_the_letter(parse):
    message = letter()
    message.add_attachment(b"Rar!\x1a\x07\x01", maintype="application", subtype="rar", filename="a.rar")
    document = parse(bytes(message), "a.eml")
    assert len(document.pages) == 1
    assert document.problem.code == "archive_members_unread"


def test_a_members_name_stands_in_the_reason_shortened_and_without_signs_that_turn_it_round(parse):
    names = ["я" * 30_000 + ".exe", "\x1b[31m\u202egpj.exe"]
    problem = parse(zipped([("note.txt", "Текст приказа"), *((name, b"MZ\0") for name in names)])).problem
    assert len(problem.detail) < 1000
    assert "…" in problem.detail
    assert ".exe» — Это программа" in problem.detail
    assert not {"\x1b", "\u202e"} & set(problem.detail)


def test_an_attachment_whose_name_is_half_a_pair_loses_nothing_of_the_letter(parse):
    head = "From: a@b.ru\r\nTo: c@d.ru\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    body = "--b\r\nContent-Type: text/plain\r\n\r\nВстреча во вторник\r\n"
    attached = "--b\r\nContent-Disposition: attachment; filename*=utf-7''%2B2AA-a.txt\r\n\r\nПовестка\r\n--b--\r\n"
    document = parse((head + body + attached).encode(), "a.eml")
    assert titles(document) == ["x", "a.txt"]
