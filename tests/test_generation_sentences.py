"""Sentences of Russian prose, laws and lists keep their place and are not cut at abbreviations."""

from __future__ import annotations

from itertools import pairwise

import pytest

from retrieval.sentences import split_sentences


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in split_sentences(text)]


@pytest.mark.parametrize(
    "sentence",
    [
        "Согласно ст. 5 п. 2 Закона от 27 июля 2006 г. № 152-ФЗ (в ред. 2013 г.) платят 10 тыс. руб. за штуку.",
        "В 2020 г. Совет директоров собрался в г. Москве на ул. Мясницкой, д. 39.",
        "Затем И. И. Иванов и А.С. Пушкин, т. е. оба, пришли к акад. Павлову.",
        "Порядок показан на рис. 2, в табл. 3 и т. д. и т. п., см. также стр. 5.",
        "Иванов И. И., проф. МГУ им. Ломоносова, ушёл.",
        "1.2. Срок подачи заявления составляет пять дней.",
        "Статья 12. Права и обязанности сторон",
        "Приказом Минтруда от 16.01.2023 г. N 11 утверждён перечень.",
    ],
)
def test_one_sentence_stays_one(sentence):
    assert texts(f"{sentence} Дальше другое.") in ([sentence, "Дальше другое."], [f"{sentence} Дальше другое."])
    assert texts(sentence) == [sentence]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Срок — пять дней. Плата — 5 руб. Оплата сразу.", ["Срок — пять дней.", "Плата — 5 руб.", "Оплата сразу."]),
        ("Так и т. д. Затем иначе.", ["Так и т. д.", "Затем иначе."]),
        ("Он ушёл… Куда? «Туда!» Вот как.", ["Он ушёл…", "Куда?", "«Туда!»", "Вот как."]),
        (
            "Общество существует с июля 1950 г. Директор назначен.",
            ["Общество существует с июля 1950 г.", "Директор назначен."],
        ),
        ("Срок равен 3.5 дня. Это всё.", ["Срок равен 3.5 дня.", "Это всё."]),
        ("Срок до 2014 г. [2] Приказ подписан.", ["Срок до 2014 г.", "[2] Приказ подписан."]),
    ],
)
def test_what_ends_ends(text, expected):
    assert texts(text) == expected


def test_a_wrapped_line_does_not_end_a_sentence():
    text = "Настоящий порядок устанавливает\nправила приёма документов\nот граждан. Он обязателен."
    assert texts(text) == ["Настоящий порядок устанавливает\nправила приёма документов\nот граждан.", "Он обязателен."]


def test_items_of_a_list_and_paragraphs_are_sentences_of_their_own():
    text = "Нужны:\nа) паспорт;\nб) справка\n- заявление\n\nПриложение"
    assert texts(text) == ["Нужны:", "а) паспорт;", "б) справка", "- заявление", "Приложение"]


def test_every_sentence_stands_where_it_says_in_real_texts(data):
    text = (data / "documents/dedoc/laws/minsport_24.12.2013_1112.txt").read_bytes().decode("utf-8", "replace")[:20_000]
    sentences = split_sentences(text)
    assert len(sentences) > 50
    assert all(text[s.start : s.end] == s.text and s.text.strip() == s.text for s in sentences)
    gaps = [text[first.end : second.start] for first, second in pairwise(sentences)]
    assert all(not gap.strip() for gap in gaps)
    assert not text[: sentences[0].start].strip()
    assert not text[sentences[-1].end :].strip()


@pytest.mark.parametrize("text", ["", " \n ", ".", "…", "А", "1.", "[1]"])
def test_odd_texts_are_split_without_loss(text):
    assert "".join(texts(text)) == text.strip()
