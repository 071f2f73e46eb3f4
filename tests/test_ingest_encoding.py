import random
import re

import pytest

from ingest.encoding import decode, decode_name, detect

SENTENCES = (
    "Работник обязан предупредить работодателя за две недели.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Отпуск предоставляется ежегодно.",
    "имя;фамилия;возраст\r\nИванов;Иван;31\r\n",
    "Договор № 7 от 12.03.2021 с ООО «Ромашка»",
    "Уважаемый Пётр Ильич! Направляем Вам счёт.",
)
CODECS = ("cp1251", "koi8-r", "cp866", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("text", SENTENCES)
def test_one_sentence_is_enough(text, codec):
    text = text.translate({ord("«"): '"', ord("»"): '"', ord("№"): "N"}) if codec in ("koi8-r", "cp866") else text
    assert decode(text.encode(codec)) == text


@pytest.mark.parametrize("codec", ["cp1251", "koi8-r", "cp866"])
def test_a_text_in_capitals_is_read(codec):
    text = "ПРАВИЛА ВНУТРЕННЕГО ТРУДОВОГО РАСПОРЯДКА ОРГАНИЗАЦИИ"
    assert decode(text.encode(codec)) == text


@pytest.mark.parametrize("codec", ["cp1251", "koi8-r", "cp866", "mac-cyrillic"])
def test_998_of_1000_lines_of_a_law_are_read_alone(data, codec):
    law = (data / "documents/law/gpk_rf.cp1251.txt").read_text(encoding="cp1251")
    lines = [line for line in law.splitlines() if len(re.findall("[а-яё]", line)) >= 30]
    sample = [line.replace("№", "N").replace("–", "-") for line in random.Random(7).sample(lines, 1000)]
    encodable = [line for line in sample if line.encode(codec, errors="ignore").decode(codec) == line]
    wrong = [line for line in encodable if decode(line.encode(codec)) != line]
    assert len(encodable) > 900
    assert len(wrong) <= len(encodable) * 0.002, wrong[:3]


def test_a_cut_letter_at_the_end_of_a_block_is_no_error():
    assert detect("договор".encode()[:-1]) == "utf-8"


def test_a_broken_byte_does_not_make_a_long_utf8_text_something_else():
    data = ("Положение об оплате труда. " * 20).encode()
    assert decode(data + b"\xff" + data).count("Положение") == 40


def test_german_is_not_taken_for_russian():
    assert decode("Größe und Höhe, Über die Straße".encode("cp1252")) == "Größe und Höhe, Über die Straße"


def test_what_a_page_says_of_itself_is_believed_unless_it_is_utf8():
    assert decode("Привет".encode("koi8-r"), "koi8-r") == "Привет"
    assert decode("Привет".encode(), "windows-1251") == "Привет"
    assert decode("Привет".encode("cp1251"), "no-such-codec") == "Привет"


@pytest.mark.parametrize("codec", ["cp866", "cp1251", "utf-8"])
def test_names_in_archives_are_read(codec):
    assert decode_name("Отчёт за май.docx".encode(codec)) == "Отчёт за май.docx"
