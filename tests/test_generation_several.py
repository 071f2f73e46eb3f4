"""Questions that want several answers of a model that says words of one passage: comparisons and lists."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.settings import Settings
from core.types import Passage
from evaluation.several import ask, documents, questions, search_of
from generation import embedded
from generation.adapters import scales_of
from generation.catalogue import load_catalogue
from generation.chain import Answerer
from generation.found_words import locate
from generation.language_model import LanguageModel, ModelServer
from generation.served import load_chosen
from generation.several import Judged, compare, enumerate_found, wants_list
from generation.span_prompt import Span
from generation.writer import make_writer
from tests.live_model_server import live_server, wait_until

TEXTS = {
    "Отпуск завода.pdf": "1. Основной отпуск работников завода — 35 дней. 2. Заявление подают за 30 дней.",
    "Отпуск склада.pdf": "1. Основной отпуск работников склада — 31 день. 2. Заявление подают за 20 дней.",
    "Тарифы.md": "Тариф «Базовый» стоит 450 рублей. Тариф «Деловой» стоит 1200 рублей.",
    "Сроки.md": "| Первая срочность | 15 минут |\n| Вторая срочность | 1 час |",
}
PASSAGES = tuple(
    Passage(n, str(n), name, 1, None, text, 0, len(text)) for n, (name, text) in enumerate(TEXTS.items(), start=1)
)


CERTAIN = (
    "Чем отличается основной отпуск работников завода от основного отпуска работников склада?",
    "Какая разница между неустойкой «Снежинки» и неустойкой «Ромашки»?",
    "Сравни суточные по России и за границей",
    "Чем отличается обед новичка от обеда удалённого работника?",
    "Перечисли, что выдают рабочим в цехе",
    "Перечисли сроки подачи заявления на отпуск",
)


class Says:
    """A judge that answers with given words wherever they stand, as sure as it is told."""

    def __init__(self, *words: str, answerable: float = 0.95, right: float = 0.9) -> None:
        self.asked: list[tuple[str, str]] = []
        self._words = words
        self._sure = (answerable, right)

    async def __call__(self, question: str, passage: Passage) -> Judged:
        self.asked.append((question, passage.document))
        spans = [Span(1, words) for words in self._words if words in passage.text]
        return Judged(locate(spans, (passage,), question), *self._sure)


async def test_each_side_is_a_sentence_of_its_own_document():
    said = await compare(("основной отпуск завода", "основной отпуск склада"), PASSAGES, Says("35 дней", "31 день"))
    assert "".join(one.text for one in said) == (
        "Основной отпуск работников завода — 35 дней [1]. Основной отпуск работников склада — 31 день [2]."
    )
    assert [c.document for one in said for c in one.citations] == ["Отпуск завода.pdf", "Отпуск склада.pdf"]


async def test_each_side_is_asked_for_by_itself_of_the_passages_that_name_it():
    judge = Says("35 дней", "31 день")
    await compare(("основной отпуск завода", "основной отпуск склада"), PASSAGES, judge)
    assert judge.asked == [
        ("основной отпуск завода?", "Отпуск завода.pdf"),
        ("основной отпуск склада?", "Отпуск склада.pdf"),
    ]


async def test_words_about_the_other_side_give_way_to_the_sentence_that_names_this_one():
    said = await compare(("тариф «Базовый»", "тариф «Деловой»"), PASSAGES, Says("450 рублей"))
    assert [one.text for one in said] == [
        "Тариф «Базовый» стоит 450 рублей [1].",
        " Тариф «Деловой» стоит 1200 рублей [2].",
    ]


async def test_a_sentence_that_does_not_name_its_side_is_told_with_its_document():
    said = await compare(("срок заявления на заводе", "срок заявления на складе"), PASSAGES, Says("30 дней", "20 дней"))
    assert "".join(one.text for one in said) == (
        "Отпуск завода: заявление подают за 30 дней [1]. Отпуск склада: заявление подают за 20 дней [2]."
    )


async def test_a_sentence_that_speaks_of_both_sides_is_said_once():
    text = "Отчёт о поездке по России сдают за три дня, о поездке за границу — за семь."
    passage = Passage(1, "1", "Поездки.md", 1, None, text, 0, len(text))
    said = await compare(("отчёт по России", "отчёт за границу"), (passage,), Says("за три дня", "за семь"))
    assert [one.text for one in said] == [f"{text[:-1]} [1]."]


async def test_a_side_that_no_document_speaks_of_is_named_and_takes_the_confidence():
    said = await compare(("отпуск завода", "отпуск космодрома"), PASSAGES, Says("35 дней"))
    assert said[1].text.startswith(" Для сравнения не хватает сведений: отпуск космодрома")
    assert (said[1].citations, said[1].confidence) == ((), 0.0)


async def test_a_comparison_of_what_no_document_holds_is_refused():
    assert await compare(("радиус Юпитера", "радиус Сатурна"), PASSAGES, Says(answerable=0.9)) == ()
    unsure = Says("35 дней", "31 день", answerable=0.4)
    assert await compare(("основной отпуск завода", "основной отпуск склада"), PASSAGES, unsure) == ()


async def test_a_row_of_a_table_is_told_by_its_words():
    said = await compare(("первая срочность", "вторая срочность"), PASSAGES, Says("15 минут", "1 час"))
    assert said[0].text == "Первая срочность: 15 минут [1]."


async def test_a_list_names_the_documents_that_its_items_come_from():
    said = await enumerate_found("Перечисли сроки", PASSAGES, Says("за 30 дней", "за 20 дней"))
    assert "".join(one.text for one in said) == "Отпуск завода: за 30 дней [1].\nОтпуск склада: за 20 дней [2]."


async def test_a_list_of_one_document_is_an_ordinary_answer():
    said = await enumerate_found("Назови все тарифы", PASSAGES, Says("«Базовый»", "«Деловой»"))
    assert [one.text for one in said] == ["«Базовый» [1]; «Деловой» [2]."]


async def test_only_a_sure_item_joins_the_first_one():
    said = await enumerate_found("Перечисли сроки", PASSAGES, Says("за 30 дней", "за 20 дней", answerable=0.7))
    assert [one.text for one in said] == ["За 30 дней [1]."]


@pytest.mark.parametrize(
    "question", ["Перечислите сроки", "Назовите все тарифы связи", "Какие все виды пропусков есть?"]
)
def test_questions_that_want_all_there_is_are_known(question):
    assert wants_list(question)


@pytest.mark.parametrize("question", ["Куда перечислили деньги?", "Как называется тариф?", "Где список литературы?"])
def test_other_questions_want_one_answer(question):
    assert not wants_list(question)


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    with live_server(lambda: load_chosen(Settings(model=embedded.TAUGHT))) as client:
        wait_until(lambda: client.get("/ready").is_success, timeout_s=120)
        yield str(client.base_url.join("/v1"))


@pytest.mark.real_model
async def test_the_embedded_model_answers_both_sides_and_the_lists_documents_by_the_real_search(model_url, encoder):
    scales = scales_of(load_catalogue().find(embedded.TAUGHT), None)
    server = ModelServer(model_url, embedded.TAUGHT, "spans", context_tokens=4096, answer_max_tokens=200, scales=scales)
    model = LanguageModel(server)
    wanted = [one for one in questions() if one.question in CERTAIN]
    with ThreadPoolExecutor(2) as executor, search_of(documents(), Settings(), encoder) as search:
        outcomes = await ask(wanted, Answerer(search, make_writer(model, encoder, executor), executor))
    await model.aclose()
    assert len(outcomes) == len(CERTAIN)
    assert [outcome.wanted.question for outcome in outcomes if not outcome.is_whole or outcome.foreign] == []
