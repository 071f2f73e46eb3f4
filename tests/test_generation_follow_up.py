"""Follow-ups become whole questions; what stands alone stays as it is."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from core.types import Turn
from generation.follow_up import FollowUps, is_faithful, leans_back, whole
from generation.language_model import LanguageModel, ModelServer
from retrieval.stems import stem_text
from tests.scripted_model_server import scripted_model


@dataclass(frozen=True)
class Dialogue:
    """Questions before, the follow-up, and words of which some form must, or must not, be in the whole question."""

    before: tuple[str, ...]
    question: str
    must: str
    must_not: str = ""


LEAVE = "Сколько дней длится ежегодный отпуск?"
TRIP = "Кто подписывает приказ о командировке?"
PASS = "Как получить пропуск на склад?"
DEALS = "Какой срок действия договора аренды?"
DIALOGUES = (
    Dialogue((LEAVE,), "А сколько он оплачивается?", "отпуск оплачивается"),
    Dialogue((LEAVE,), "а для совместителей?", "отпуск длится совместителей"),
    Dialogue((LEAVE,), "Почему?", "отпуск почему длится"),
    Dialogue((LEAVE,), "Как его перенести?", "отпуск перенести"),
    Dialogue((LEAVE,), "А если сотрудник уволился?", "отпуск сотрудник уволился"),
    Dialogue((LEAVE,), "Можно ли его разделить на части?", "отпуск разделить части"),
    Dialogue((LEAVE,), "Подробнее", "отпуск длится"),
    Dialogue((LEAVE,), "А кто его утверждает?", "отпуск утверждает"),
    Dialogue((LEAVE,), "Какие нужны документы?", "отпуск документы"),
    Dialogue((LEAVE,), "А на испытательном сроке?", "отпуск испытательном сроке"),
    Dialogue((TRIP,), "А когда его подписывают?", "приказ командировке подписывают"),
    Dialogue((TRIP,), "Где он хранится?", "приказ командировке хранится"),
    Dialogue((TRIP,), "А о переводе?", "приказ переводе", "командировке"),
    Dialogue((TRIP,), "А в выходные?", "приказ командировке выходные"),
    Dialogue((TRIP,), "Зачем?", "приказ командировке"),
    Dialogue((TRIP,), "Какой у него номер?", "приказ командировке номер"),
    Dialogue((PASS,), "Сколько он действует?", "пропуск действует"),
    Dialogue((PASS,), "А для гостей?", "пропуск гостей"),
    Dialogue((PASS,), "Что делать, если он потерян?", "пропуск потерян"),
    Dialogue((PASS,), "А если я его потерял?", "пропуск потерял"),
    Dialogue((PASS,), "Где его выдают?", "пропуск выдают"),
    Dialogue((DEALS,), "А как его продлить?", "договор аренды продлить"),
    Dialogue((DEALS,), "Кто его подписывает?", "договор аренды подписывает"),
    Dialogue((DEALS,), "А поставки?", "договор поставки"),
    Dialogue((DEALS,), "Как расторгнуть?", "договор аренды расторгнуть"),
    Dialogue(("Что такое квартальная премия?",), "Кому она положена?", "премия положена"),
    Dialogue(("Что такое квартальная премия?",), "А годовая?", "премия годовая"),
    Dialogue(("Что такое квартальная премия?",), "Когда её платят?", "премия платят"),
    Dialogue(("Что такое квартальная премия?",), "Как рассчитывается её размер?", "премия размер рассчитывается"),
    Dialogue(("Где хранятся путевые листы?",), "Как долго они хранятся?", "путевые листы хранятся"),
    Dialogue(("Где хранятся путевые листы?",), "А кто их заполняет?", "путевые листы заполняет"),
    Dialogue(("Где хранятся путевые листы?",), "А накладные?", "накладные хранятся"),
    Dialogue(("Когда выплачивают аванс?",), "А зарплату?", "зарплату выплачивают"),
    Dialogue(("Когда выплачивают аванс?",), "Почему так рано?", "аванс выплачивают рано"),
    Dialogue(("Сколько стоит обучение для сотрудников?",), "А для стажёров?", "обучение стоит стажёров", "сотрудников"),
    Dialogue((LEAVE, "А для совместителей?"), "А если он не использован?", "отпуск использован"),
    Dialogue((LEAVE, "Как его перенести?"), "А когда?", "отпуск перенести"),
    Dialogue((LEAVE, TRIP), "А где он хранится?", "приказ командировке хранится", "отпуск"),
    Dialogue((LEAVE, "Как его перенести?", "А кто это утверждает?"), "В какой срок?", "отпуск срок"),
    Dialogue((PASS, DEALS), "Кто его подписывает?", "договор подписывает", "пропуск"),
    Dialogue((LEAVE,), "Какие документы нужны для приёма на работу?", "документы приёма работу", "отпуск"),
    Dialogue((LEAVE,), "Кто подписывает договор поставки?", "подписывает договор поставки", "отпуск"),
    Dialogue((PASS,), "Как оформить больничный лист сотруднику?", "оформить больничный лист", "пропуск"),
    Dialogue((TRIP,), "А как посчитать среднюю зарплату бухгалтера за год?", "посчитать зарплату", "командировке"),
    Dialogue((DEALS,), "Где находится склад готовой продукции?", "находится склад продукции", "аренды"),
    Dialogue((), "А сколько их?", "сколько их"),
)
SHARE_RIGHT = 0.95


def history_of(questions: tuple[str, ...]) -> tuple[Turn, ...]:
    return tuple(Turn(question, "Так сказано в документе [1].") for question in questions)


def is_right(dialogue: Dialogue) -> bool:
    told = set(stem_text(whole(dialogue.question, history_of(dialogue.before))))
    return set(stem_text(dialogue.must)) <= told and not set(stem_text(dialogue.must_not)) & told


def test_nearly_all_dialogues_are_understood() -> None:
    wrong = [whole(d.question, history_of(d.before)) for d in DIALOGUES if not is_right(d)]
    assert 1 - len(wrong) / len(DIALOGUES) >= SHARE_RIGHT, wrong


@pytest.mark.parametrize("dialogue", [d for d in DIALOGUES if d.must_not and "?" in d.question][-5:-1])
def test_a_question_that_stands_alone_is_left_alone(dialogue: Dialogue) -> None:
    assert whole(dialogue.question, history_of(dialogue.before)) == dialogue.question


@pytest.mark.parametrize(
    "question",
    [
        "Спасибо!",
        "Понятно, благодарю",
        "Добрый день",
        "Хорошо, спасибо большое",
        "Ок",
        "А вы кто?",
        "статья 131",
        "п. 4.2 положения об отпусках",
        "Если работник заболел в отпуске, что ему делать?",
        "Может ли директор отказать и что ему за это будет?",
    ],
)
def test_thanks_places_and_what_names_its_own_subject_are_left_alone(question: str) -> None:
    assert whole(question, history_of((LEAVE,))) == question


def test_after_thanks_the_talk_goes_on_where_it_was() -> None:
    told = whole("А кому его дают раньше?", history_of((LEAVE, "Понятно.", "Спасибо!")))
    assert told == "Кому ежегодный отпуск дают раньше?"


@pytest.mark.parametrize(
    ("before", "question", "expected"),
    [
        ("Какой отпуск дают специалистам?", "А руководителям отделов?", "Какой отпуск дают руководителям отделов?"),
        ("Какие суточные в Санкт-Петербурге?", "А в Минске?", "Какие суточные в Минске?"),
        ("Кто заказывает билеты?", "А если я купил их сам?", "Если я купил билеты сам?"),
        ("Когда утверждают график?", "Что в него вносят?", "Что в график вносят?"),
        ("Сколько платят за проживание?", "А за границей?", "Сколько платят за проживание за границей?"),
        ("Что в статье 131?", "А статья 132?", "Что в статье 131: статья 132?"),
    ],
)
def test_a_follow_up_takes_its_place_in_the_question_before(before: str, question: str, expected: str) -> None:
    assert whole(question, history_of((before,))) == expected


def test_what_was_spoken_of_takes_the_case_of_the_pronoun() -> None:
    assert whole("А кто её платит?", history_of(("Что такое квартальная премия?",))) == "Кто квартальную премию платит?"
    assert whole("А о ней кто знает?", history_of(("Что такое премия?",))) == "О премии кто знает?"


def test_a_whole_question_is_never_longer_than_the_service_accepts() -> None:
    long = "Сколько дней длится отпуск " + "и командировка " * 60
    assert len(whole("А для совместителей?", history_of((long,)))) <= 300


def test_making_a_whole_question_whole_changes_nothing() -> None:
    question = whole("Как его перенести?", history_of((LEAVE,)))
    assert whole(question, history_of((LEAVE,))) == question


@pytest.mark.parametrize(
    ("said", "is_kept"),
    [
        ("Как перенести ежегодный отпуск?", True),
        ("Как оформить ежегодный отпуск?", False),  # lost what was asked
        ("Как перенести ежегодный отпуск пилота?", False),  # nobody spoke of a pilot
        ("Как его перенести?", False),  # as it was
        ("How to move the leave?", False),
        ("Как перенести ежегодный отпуск?\nОтвет: никак.", False),
        ("", False),
    ],
)
def test_a_rewriting_of_the_models_is_kept_only_when_it_is_faithful(said: str, is_kept: bool) -> None:
    assert is_faithful(said, "Как его перенести?", history_of((LEAVE,))) is is_kept


@pytest.mark.parametrize(
    ("style", "says", "expected"),
    [
        ("prose", "Можно ли перенести ежегодный отпуск?", "Можно ли перенести ежегодный отпуск?"),
        ("prose", "Отпуск длится 28 дней.", "Можно ли ежегодный отпуск перенести?"),
        ("quotes", "Можно ли перенести ежегодный отпуск?", "Можно ли ежегодный отпуск перенести?"),
    ],
)
async def test_a_model_that_follows_instructions_is_asked_and_checked(style: str, says: str, expected: str) -> None:
    with scripted_model() as model:
        model.says = says
        server = ModelServer(model.url, "scripted", style, context_tokens=4096, answer_max_tokens=200, timeout_s=5)
        language_model = LanguageModel(server)
        try:
            told = await FollowUps(language_model).whole("Можно ли его перенести?", history_of((LEAVE,)))
        finally:
            await language_model.aclose()
    assert told == expected


async def test_a_model_that_is_down_leaves_it_to_the_rules() -> None:
    server = ModelServer("http://127.0.0.1:9/v1", "none", "prose", context_tokens=4096, answer_max_tokens=200)
    language_model = LanguageModel(server)
    try:
        told = await FollowUps(language_model).whole("Как его перенести?", history_of((LEAVE,)))
    finally:
        await language_model.aclose()
    assert told == "Как ежегодный отпуск перенести?"


@pytest.mark.parametrize("question", ["А сколько их?", "Почему?", "Подробнее", "А в июле?", "Кто его утвердил?"])
def test_what_cannot_stand_alone_leans_back(question: str) -> None:
    assert leans_back(question)
