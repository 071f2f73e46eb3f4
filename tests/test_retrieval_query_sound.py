"""Words in both alphabets that sound alike are the same word, and others are not."""

from __future__ import annotations

import pytest

from retrieval.query.sound import in_russian_letters, sound_of, spellings


@pytest.mark.parametrize(
    ("russian", "latin"),
    [
        ("Юлия", ("Yuliya", "Julia", "Iuliia", "julija")),
        ("Щукин", ("Shchukin", "Schukin")),
        ("Хабаров", ("Khabarov", "Habarov")),
        ("больничный", ("bolnichnyj", "bol'nichnyy", "bolnichnyi", "bolnichniy")),
        ("заявление", ("zayavlenie", "zayavleniye", "zajavlenije")),
        ("счёт", ("schet", "schyot")),
        ("возвращается", ("vozvrashchaetsya", "vozvraschaetsja")),
        ("постгрескл", ("PostgreSQL",)),
        ("линукс", ("Linux",)),
        ("докер", ("Docker",)),
    ],
)
def test_every_way_to_spell_a_word_sounds_the_same(russian: str, latin: tuple[str, ...]) -> None:
    assert {sound_of(spelled) for spelled in latin} == {sound_of(russian)}


@pytest.mark.parametrize(("one", "other"), [("отпуск", "отпуска"), ("мать", "мачта"), ("суд", "зуд"), ("жар", "шар")])
def test_other_words_sound_otherwise(one: str, other: str) -> None:
    assert sound_of(one) != sound_of(other)


@pytest.mark.parametrize(
    ("latin", "russian"),
    [
        ("otpusk", "отпуск"),
        ("ezhegodnyy", "ежегодный"),
        ("Khabarovskiy", "хабаровский"),
        ("kakoi", "какой"),
        ("fajl", "файл"),
        ("vosstanovit'", "восстановить"),
        ("nazyvaetsya", "называется"),
    ],
)
def test_a_latin_word_is_spelt_as_russians_would(latin: str, russian: str) -> None:
    assert in_russian_letters(latin) == russian


def test_letters_that_latin_leaves_out_are_tried() -> None:
    assert "сделать" in spellings("sdelat")
    assert "советский" in spellings("sovetskiy")
    assert "вернуться" in spellings("vernutsya")
