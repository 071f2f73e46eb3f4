"""Forms with files, as browsers and programs send them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.multipart import read_parts
from core.errors import InvalidRequest, TooLarge

CONTENT_TYPE = "multipart/form-data; boundary=BOUND"


def form(*parts: tuple[str, bytes], end: bool = True) -> bytes:
    body = b"".join(
        b"--BOUND\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"
        for head, data in parts
    )
    return body + (b"--BOUND--\r\n" if end else b"")


def read(body: bytes, step: int = 7) -> list[tuple[str, str | None, bytes]]:
    chunks = (body[at : at + step] for at in range(0, len(body), step))
    return [(part.name, part.file_name, b"".join(part.pieces)) for part in read_parts(chunks, CONTENT_TYPE)]


@given(data=st.binary(max_size=300), step=st.integers(1, 400))
def test_bytes_arrive_as_they_were_sent_however_they_are_cut(data: bytes, step: int) -> None:
    assert read(form(('name="file"; filename="a.bin"', data), ('name="collection"', b"hr")), step) == [
        ("file", "a.bin", data),
        ("collection", None, b"hr"),
    ]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ('filename="Положение об  отпусках.pdf"', "Положение об  отпусках.pdf"),
        ("filename*=UTF-8''%D0%9E%D1%82%D1%87%D1%91%D1%82.txt", "Отчёт.txt"),
        ('filename="../../etc/passwd"', "../../etc/passwd"),
        ('filename="%22quoted%22.txt"', '"quoted".txt'),
        ('filename="CON"', "CON"),
        ('filename="name."', "name."),
        ('filename="a\u202etxt.exe"', "a\u202etxt.exe"),
    ],
)
def test_a_file_name_is_kept_as_it_is(head: str, name: str) -> None:
    assert read(form((f'name="file"; {head}', b"x")))[0][1] == name


def test_a_name_in_windows_own_code_page_is_read() -> None:
    body = form(('name="file"; filename="NAME"', b"x")).replace(b"NAME", "Отчёт.txt".encode("cp1251"))
    assert read(body)[0][1] == "Отчёт.txt"


def test_a_part_left_unread_does_not_spoil_the_next() -> None:
    body = form(('name="file"; filename="a"', b"x" * 1000), ('name="collection"', b"hr"))
    assert [part.name for part in read_parts([body], CONTENT_TYPE)] == ["file", "collection"]


def test_half_a_body_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="incomplete_upload"):
        read(form(('name="file"; filename="a"', b"xyz"), end=False))


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data"])
def test_another_kind_of_body_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidRequest, match="not_multipart"):
        list(read_parts([b"{}"], content_type))


def test_nonsense_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"bad_multipart|incomplete"):
        read(b"--BOUNDnonsense\r\n\r\n")


def test_a_plain_field_of_megabytes_is_refused() -> None:
    body = form(('name="collection"', b"x" * 10_000))
    with pytest.raises(TooLarge):
        [part.text() for part in read_parts([body], CONTENT_TYPE)]
