"""An answer on its way: read aside, stopped for real, never silent about its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.ui_double import Double, serve
from ui.client import Client
from ui.reply import BROKEN, Reply, ReplyState, advance
from ui.sse import read_events
from ui.wire import Answered, ClientError, Event, Found, Queued, Sources, Token


def wait_until(reached, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline, "not reached in time"
        time.sleep(0.02)


@pytest.fixture
def double():
    with serve(Double()) as running:
        yield running


def ask(double: Double, **options) -> Reply:
    client = Client(double.url, "")
    return Reply(lambda: client.ask("вопрос", collection="", history=()), **options)


def test_events_fold_into_what_is_known_so_far():
    found = Found("d1", "Положение.pdf", "текст")
    state = ReplyState()
    for event in (Queued(2, 9.0), Sources((found,)), Token("За "), Token("14 дней")):
        state = advance(state, event)
    assert (state.queued, state.passages, state.text, state.is_over) == (None, (found,), "За 14 дней", False)
    assert advance(state, Answered("За 14 дней [1].")).is_over


def test_a_reply_runs_to_its_answer_by_itself(double):
    reply = ask(double)
    wait_until(lambda: reply.state.is_over)
    assert reply.state.answer is not None
    assert reply.state.text == double.answer


def test_a_plain_model_that_says_nothing_has_answered_all_the_same(double):
    double.plain = ()
    client = Client(double.url, "")
    reply = Reply(lambda: client.chat("вопрос", history=()))
    wait_until(lambda: reply.state.is_over)
    assert (reply.state.text, reply.state.error, reply.state.stopped) == ("", None, False)
    assert reply.state.answer == Answered("", model="saiga")


def test_stopping_closes_the_connection_and_keeps_what_came(double):
    double.pause_s = 0.2
    double.answer = "слово " * 200
    reply = ask(double)
    wait_until(lambda: reply.state.text != "")
    reply.stop()
    assert double.hung_up.wait(timeout=2.0)
    assert reply.state.stopped
    assert reply.state.text.startswith("слово")


def test_stopping_works_before_the_first_word_too(double):
    double.queue, double.pause_s = 5, 30.0
    reply = ask(double)
    wait_until(lambda: reply.state.queued is not None)
    reply.stop()
    assert double.hung_up.wait(timeout=2.0)
    assert (reply.state.stopped, reply.state.queued) == (True, None)


def test_a_reply_that_nobody_watches_is_ended(double):
    double.pause_s = 30.0
    ask(double, unwatched_s=0.3)
    assert double.hung_up.wait(timeout=3.0)


def test_a_stream_that_breaks_off_is_an_error():
    async def events() -> AsyncIterator[Event]:
        yield Token("Полов")

    reply = Reply(events)
    wait_until(lambda: reply.state.is_over)
    assert (reply.state.error, reply.state.text) == (BROKEN, "Полов")


@pytest.mark.parametrize(("said", "shown"), [("Полов", BROKEN.code), ("", "api_down")])
def test_a_service_that_goes_in_mid_answer_leaves_half_an_answer_and_says_so(said: str, shown: str):
    async def events() -> AsyncIterator[Event]:
        yield Token(said)
        raise ClientError("api_down", "Сервис не отвечает.")

    reply = Reply(events)
    wait_until(lambda: reply.state.is_over)
    assert reply.state.error is not None
    assert (reply.state.error.code, reply.state.text) == (shown, said)


async def test_comments_and_unreadable_data_do_not_end_a_stream():
    async def lines() -> AsyncIterator[str]:
        for line in (
            ": ping",
            "",
            "event: token",
            'data: {"text":',
            'data: "а"}',
            "",
            "data: нет",
            "",
            "data: [DONE]",
            "",
        ):
            await asyncio.sleep(0)
            yield line

    assert [event async for event in read_events(lines())] == [("token", {"text": "а"}), ("message", {})]
