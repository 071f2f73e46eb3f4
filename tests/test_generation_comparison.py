"""Questions that compare: their sides, found and asked for each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.settings import Settings
from core.types import Answer, Interpretation, Passage, Principal
from evaluation.base import EVERYONE, open_base
from evaluation.retrieval_sets import Piece, Source
from generation.chain import Answerer, AnswerRequest
from generation.comparison import comparison, interleave
from generation.language_model import LanguageModel, ModelServer
from generation.writer import make_writer
from ingest.chunking import chunk, embedded_text
from ingest.limits import Limits
from ingest.readers import docx, markdown
from tests.embedded_encoder import embedded_encoder
from tests.scripted_model_server import ScriptedModel, scripted_model


@pytest.mark.parametrize(
    ("question", "sides"),
    [
        ("Чем отличается основной отпуск от дополнительного?", ("основной отпуск", "дополнительного отпуск")),
        ("Чем основной отпуск отличается от дополнительного?", ("основной отпуск", "дополнительного отпуск")),
        ("Чем отличаются суточные в Москве и в Твери?", ("суточные в Москве", "суточные в Твери")),
        ("Сравни отпуск директора и бухгалтера", ("отпуск директора", "отпуск бухгалтера")),
        ("Сравните суточные по России и за границу.", ("суточные по России", "суточные за границу")),
        ("Сравни аванс, зарплату и премию", ("аванс", "зарплату", "премию")),
        ("Сравни положение с инструкцией", ("положение", "инструкцией")),
        ("В чём разница между авансом и зарплатой?", ("авансом", "зарплатой")),
        ("Какая разница между обычной и критичной заявкой?", ("обычной заявкой", "критичной заявкой")),
        ("Отличия договора Альфы от договора Беты", ("договора Альфы", "договора Беты")),
        (
            "Сравни срок в договоре с Альфой и в договоре с Бетой",
            ("срок в договоре с Альфой", "срок в договоре с Бетой"),
        ),
        (
            "Кому дают больше дней: специалистам или руководителям?",
            ("Кому дают больше дней специалистам", "Кому дают больше дней руководителям"),
        ),
    ],
)
def test_both_sides_of_a_comparison_are_named_whole(question, sides):
    assert comparison(question) == type(comparison(question))(sides)


@pytest.mark.parametrize(
    "question",
    [
        "Сколько дней длится отпуск и когда его дают?",
        "Как отличить подделку?",
        "Как сравнить договоры?",
        "Какие документы нужны для командировки?",
        "Сравни одно, другое, третье и четвёртое",
        "Кто подписывает приказ: он или нет",
        "",
    ],
)
def test_other_questions_compare_nothing(question):
    assert comparison(question) is None


def passage(id_: int) -> Passage:
    return Passage(id_, str(id_), f"{id_}.txt", None, None, "текст", 0, 5)


def test_results_are_taken_in_turn_each_passage_once():
    whole, one, other = ([passage(n) for n in ids] for ids in ((1, 2, 3), (1, 4), (5, 2, 6)))
    assert [found.id for found in interleave([whole, one, other], 5)] == [1, 5, 2, 4, 3]


# A base of real documents, in which one of them has a say about much of what is asked of the other.


@pytest.fixture(scope="module")
def search(examples: Path, encoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    limits, settings = Limits.of(Settings()), Settings()
    read = {"Инструкция по командировкам.docx": docx.read, "Регламент службы поддержки.md": markdown.read}
    sources = []
    for name, reader in read.items():
        parsed = reader(examples / name, limits, lambda _done, _total: None)
        text = parsed.pages[0].text
        chunks = chunk(parsed, max_chars=settings.passage_max_chars, overlap_chars=settings.passage_overlap_chars)
        pieces = tuple(Piece(one.section, one.start, one.end, embedded_text(name, one)) for one in chunks)
        sources.append(Source(name, "default", text, pieces))
    base = open_base(tmp_path_factory.mktemp("compared") / "base", sources, encoder, lambda _done, _total: None)
    yield base.searcher(encoder, dense_weight=settings.dense_weight).search
    base.close()


@pytest.mark.real_model
@pytest.mark.parametrize("top_k", [2, 4])
async def test_each_side_is_found_though_one_of_them_has_more_to_say(search, top_k):
    question = "Сравни суточные при поездке по России и время ответа на критичную заявку"
    with ThreadPoolExecutor(2) as executor:
        answerer = Answerer(search, writer=None, executor=executor)  # type: ignore[arg-type]
        sources = await answerer.search(AnswerRequest(question, EVERYONE, top_k=top_k))
    assert len(sources.passages) == top_k
    assert {passage.document for passage in sources.passages} == {
        "Инструкция по командировкам.docx",
        "Регламент службы поддержки.md",
    }
    assert sources.interpretation.searched == question


@dataclass(frozen=True)
class Found:
    passages: tuple[Passage, ...]
    interpretation: Interpretation


LEAVES = {
    "Положение для специалистов.pdf": "Специалистам предоставляется дополнительный отпуск 3 календарных дня.",
    "Положение для руководителей.pdf": "Руководителям предоставляется дополнительный отпуск 5 календарных дней.",
}
PASSAGES = tuple(
    Passage(n, str(n), name, 1, None, text, 0, len(text)) for n, (name, text) in enumerate(LEAVES.items(), start=1)
)


async def answer_to(model: ScriptedModel, answers: str, question: str) -> tuple[Answer, list[str]]:
    asked: list[str] = []

    def search(query: str, *, principal: Principal, collection: str | None, top_k: int, exact: bool = False) -> Found:
        asked.append(query)
        return Found(PASSAGES, Interpretation(query))

    server = ModelServer(model.url, "scripted", answers, context_tokens=4096, answer_max_tokens=200, timeout_s=5)
    language_model = LanguageModel(server)
    try:
        with ThreadPoolExecutor(1) as executor:
            writer = make_writer(language_model, embedded_encoder(), executor)
            answer = await Answerer(search, writer, executor).answer(AnswerRequest(question, Principal("test")))
            return answer, asked
    finally:
        await language_model.aclose()


QUESTION = "Чем отличается дополнительный отпуск специалистов от отпуска руководителей?"


@pytest.mark.real_model
async def test_prose_is_asked_for_each_side_and_cites_both_documents():
    with scripted_model() as model:
        model.says = (
            "Специалистам предоставляется дополнительный отпуск 3 календарных дня [1]. "
            "Руководителям предоставляется дополнительный отпуск 5 календарных дней [2]."
        )
        answer, asked = await answer_to(model, "prose", QUESTION)
        assert "Скажи отдельно о каждом: дополнительный отпуск специалистов; отпуска руководителей." in model.prompt
    assert answer.answer == model.says
    assert [citation.document for citation in answer.citations] == list(LEAVES)
    assert asked == [QUESTION, "дополнительный отпуск специалистов", "отпуска руководителей"]
    assert answer.conflicts == ()


@pytest.mark.real_model
async def test_a_model_that_knows_nothing_of_one_side_still_speaks_of_the_other():
    with scripted_model() as model:
        model.says = (
            "О специалистах в отрывках нет сведений. "
            "Руководителям предоставляется дополнительный отпуск 5 календарных дней [2]."
        )
        answer, _ = await answer_to(model, "prose", QUESTION)
    assert answer.answer == "Руководителям предоставляется дополнительный отпуск 5 календарных дней [1]."


@pytest.mark.real_model
async def test_a_question_that_compares_nothing_is_asked_as_it_is():
    with scripted_model() as model:
        model.says = "Специалистам предоставляется дополнительный отпуск 3 календарных дня [1]."
        _, asked = await answer_to(model, "prose", "Какой отпуск у специалистов?")
        assert "Скажи отдельно" not in model.prompt
    assert asked == ["Какой отпуск у специалистов?"]
