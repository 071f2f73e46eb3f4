"""Russian wording of what the page shows."""

from __future__ import annotations

import pytest

from core.types import Citation, Conflict, Progress
from ui import words
from ui.wire import Answered, ClientError, Queued


@pytest.mark.parametrize(
    ("n", "text"),
    [(1, "1 файл"), (2, "2 файла"), (5, "5 файлов"), (11, "11 файлов"), (21, "21 файл"), (112, "112 файлов")],
)
def test_a_number_agrees_with_its_noun(n, text):
    assert words.files(n) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 Б"), (1023, "1023 Б"), (1536, "1,5 КБ"), (2048, "2 КБ"), (200 * 2**20, "200 МБ"), (1572864, "1,5 МБ")],
)
def test_sizes_read_as_people_write_them(size_bytes, text):
    assert words.size(size_bytes) == text


def test_a_citation_names_document_section_and_page():
    citation = Citation(1, "d1", "Положение.pdf", 7, "п. 4.2", "слова")
    assert words.place(citation) == "Положение.pdf, п. 4.2, стр.\N{NO-BREAK SPACE}7"


def test_a_citation_without_page_and_section_names_the_document():
    assert words.place(Citation(1, "d1", "Письмо.txt", None, None, "слова")) == "Письмо.txt"


def test_a_stage_that_is_not_known_yet_still_reads_in_russian():
    assert words.stage(Progress("reranking", 3, 9)) == "Обрабатываем: 3 из 9"


def test_the_place_in_the_queue_comes_with_the_expected_wait():
    assert words.waiting(Queued(3, 40.0)) == "Вы в очереди: место 3, ответ начнётся примерно через 40 с."


def test_a_refusal_with_retry_after_says_when_the_service_is_free():
    error = ClientError("queue_full", "Слишком много вопросов.", status=503, retry_after_s=120)
    assert words.failure(error) == "Слишком много вопросов. Сервис освободится примерно через 2 мин."


def test_what_contradicts_an_answer_is_copied_with_it():
    cited = Citation(2, "d2", "Старое.pdf", 1, None, "За 10 дней.")
    conflict = Conflict("value", "14 дней", "10 дней", "В другом документе сказано иначе: «10 дней».", cited)
    assert words.copied("За 14 дней [1].", Answered("За 14 дней [1].", conflicts=(conflict,))) == (
        "За 14 дней [1].\n\nВ другом документе сказано иначе: «10 дней»."
    )
    assert words.copied("За 14", None) == "За 14"
