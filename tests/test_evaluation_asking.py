from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import TryLater
from core.types import Answer, Citation, Principal, Timings
from evaluation.asking import Ask, Examiner, stored_pages
from evaluation.cases import Case, Group, Place
from evaluation.examination import examine, examine_pairs
from evaluation.pairs import Pair
from evaluation.report import Failure, Measure
from generation.chain import Answerer
from generation.request import AnswerRequest
from generation.statements import Statement
from retrieval.searcher import Searcher
from retrieval.vector_index import VectorIndex
from tests.scored_runs import ORIGIN
from tests.small_base import SmallBase, WordEncoder

ASKER = Principal("test")
VACATION = "Заявление на отпуск подают руководителю за 14 дней."
TRIP = "Командировку согласует директор завода."


class FirstPassageWriter:
    """Quotes the whole of the best passage."""

    model = "first passage"

    async def write(self, request, passages, heard):
        heard()
        best = passages[0]
        yield Statement(
            f"{best.text} [1]", (Citation(1, best.document_id, best.document, best.page, None, best.text),), 0.9
        )


@pytest.fixture
def base(tmp_path: Path) -> Iterator[SmallBase]:
    base = SmallBase(tmp_path)
    base.add(VACATION, collection="hr", name="Отпуск.txt")
    base.add(TRIP, collection="trips", name="Командировки.txt")
    yield base
    base.close()


@pytest.fixture
def examiner(base: SmallBase) -> Iterator[Examiner]:
    searcher = Searcher(base.database, WordEncoder(), VectorIndex(base.index_folder), dense_weight=0.5)
    with ThreadPoolExecutor(1) as executor:
        answerer = Answerer(searcher.search, FirstPassageWriter(), executor)
        yield Examiner(answerer.answer, searcher.search, stored_pages(base.database, ASKER), ASKER)


def with_ask(examiner: Examiner, ask: Ask) -> Examiner:
    return Examiner(ask, examiner.search, examiner.pages, ASKER)


async def test_a_pair_is_asked_of_the_base_and_scored(examiner: Examiner) -> None:
    heard: list[tuple[int, int]] = []
    pairs = (
        Pair(2, "За сколько дней подают заявление на отпуск?", "за 14 дней", "Отпуск.txt"),
        Pair(3, "Кто согласует командировку?", "главный бухгалтер", "Командировки.txt"),
        Pair(4, "Какая завтра погода?", ""),
    )
    report = await examine_pairs(pairs, examiner, ORIGIN, lambda done, total: heard.append((done, total)))

    assert heard == [(1, 3), (2, 3), (3, 3)]
    assert [one.failure for one in report.questions] == [None, Failure.WRONG_WORDS, Failure.ANSWERED]
    assert report.values(Group.PAIRS, Measure.CITED) == {"2": 1.0, "3": 1.0}
    assert report.values(Group.PAIRS, Measure.VERBATIM) == {"2": 1.0, "3": 1.0, "4": 1.0}
    assert report.values(Group.PAIRS, Measure.REFUSED) == {"4": 0.0}


async def test_the_scope_of_a_case_hides_every_other_collection(examiner: Examiner) -> None:
    question = "За сколько дней подают заявление на отпуск?"
    cases = [
        Case(Group.GIVEN, "1", question, "за 14 дней", Place("Отпуск.txt"), frozenset({"hr"})),
        Case(Group.REMOVED, "2", question, scope=frozenset({"trips"})),
    ]
    given, removed = await examine(cases, examiner, lambda _done, _total: None)

    assert given.failure is None
    assert [shown.document for shown in removed.passages] == ["Командировки.txt"]


async def test_where_search_is_measured_no_answer_is_asked_for(examiner: Examiner) -> None:
    async def never(_request: AnswerRequest) -> Answer:
        raise AssertionError("the model was asked")

    case = Case(Group.RETRIEVAL, "1", "Кто согласует командировку?", place=Place("Командировки.txt"))
    (scored,) = await examine([case], with_ask(examiner, never), lambda _done, _total: None)

    assert scored.scores[Measure.HIT_1] == 1.0


async def test_a_quote_that_is_not_on_its_page_is_noticed(examiner: Examiner, base: SmallBase) -> None:
    async def invents(request: AnswerRequest) -> Answer:
        (found,) = examiner.search(request.question, principal=ASKER, collection="hr", top_k=1).passages
        quotes = (found.text[:20], found.text[:20].replace("З", "з"), "")
        cited = tuple(Citation(n, found.document_id, found.document, found.page, None, q) for n, q in enumerate(quotes))
        return Answer("За 14 дней.", False, cited, "m", Timings(1, 2, 3), (found,))

    case = Case(Group.PAIRS, "1", "отпуск", "за 14 дней")
    (scored,) = await examine([case], with_ask(examiner, invents), lambda _done, _total: None)

    assert scored.scores[Measure.VERBATIM] == pytest.approx(1 / 3)


async def test_a_model_that_is_busy_is_asked_again_and_one_that_stays_so_ends_the_run(examiner: Examiner) -> None:
    asked = 0

    async def busy_twice(request: AnswerRequest) -> Answer:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise TryLater("busy", "Занято.", retry_after_s=0)
        return await examiner.ask(request)

    async def busy(_request: AnswerRequest) -> Answer:
        raise TryLater("busy", "Занято.", retry_after_s=0)

    case = Case(Group.PAIRS, "1", "За сколько дней подают заявление на отпуск?", "за 14 дней")
    (scored,) = await examine([case], with_ask(examiner, busy_twice), lambda _done, _total: None)
    assert (scored.failure, asked) == (None, 3)
    with pytest.raises(TryLater):
        await examine([case], with_ask(examiner, busy), lambda _done, _total: None)
