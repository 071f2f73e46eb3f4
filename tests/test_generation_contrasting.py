"""Contradicting documents are told after the answer, whichever way it was written, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from core.types import Answer, Interpretation, Passage, Principal
from generation.chain import Answerer, AnswerRequest
from generation.language_model import LanguageModel, ModelServer
from generation.writer import make_writer
from tests.embedded_encoder import embedded_encoder
from tests.scripted_model_server import ScriptedModel, scripted_model

pytestmark = pytest.mark.real_model

NEW = "2.1. Ежегодный основной отпуск составляет 28 календарных дней. Заявление подают за 14 дней до начала."
OLD = "3.1. Работникам предоставляется ежегодный основной отпуск продолжительностью 24 календарных дня."
EDITIONS = (
    Passage(1, "a", "Положение 2024.pdf", 3, "2. Отпуск", NEW, 0, len(NEW)),
    Passage(2, "b", "Положение 2017.pdf", 5, None, OLD, 0, len(OLD)),
)
QUESTION = "Сколько дней длится основной отпуск?"
NOTICE = (
    "В другом документе сказано иначе: «24 календарных дня», а не «28 календарных дней» "
    "(Положение 2017.pdf, стр.\N{NO-BREAK SPACE}5). Проверьте, какой документ действует."
)


@dataclass(frozen=True)
class Found:
    passages: tuple[Passage, ...]
    interpretation: Interpretation


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with scripted_model() as server:
        yield server


async def answer_to(model: ScriptedModel, answers: str, passages: tuple[Passage, ...] = EDITIONS) -> Answer:
    language_model = LanguageModel(
        ModelServer(model.url, "scripted", answers, context_tokens=4096, answer_max_tokens=200, timeout_s=5)
    )

    def search(query: str, *, principal: Principal, collection: str | None, top_k: int, exact: bool = False) -> Found:
        return Found(passages, Interpretation(query))

    try:
        with ThreadPoolExecutor(1) as executor:
            writer = make_writer(language_model, embedded_encoder(), executor)
            return await Answerer(search, writer, executor).answer(AnswerRequest(QUESTION, Principal("test")))
    finally:
        await language_model.aclose()


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ("prose", "Ежегодный основной отпуск составляет 28 календарных дней [1]."),
        ("spans", " [1] 28 календарных дней"),
        ("quotes", " 28 календарных дней"),
    ],
)
async def test_a_contradicting_document_is_told_whatever_writes_the_answer(model, answers, says):
    model.says = says
    answer = await answer_to(model, answers)
    assert "28 календарных дней" in answer.answer
    (conflict,) = answer.conflicts
    assert (conflict.kind, conflict.said, conflict.value) == ("value", "28 календарных дней", "24 календарных дня")
    assert conflict.notice == NOTICE
    assert (conflict.citation.document, conflict.citation.page) == ("Положение 2017.pdf", 5)
    assert conflict.citation.quote in OLD
    assert answer.escalate


async def test_its_citation_is_numbered_after_those_of_the_answer(model):
    model.says = "Отпуск составляет 28 календарных дней [1]. Заявление подают за 14 дней до начала [1]."
    answer = await answer_to(model, "prose")
    assert [citation.n for citation in answer.citations] == [1, 2]
    assert answer.conflicts[0].citation.n == 3


async def test_documents_that_agree_leave_the_answer_as_it_is(model):
    model.says = "Ежегодный основной отпуск составляет 28 календарных дней [1]."
    copy = Passage(3, "c", "Положение, копия.docx", None, None, NEW, 0, len(NEW))
    answer = await answer_to(model, "prose", (EDITIONS[0], copy))
    assert (answer.conflicts, answer.escalate) == ((), False)


async def test_a_refusal_is_contradicted_by_nothing(model):
    model.says = "В отрывках нет ответа на этот вопрос."
    answer = await answer_to(model, "prose")
    assert (answer.refused, answer.conflicts) == (True, ())
