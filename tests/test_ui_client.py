"""The typed client, against a real HTTP server on loopback."""

from __future__ import annotations

import io
import socket

import httpx
import pytest

from core.types import Status, Turn
from tests.ui_double import QUOTE, Double, serve
from ui.client import DOWN, NOT_ADMITTED, Client, problem, refusal
from ui.wire import Answered, ClientError, Queued, Sources, Token, Verdict


@pytest.fixture
def double():
    with serve(Double()) as running:
        yield running


@pytest.fixture
def client(double):
    return Client(double.url, "secret")


def test_an_upload_answers_its_document_and_carries_the_key(client, double):
    document = client.upload("Приказ № 5.txt", io.BytesIO(b"text"), collection="Кадры", replace=False)
    assert (document.name, document.collection, document.status) == ("Приказ № 5.txt", "Кадры", Status.QUEUED)
    assert double.keys == {"Bearer secret"}


def test_a_refused_upload_says_why_in_russian(client):
    with pytest.raises(ClientError) as caught:
        client.upload("пустой.txt", io.BytesIO(b""), collection="default", replace=False)
    assert (caught.value.code, caught.value.status) == ("empty_file", 422)
    assert "Файл пуст" in caught.value.detail


def test_documents_are_found_by_name_and_paged(client, double):
    for n in range(5):
        double.add(f"Отчёт {n}.pdf")
    double.add("Приказ.pdf")
    first = client.documents(name="отчёт", limit=3)
    rest = client.documents(name="отчёт", limit=3, cursor=first.next_cursor)
    assert [d.name for d in (*first.items, *rest.items)] == [f"Отчёт {n}.pdf" for n in range(5)]
    assert rest.next_cursor is None


def test_a_deleted_document_is_gone_and_a_second_delete_is_an_error(client, double):
    document = double.add("Приказ.pdf")
    client.delete(document["id"])
    with pytest.raises(ClientError, match="not_found"):
        client.delete(document["id"])


def test_a_page_of_a_format_without_images_has_none(client, double):
    document = double.add("Письмо.txt")
    assert client.page_image(document["id"], 1, quote=QUOTE, width_px=300) is None
    assert QUOTE in client.page_text(document["id"], 1).text


def test_a_page_of_a_pdf_has_an_image(client, double):
    document = double.add("Приказ.pdf", media_type="application/pdf")
    image = client.page_image(document["id"], 1, quote=QUOTE, width_px=300)
    assert image is not None
    assert image.startswith(b"\x89PNG")


def test_a_quote_of_a_document_without_page_numbers_is_looked_for(client, double):
    document = double.add("Ведомость.xlsx")
    double.pages = ["Лист без неё", f"Второй лист. {QUOTE}"]
    assert client.page_holding(document["id"], QUOTE).text == double.pages[1]
    assert client.page_holding(document["id"], "этого нет нигде").text == double.pages[0]


def test_feedback_reaches_the_service_whole(client, double):
    client.give_feedback(Verdict("вопрос", "ответ", "down", ("d1",), "мимо"))
    kept = {"question": "вопрос", "answer": "ответ", "verdict": "down", "document_ids": ["d1"], "comment": "мимо"}
    assert double.feedback == [kept]


async def test_an_answer_streams_from_the_queue_to_the_citations(client, double):
    double.add("Положение.pdf")
    double.queue = 1
    turns = [Turn("раньше", "ответ")]
    events = [event async for event in client.ask("вопрос", collection="Кадры", history=turns)]
    assert events[0] == Queued(1, 20.0)
    assert isinstance(events[1], Sources)
    assert "".join(e.text for e in events if isinstance(e, Token)).strip() == double.answer
    assert isinstance(events[-1], Answered)
    assert events[-1].citations[0].quote == QUOTE
    assert double.asked == [
        {
            "question": "вопрос",
            "stream": True,
            "collection": "Кадры",
            "history": [{"question": "раньше", "answer": "ответ"}],
        }
    ]


async def test_a_full_queue_says_when_to_come_back(client, double):
    double.busy = 7
    with pytest.raises(ClientError) as caught:
        _ = [event async for event in client.ask("вопрос", collection="", history=())]
    assert (caught.value.status, caught.value.retry_after_s) == (503, 7)


async def test_the_plain_chat_asks_the_second_model_with_the_talk_so_far(client, double):
    events = [event async for event in client.chat("Переведи", history=[Turn("раньше", "ответ")])]
    assert events[-1] == Answered("Dear colleagues", model="saiga")
    assert double.chatted[0]["model"] == "saiga"
    assert [m["role"] for m in double.chatted[0]["messages"]] == ["user", "assistant", "user"]


def test_a_service_that_is_down_is_said_so_with_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ClientError) as caught:
        Client(f"http://127.0.0.1:{port}", "").collections()
    assert caught.value.detail == DOWN


def test_an_error_that_is_no_problem_json_still_reads_in_russian():
    error = refusal(httpx.Response(502, text="<html>Bad gateway</html>"))
    assert (error.status, error.detail) == (502, "Сервис отказал (код 502). Повторите позже.")


def test_openais_shape_of_an_error_is_understood():
    error = problem({"error": {"message": "Модель занята.", "code": "busy"}}, status=503, retry_after="5")
    assert (error.code, error.detail, error.retry_after_s) == ("busy", "Модель занята.", 5)


def test_a_wrong_key_is_explained_to_the_administrator():
    assert problem({"detail": "Нужен ключ."}, status=401, retry_after=None).detail == NOT_ADMITTED


def test_an_answer_of_another_shape_is_an_error_in_russian(double):
    with pytest.raises(ClientError, match="unexpected_answer"):
        Client(f"{double.url}/v1/documents/d1/content?", "").collections()


async def test_the_plain_chat_tells_the_place_in_the_queue(client, double):
    double.queue = 2
    events = [event async for event in client.chat("Переведи", history=[])]
    assert events[:2] == [Queued(2, 40), Queued(1, 20)]
    assert isinstance(events[2], Token)
