"""Answers of a model that only continues text: words of the documents, chosen with its help, or an honest refusal."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest

from core.errors import TryLater
from core.settings import Settings
from core.types import Answer, Interpretation, Passage, Principal
from generation import embedded
from generation.chain import Answerer, AnswerRequest
from generation.citations import Quote
from generation.language_model import LanguageModel, ModelServer
from generation.quotes import Candidate, QuotesWriter, choose, completion_prompt, readable, shown
from generation.served import load_chosen
from retrieval.embedding.encoder import Encoder
from tests.live_model_server import live_server, wait_until
from tests.scripted_model_server import scripted_model

TEXTS = (
    "Ежегодный оплачиваемый отпуск работника составляет 28 календарных дней. Его можно разделить на две части.",
    "Заявление на отпуск подают руководителю не позднее чем за 14 дней. Директор подписывает приказ.",
    "Командировочные расходы возмещает бухгалтерия. Отчёт о командировке сдают в течение пяти рабочих дней.",
)
PASSAGES = tuple(Passage(n, "a", "Положение.pdf", n + 1, None, text, 0, len(text)) for n, text in enumerate(TEXTS))


@dataclass(frozen=True)
class Found:
    passages: tuple[Passage, ...]
    interpretation: Interpretation


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    with live_server(lambda: load_chosen(Settings(model=embedded.NAME))) as client:
        wait_until(lambda: client.get("/ready").is_success, timeout_s=120)
        yield str(client.base_url.join("/v1"))


async def ask(url: str, question: str, encoder: Encoder) -> Answer:
    model = LanguageModel(ModelServer(url, "gemma3_270m", "quotes", context_tokens=4096, answer_max_tokens=200))

    def search(query: str, *, principal: Principal, collection: str | None, top_k: int, exact: bool = False) -> Found:
        return Found(PASSAGES, Interpretation(query))

    try:
        with ThreadPoolExecutor(1) as executor:
            answerer = Answerer(search, QuotesWriter(model, encoder, executor), executor)
            return await answerer.answer(AnswerRequest(question, Principal("test")))
    finally:
        await model.aclose()


@pytest.mark.real_model
@pytest.mark.parametrize(
    ("question", "words", "page"),
    [
        ("Сколько дней длится отпуск?", "28 календарных дней", 1),
        ("За сколько дней подают заявление на отпуск?", "не позднее чем за 14 дней", 2),
        ("Кто возмещает командировочные расходы?", "бухгалтерия", 3),
    ],
)
async def test_the_embedded_model_answers_with_the_words_of_the_right_page(model_url, encoder, question, words, page):
    answer = await ask(model_url, question, encoder)
    citation = answer.citations[0]
    assert not answer.refused
    assert words in answer.answer
    assert words in citation.quote
    assert citation.quote in TEXTS[page - 1]
    assert citation.page == page
    assert "[1]" in answer.answer
    assert answer.timings.first_token_ms is not None


@pytest.mark.real_model
async def test_a_question_of_another_field_is_refused(model_url, encoder):
    answer = await ask(model_url, "Каков радиус орбиты Сатурна?", encoder)
    assert (answer.refused, answer.citations) == (True, ())


@pytest.mark.real_model
async def test_without_the_model_there_is_no_pretending(encoder):
    with scripted_model() as gone:
        pass
    with pytest.raises(TryLater):
        await ask(gone.url, "Сколько дней длится отпуск?", encoder)


def test_the_prompt_differs_in_the_question_alone():
    one, other = (completion_prompt(passages, "Что?") for passages in (PASSAGES, PASSAGES[::-1]))
    assert one == other
    assert completion_prompt(PASSAGES, "Кто?").removesuffix("Кто?\nОтвет:") == one.removesuffix("Что?\nОтвет:")


@pytest.mark.parametrize(
    ("confidences", "chosen"),
    [((), 0), ((0.01,), 0), ((0.5,), 1), ((0.5, 0.4), 2), ((0.5, 0.1), 1), ((0.5, 0.4, 0.4), 2)],
)
def test_a_second_quotation_comes_only_when_it_is_nearly_as_probable(confidences, chosen):
    ranked = [Candidate(Quote(PASSAGES[at], 0, 30), confidence) for at, confidence in enumerate(confidences)]
    assert len(choose(ranked)) == chosen


def test_the_same_sentence_in_several_documents_is_said_once_and_cited_at_each_place():
    copies = [replace(PASSAGES[0], id=9 + n, document_id=f"copy {n}") for n in range(5)]
    ranked = [Candidate(Quote(passage, 0, 74), 0.9) for passage in (PASSAGES[0], *copies)]
    ((first, *others),) = choose(ranked)
    assert first.quote.passage is PASSAGES[0]
    assert [candidate.quote.passage.document_id for candidate in others] == ["copy 0", "copy 1"]


def test_references_of_the_document_itself_do_not_look_like_citations():
    assert shown("The cryptographic\n  foundations [3, 9], based on routing [22]") == (
        "The cryptographic foundations, based on routing"
    )


@pytest.mark.parametrize(("context_tokens", "passages"), [(4096, 3), (600, 3), (420, 2), (16, 1)])
def test_the_model_reads_as_many_passages_as_its_context_holds(context_tokens, passages):
    assert len(readable((*PASSAGES, *PASSAGES), "Что?", context_tokens)) == passages
