"""Questions drawn from the wording of real documents are grammatical and answered word for word by them."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from ingest.encoding import decode
from training.material import Material, Question, checked
from training.mining import mined

ANSWER_MAX_CHARS = 300


def _mined(text: str) -> tuple[Question, ...]:
    return mined(Material("m", "d", "t", text, ()))


def _asked(text: str) -> list[str]:
    return [question.text for question in _mined(text)]


@pytest.fixture(scope="module")
def leave(examples: Path) -> tuple[Question, ...]:
    return _mined((examples / "source" / "otpuska.txt").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def handbook(data: Path) -> dict[str, str]:
    with tarfile.open(data / "kb" / "yandex_cloud_ru.tar.xz") as archive:
        files = [member for member in archive.getmembers() if member.name.endswith(".md")][:700]
        return {one.name: content.read().decode("utf-8") for one in files if (content := archive.extractfile(one))}


def test_every_numbered_point_of_a_regulation_is_asked_about_once(leave: tuple[Question, ...]) -> None:
    points = [question.text for question in leave if question.text.startswith("Что говорится в пункте")]
    assert len(points) == len(set(points)) == 27
    assert (
        Question("Что говорится в пункте 4.4?", ("Не допускается непредоставление отпуска два года подряд.",)) in leave
    )


def test_a_point_ends_with_its_sentence_and_not_at_an_initial(leave: tuple[Question, ...]) -> None:
    [signed] = [question for question in leave if question.text == "Что говорится в пункте 7.2?"]
    assert signed.answers[0].endswith("начальника отдела кадров Лебедевой А. С.")


def test_a_deadline_is_asked_about_and_a_length_is_not_taken_for_one(leave: tuple[Question, ...]) -> None:
    deadlines = [question for question in leave if question.text.startswith("До какого срока")]
    asked = "До какого срока утверждается график отпусков на следующий год?"
    assert deadlines == [Question(asked, ("не позднее 17 декабря",))]
    assert _asked("Пенсионеру предоставляется до 14 календарных дней в году.") == []
    assert _asked("Отчёт сдаётся до 20 ноября.") == ["До какого срока сдаётся отчёт?"]


def test_every_answer_stands_in_its_text_and_is_short(data: Path, examples: Path, handbook: dict[str, str]) -> None:
    code = decode((data / "documents/law/gpk_rf.cp1251.txt").read_bytes())
    texts = [*handbook.values(), code, *(path.read_text() for path in sorted((examples / "source").iterdir()))]
    materials = [Material("m", "d", "t", text, _mined(text)) for text in texts]
    assert all(checked(material) for material in materials)
    questions = [question for material in materials for question in material.questions]
    assert len(questions) > 60
    assert all(len(question.answers[0]) <= ANSWER_MAX_CHARS for question in questions)
    assert all(question.text.endswith("?") and "**" not in question.text for question in questions)


def test_definitions_in_a_handbook_ask_about_things(handbook: dict[str, str]) -> None:
    asked = {text for content in handbook.values() for text in _asked(content) if text.startswith("Что такое")}
    assert {"Что такое пагинация?", "Что такое идемпотентная операция?"} <= asked
    assert not [text for text in asked if text.startswith(("Что такое если", "Что такое другими", "Что такое мы"))]


@pytest.mark.parametrize(
    "said",
    [
        "Если исходный метод — это стандартный метод Create, поле содержит целевой ресурс.",
        "Другими словами — это граница, после которой доступ закрыт.",
        "Большая часть таких школ — это профессиональные училища.",
        "Мы рекомендуем хранить все чеки — это поможет разобраться.",
        "Им стоит 5 рублей.",
    ],
)
def test_a_clause_is_no_name(said: str) -> None:
    assert _mined(said) == ()


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("DECnet — это набор сетевых протоколов.", "Что такое DECnet?"),
        ("Волжская ГЭС — это крупнейшая станция.", "Что такое Волжская ГЭС?"),
        ("Срок хранения составляет 5 лет.", "Сколько составляет срок хранения?"),
        ("Курсы длятся около 3 месяцев.", "Сколько длятся курсы?"),
    ],
)
def test_a_name_is_written_as_within_a_sentence(said: str, asked: str) -> None:
    assert _asked(said) == [asked]


def test_a_heading_that_asks_is_answered_by_the_first_sentence_below_it() -> None:
    text = "## Как сменить пароль?\n\nОткройте настройки. Нажмите «Сменить»."
    assert _mined(text) == (Question("Как сменить пароль?", ("Откройте настройки.",)),)
    assert _mined("## Как сменить пароль?\n\n") == ()
