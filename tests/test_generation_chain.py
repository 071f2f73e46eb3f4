"""The whole chain over real HTTP: what the model says, what is let through, what happens when either side leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import pytest
from langchain_core.messages import HumanMessage

from core.errors import InvalidRequest, Misconfigured, TryLater
from core.types import Answer, Interpretation, Passage, Principal, Turn, Verdict
from generation.chain import Answerer, AnswerRequest
from generation.events import Done, Sources, Token
from generation.language_model import LanguageModel, ModelServer
from generation.prompt import IN_RUSSIAN
from generation.prose import ProseWriter
from generation.refusal import NO_DOCUMENTS, NOT_FOUND
from tests.embedded_encoder import embedded_encoder
from tests.scripted_model_server import ScriptedModel, scripted_model

LEAVE = (
    "4.2. Ежегодный оплачиваемый отпуск составляет 28 календарных дней. Заявление на отпуск подают не позднее чем за "
    "14 дней до его начала."
)
ORDER = "Приказ вступает в силу с 01.02.2014 г. Контроль за исполнением возложен на заместителя министра Петрову А. В."
PASSAGES = (
    Passage(1, "b", "Приказ № 112.pdf", 1, None, ORDER, 0, len(ORDER), 0.9),
    Passage(2, "a", "Положение об отпусках.pdf", 3, "п. 4.2", LEAVE, 0, len(LEAVE), 0.8),
)
# In the prompt they stand by document: [1] is the regulation on leave, [2] the order.
ME = Principal("test")

pytestmark = pytest.mark.real_model


@dataclass(frozen=True)
class Found:
    passages: tuple[Passage, ...]
    interpretation: Interpretation


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with scripted_model() as server:
        yield server


@asynccontextmanager
async def answering(model: ScriptedModel, passages: tuple[Passage, ...] = PASSAGES) -> AsyncIterator[Answerer]:
    server = ModelServer(model.url, "scripted", "prose", context_tokens=4096, answer_max_tokens=200, timeout_s=5)
    language_model = LanguageModel(server)

    def search(query: str, *, principal: Principal, collection: str | None, top_k: int, exact: bool = False) -> Found:
        return Found(passages, Interpretation(query))

    try:
        with ThreadPoolExecutor(1) as executor:
            yield Answerer(search, ProseWriter(language_model, embedded_encoder(), executor), executor)
    finally:
        await language_model.aclose()


async def answer_to(
    model: ScriptedModel, says: str, question: str = "Сколько длится отпуск?", **request: object
) -> Answer:
    model.says = says
    async with answering(model) as answerer:
        return await answerer.answer(AnswerRequest(question, ME, **request))


async def test_a_supported_sentence_keeps_its_number_and_gets_a_verbatim_quote(model):
    answer = await answer_to(model, "Отпуск составляет 28 календарных дней [1].")
    assert answer.answer == "Отпуск составляет 28 календарных дней [1]."
    (citation,) = answer.citations
    assert (citation.n, citation.document, citation.page, citation.section) == (
        1,
        "Положение об отпусках.pdf",
        3,
        "п. 4.2",
    )
    assert citation.quote in LEAVE
    assert "28 календарных дней" in citation.quote
    assert not answer.refused
    assert answer.passages == PASSAGES


async def test_a_number_of_no_passage_is_removed_and_the_right_one_put_in_its_place(model):
    answer = await answer_to(model, "Отпуск составляет 28 календарных дней [7].")
    assert answer.answer == "Отпуск составляет 28 календарных дней [1]."


async def test_a_citation_of_the_wrong_passage_is_corrected(model):
    answer = await answer_to(model, "Отпуск составляет 28 календарных дней [2].")
    assert answer.citations[0].document == "Положение об отпусках.pdf"


async def test_a_sentence_with_an_invented_number_is_dropped(model):
    answer = await answer_to(
        model, "Отпуск составляет 35 календарных дней [1]. Заявление подают за 14 дней до начала [1]."
    )
    assert answer.answer == "Заявление подают за 14 дней до начала [1]."


async def test_a_sentence_with_an_invented_name_or_date_is_dropped(model):
    answer = await answer_to(
        model,
        "Контроль за исполнением возложен на Сидорову [2]. Приказ вступает в силу с 1 марта 2014 г. [2] "
        "Приказ вступает в силу с 1 февраля 2014 г. [2]",
    )
    assert answer.answer == "Приказ вступает в силу с 1 февраля 2014 г. [1]"


async def test_an_uncited_sentence_that_a_passage_supports_gets_its_number(model):
    answer = await answer_to(model, "Заявление на отпуск подают не позднее чем за 14 дней до начала.")
    assert answer.answer == "Заявление на отпуск подают не позднее чем за 14 дней до начала [1]."


async def test_citations_are_numbered_from_one_in_the_order_of_their_use(model):
    answer = await answer_to(
        model, "Контроль за исполнением возложен на Петрову А. В. [2]\n- Отпуск составляет 28 календарных дней [1]."
    )
    assert answer.answer == (
        "Контроль за исполнением возложен на Петрову А. В. [1]\n- Отпуск составляет 28 календарных дней [2]."
    )
    assert [citation.n for citation in answer.citations] == [1, 2]


async def test_an_answer_without_support_is_a_refusal_that_still_shows_the_passages(model):
    answer = await answer_to(model, "Столица Франции — Париж [1]. Население города велико.")
    assert (answer.answer, answer.refused, answer.citations) == (NOT_FOUND, True, ())
    assert answer.passages == PASSAGES


async def test_the_models_own_refusal_is_ours(model):
    answer = await answer_to(model, "К сожалению, в отрывках нет ответа на этот вопрос.")
    assert (answer.answer, answer.refused) == (NOT_FOUND, True)


async def test_the_answer_says_what_was_checked_and_how_sure_it_is(model):
    answer = await answer_to(
        model, "Отпуск составляет 28 календарных дней [1]. Отпуск составляет 35 дней [1]. Отпуск не оплачивается [1]."
    )
    assert [(check.verdict, check.reason) for check in answer.checks] == [
        (Verdict.SUPPORTED, ""),
        (Verdict.DROPPED, "number"),
        (Verdict.DROPPED, "negation"),
    ]
    assert 0.3 <= answer.confidence <= 1
    assert answer.escalate


async def test_a_good_answer_needs_no_person(model):
    answer = await answer_to(model, "Ежегодный оплачиваемый отпуск составляет 28 календарных дней [1].")
    assert not answer.escalate


async def test_a_refusal_is_passed_on_where_a_passage_speaks_of_the_matter(model):
    near = await answer_to(model, "В отрывках нет ответа на этот вопрос.", question="За сколько дней подают заявление?")
    far = await answer_to(model, "В отрывках нет ответа на этот вопрос.", question="Каков радиус орбиты Сатурна?")
    assert (near.refused, near.escalate, near.confidence) == (True, True, 0)
    assert (far.refused, far.escalate) == (True, False)


async def test_a_model_that_writes_english_is_asked_once_more_for_russian(model):
    model.says_next = "Отпуск составляет 28 календарных дней [1]."
    model.says = "The leave lasts 28 calendar days [1]. It is paid [1]."
    async with answering(model) as answerer:
        events = [event async for event in answerer.stream(AnswerRequest("Сколько длится отпуск?", ME))]
    assert events[-1].answer.answer == "Отпуск составляет 28 календарных дней [1]."
    assert events[-1].retries == 1
    assert IN_RUSSIAN in model.prompt
    assert IN_RUSSIAN not in "".join(message["content"] for message in model.requests[0]["messages"])


async def test_a_model_that_knows_no_russian_is_asked_twice_and_refused(model):
    answer = await answer_to(model, "The leave lasts 28 calendar days [1].")
    assert (answer.answer, answer.refused) == (NOT_FOUND, True)
    assert [check.reason for check in answer.checks] == ["language"]
    assert len(model.requests) == 2


async def test_what_was_said_in_russian_before_the_retry_is_not_said_twice(model):
    model.says_next = "Отпуск составляет 28 календарных дней [1]. Заявление подают за 14 дней до начала отпуска [1]."
    answer = await answer_to(model, "Отпуск составляет 28 календарных дней [1]. Apply 14 days before it [1].")
    assert answer.answer == (
        "Отпуск составляет 28 календарных дней [1]. Заявление подают за 14 дней до начала отпуска [2]."
    )


async def test_a_list_draws_on_several_documents_and_its_introduction_needs_no_source(model):
    answer = await answer_to(
        model,
        "Вот что сказано:\n- Отпуск составляет 28 календарных дней [1];\n"
        "- Контроль за исполнением возложен на заместителя министра Петрову А. В. [2]",
    )
    assert answer.answer == (
        "- Отпуск составляет 28 календарных дней [1];\n"
        "- Контроль за исполнением возложен на заместителя министра Петрову А. В. [2]"
    )
    assert {citation.document_id for citation in answer.citations} == {"a", "b"}
    assert not answer.escalate


async def test_a_sentence_on_two_documents_cites_both(model):
    answer = await answer_to(
        model, "Отпуск составляет 28 календарных дней, а приказ вступает в силу с 01.02.2014 г. [1][2]"
    )
    assert not answer.refused
    assert [citation.document_id for citation in answer.citations] == ["a", "b"]


async def test_an_english_document_is_answered_in_russian(model):
    text = "The warranty covers manufacturing defects for two years. It does not cover damage caused by water."
    model.says = "Гарантия покрывает в течение двух лет производственные дефекты [1]. Гарантия действует пять лет [1]."
    async with answering(model, (Passage(1, "e", "Manual.pdf", 1, None, text, 0, len(text)),)) as answerer:
        answer = await answerer.answer(AnswerRequest("Что покрывает гарантия?", ME))
    assert answer.answer == "Гарантия покрывает в течение двух лет производственные дефекты [1]."
    assert answer.citations[0].quote == "The warranty covers manufacturing defects for two years."


async def test_nothing_of_question_or_answer_is_logged(model, caplog):
    with caplog.at_level("DEBUG", logger="generation"):
        await answer_to(model, "Отпуск составляет 28 календарных дней [1]. Столица Франции — Париж [1].")
    assert not caplog.records


async def test_without_passages_the_model_is_not_asked(model):
    async with answering(model, passages=()) as answerer:
        answer = await answerer.answer(AnswerRequest("Сколько длится отпуск?", ME))
    assert (answer.answer, answer.refused, answer.timings.first_token_ms) == (NO_DOCUMENTS, True, None)
    assert model.requests == []


async def test_events_come_in_order_and_the_tokens_are_the_answer(model):
    model.says = "Отпуск составляет 28 календарных дней [1]. Заявление подают за 14 дней до начала [1]."
    async with answering(model) as answerer:
        events = [event async for event in answerer.stream(AnswerRequest("Сколько длится отпуск?", ME))]
    assert isinstance(events[0], Sources)
    assert isinstance(events[-1], Done)
    tokens = [event.text for event in events[1:-1] if isinstance(event, Token)]
    assert len(tokens) == 2
    assert "".join(tokens) == events[-1].answer.answer
    timings = events[-1].answer.timings
    assert 0 <= timings.search_ms <= timings.first_token_ms <= timings.total_ms


async def test_the_runnable_gives_the_same_events(model):
    model.says = "Отпуск составляет 28 календарных дней [1]."
    async with answering(model) as answerer:
        runnable = answerer.as_runnable()
        events = [event async for event in runnable.astream(AnswerRequest("Сколько длится отпуск?", ME))]
    assert [type(event) for event in events] == [Sources, Token, Done]


async def test_a_sentence_is_shown_before_the_model_has_finished(model):
    model.says = "Отпуск составляет 28 календарных дней [1]. " + "Заявление подают за 14 дней до начала [1]. " * 20
    model.pause_s = 0.005
    async with answering(model) as answerer, aclosing(answerer.stream(AnswerRequest("Отпуск?", ME))) as events:
        async for event in events:
            if isinstance(event, Token):
                break
        assert model.pieces_sent < len(model.says) / 4 / 2


async def test_a_client_who_leaves_breaks_the_models_stream_off(model):
    model.says = "Отпуск составляет 28 календарных дней [1]. " * 500
    model.pause_s = 0.005
    async with answering(model) as answerer:
        async with aclosing(answerer.stream(AnswerRequest("Отпуск?", ME))) as events:
            async for event in events:
                if isinstance(event, Token):
                    break
        assert await asyncio.to_thread(model.client_left.wait, 0.5)


async def test_a_follow_up_over_the_same_passages_begins_with_the_same_prompt(model):
    await answer_to(model, "Отпуск составляет 28 календарных дней [1].")
    first = model.prompt
    await answer_to(model, "", history=(Turn("Сколько длится отпуск?", "Отпуск составляет 28 календарных дней [1]."),))
    assert model.prompt.startswith(first)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (503, TryLater, "model_unavailable"),
        (429, TryLater, "model_busy"),
        (401, Misconfigured, "model_key"),
        (404, Misconfigured, "model_unknown"),
        (400, InvalidRequest, "context_overflow"),
    ],
)
async def test_what_the_model_server_answers_is_told_in_our_words(model, status, error, code):
    model.status = status
    model.counts_tokens = False
    async with answering(model) as answerer:
        with pytest.raises(error) as caught:
            await answerer.answer(AnswerRequest("Сколько длится отпуск?", ME))
    assert caught.value.code == code


async def test_a_model_server_that_is_down_is_told_as_such():
    with scripted_model() as gone:
        pass
    with pytest.raises(TryLater, match="model_unavailable"):
        await answer_to(gone, "")


@pytest.mark.parametrize(("penalty", "sent"), [(1.0, 1.0), (None, None)])
async def test_our_own_server_is_asked_not_to_punish_repeated_numbers_and_others_hear_nothing_of_it(
    model, penalty, sent
):
    server = ModelServer(
        model.url, "scripted", "prose", context_tokens=4096, answer_max_tokens=9, repeat_penalty=penalty
    )
    language_model = LanguageModel(server)
    model.says = "Да."
    async with aclosing(language_model.stream_chat([HumanMessage("?")])) as pieces:
        assert [piece async for piece in pieces]
    await language_model.aclose()
    assert model.requests[-1].get("repeat_penalty") == sent


@pytest.mark.parametrize(
    ("exact", "searched", "notice"),
    [
        (False, "Кто ежегодный отпуск утверждает?", "Вопрос понят так: «Кто ежегодный отпуск утверждает?»"),
        (True, "А кто его утверждает?", None),
    ],
)
async def test_a_follow_up_is_searched_for_whole_unless_it_is_to_be_taken_as_typed(model, exact, searched, notice):
    history = (Turn("Сколько дней длится ежегодный отпуск?", "28 календарных дней [1]."),)
    answer = await answer_to(model, "Да [1].", question="А кто его утверждает?", history=history, exact=exact)
    assert answer.interpretation == Interpretation(searched, notice)
    assert f"{searched}" in model.prompt
