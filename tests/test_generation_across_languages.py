"""A Russian answer from an English document: facts are checked across languages, and the model is held to Russian."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from core.types import Answer, Interpretation, Passage, Principal
from generation.chain import Answerer, AnswerRequest
from generation.language_model import LanguageModel, ModelServer
from generation.nearness import EncoderNearness
from generation.prompt import IN_RUSSIAN
from generation.support import Evidence
from generation.writer import make_writer
from tests.embedded_encoder import embedded_encoder
from tests.scripted_model_server import ScriptedModel, scripted_model

pytestmark = pytest.mark.real_model

TOLD = (
    (
        "The Microsoft Exchange server is restarted every Sunday at 3:30 by John Smith.",
        "Сервер Microsoft Exchange перезапускает Джон Смит каждое воскресенье в 3:30.",
    ),
    (
        "The warranty covers 12,500 hours of operation and expires on March 5, 2027.",
        "Гарантия покрывает 12 500 часов работы и истекает 5 марта 2027 года.",
    ),
    (
        "The total budget is 1.5 million dollars for the Berlin office.",
        "Общий бюджет берлинского офиса — 1,5 млн долларов.",
    ),
    (
        "The total budget is 1.5 million dollars for the Berlin office.",
        "Общий бюджет офиса в Берлине составляет полтора миллиона долларов.",
    ),
    ("Peter Johnson approves all invoices above $2,000.", "Питер Джонсон утверждает все счета свыше 2000 долларов."),
    (
        "The device must be serviced twice a year by a certified engineer.",
        "Устройство должен обслуживать сертифицированный инженер два раза в год.",
    ),
    (
        "Employees are entitled to twenty-five days of paid leave per year.",
        "Сотрудникам положено 25 дней оплачиваемого отпуска в год.",
    ),
    ("Contact the Springfield office at extension 417.", "Обращайтесь в офис в Спрингфилде по добавочному номеру 417."),
    (
        "The device weighs 3.5 kg and operates at up to 40 °C.",
        "Устройство весит 3,5 кг и работает при температуре до 40 °C.",
    ),
    (
        "Michael O'Connor signed contract AB-1234 on 12 July 2025.",
        "Майкл О'Коннор подписал договор AB-1234 12 июля 2025 года.",
    ),
    ("The first quarter revenue grew by 15 percent.", "Выручка за первый квартал выросла на 15 %."),
    ("Office hours are from 9 a.m. to 6 p.m.", "Офис работает с 9 утра до 6 вечера."),
    ("Office hours are from 9 a.m. to 6 p.m.", "Офис работает с 9:00 до 18:00."),
    ("Catherine White is the head of compliance.", "Кэтрин Уайт возглавляет службу комплаенса."),
    (
        "The United Nations adopted the resolution in 1998.",
        "Организация Объединённых Наций приняла резолюцию в 1998 году.",
    ),
    ("Germany and France signed the agreement in London.", "Германия и Франция подписали соглашение в Лондоне."),
    ("The policy was issued by the European Commission.", "Политику издала Европейская комиссия."),
    (
        "Visa and Mastercard payments are refunded within ten days.",
        "Платежи по картам Visa и Mastercard возвращают в течение десяти дней.",
    ),
    ("The server is located in New York.", "Сервер находится в Нью-Йорке."),
    ("William Shakespeare wrote the play in 1603.", "Уильям Шекспир написал эту пьесу в 1603 году."),
    ("Charles Dickens lived at Doughty Street.", "Чарльз Диккенс жил на Даути-стрит."),
    ("The GDPR requires notification within 72 hours.", "GDPR требует уведомить в течение 72 часов."),
)
NOT_TOLD = (
    ("The GDPR requires notification within 72 hours.", "GDPR требует уведомить в течение 24 часов."),
    ("Peter Johnson approves all invoices above $2,000.", "Марк Томпсон утверждает все счета свыше 2000 долларов."),
    ("The server is located in New York.", "Сервер находится в Токио."),
    ("Germany and France signed the agreement in London.", "Германия и Италия подписали соглашение в Лондоне."),
    ("The policy was issued by the European Commission.", "Политика не была издана Европейской комиссией."),
    (
        "The device must be serviced twice a year by a certified engineer.",
        "Устройство должен обслуживать сертифицированный инженер пять раз в год.",
    ),
)


def passage(text: str) -> Passage:
    return Passage(1, "a", "Policy.pdf", 1, None, text, 0, len(text))


@pytest.mark.parametrize(("text", "claim"), TOLD)
def test_translated_names_numbers_and_hours_are_not_taken_for_inventions(encoder, text, claim):
    assert Evidence([passage(text)], EncoderNearness(encoder)).check(claim, [1]).reason is None


@pytest.mark.parametrize(("text", "claim"), NOT_TOLD)
def test_what_the_english_text_does_not_say_is_dropped(encoder, text, claim):
    assert Evidence([passage(text)], EncoderNearness(encoder)).check(claim, [1]).reason is not None


@dataclass(frozen=True)
class Found:
    passages: tuple[Passage, ...]
    interpretation: Interpretation


async def answer_to(model: ScriptedModel, text: str) -> Answer:
    server = ModelServer(model.url, "scripted", "prose", context_tokens=4096, answer_max_tokens=200, timeout_s=5)
    language_model = LanguageModel(server)

    def search(query: str, *, principal: Principal, collection: str | None, top_k: int, exact: bool = False) -> Found:
        return Found((passage(text),), Interpretation(query))

    try:
        with ThreadPoolExecutor(1) as executor:
            writer = make_writer(language_model, embedded_encoder(), executor)
            asked = AnswerRequest("Кто и когда перезапускает почтовый сервер?", Principal("test"))
            return await Answerer(search, writer, executor).answer(asked)
    finally:
        await language_model.aclose()


async def test_english_first_is_broken_off_and_the_russian_answer_of_the_second_try_is_checked_and_told():
    text = "The Microsoft Exchange server is restarted every Sunday at 6 p.m. by John Smith, extension 417."
    with scripted_model() as model:
        model.says = "The server is restarted every Sunday at 6 p.m. by John Smith [1]."
        model.says_next = (
            "Сервер Microsoft Exchange перезапускает Джон Смит каждое воскресенье в 18:00 [1]. "
            "Сервер перезапускает Пётр Иванов [1]."
        )
        answer = await answer_to(model, text)
        first, second = (request["messages"] for request in model.requests)
    assert answer.answer == "Сервер Microsoft Exchange перезапускает Джон Смит каждое воскресенье в 18:00 [1]."
    assert answer.citations[0].quote == text
    assert [check.reason for check in answer.checks] == ["", "name"]
    assert "пересказывай по-русски" in first[0]["content"]
    assert second[-1]["content"] == f"{first[-1]['content']}\n\n{IN_RUSSIAN}"
