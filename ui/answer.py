"""One answer: while it is being made, and when it is there."""

from __future__ import annotations

import streamlit as st

from core.types import Citation
from ui.client import Client
from ui.look import failures_shown, notice, quiet
from ui.parts import copy_button
from ui.reply import ReplyState
from ui.source import open_citation, open_passage
from ui.talk import EXACT, Exchange
from ui.wire import Found, Verdict
from ui.words import copied, count, failure, place, shortened, waiting

FENCE = "```"
VERDICTS = ("down", "up")
UNSURE = "Ответ может быть неточным: нажмите на номер источника и сверьте ответ с документом."
UNCHECKED = "Без документов: ответ модели не проверен."
EMPTY = "Без документов: модель ничего не ответила. Спросите другими словами."
HAND_OVER = "О похожем сказано в том, что нашлось ниже. Если ответа там нет, передайте вопрос специалисту."


def show_running(exchange: Exchange) -> None:
    """What is there so far, what the service does now, and the button that ends it."""
    state = exchange.reply.state
    if state.interpretation is not None and state.interpretation.notice:
        quiet(state.interpretation.notice, key=f"understood-{exchange.n}")
    if state.text:
        show_text(state.text)
    else:
        st.markdown(f":material/hourglass_top: {_doing(exchange, state)}")
    st.button("Остановить", key=f"stop-{exchange.n}", icon=":material/stop_circle:", on_click=exchange.reply.stop)


def show_finished(client: Client, exchange: Exchange) -> None:
    """The answer, what it rests on, and what the visitor may do with it."""
    state = exchange.reply.state
    if state.interpretation is not None and state.interpretation.notice:
        _show_understood(state.interpretation.notice, exchange)
    if state.text:
        show_text(state.text)
    if state.stopped:
        quiet("Ответ остановлен.", key=f"stopped-{exchange.n}")
    if state.error is not None:
        notice("error", failure(state.error), key=f"reply-{exchange.n}")
    if exchange.is_plain and not state.stopped and state.error is None:
        quiet(UNCHECKED if state.text.strip() else EMPTY, key=f"plain-{exchange.n}")
    if state.answer is not None:
        # What another document says is more than «may be inexact», and says what to do.
        if state.answer.escalate and not state.answer.conflicts:
            quiet(HAND_OVER if state.answer.refused else UNSURE, key=f"trust-{exchange.n}")
        for citation in state.answer.citations:
            _show_citation(citation, key=f"{exchange.n}-{citation.n}")
        for conflict in state.answer.conflicts:
            notice("warning", conflict.notice, key=f"conflict-{exchange.n}-{conflict.citation.n}")
            _show_citation(conflict.citation, key=f"{exchange.n}-{conflict.citation.n}")
    if state.passages:
        _show_passages(state.passages, n=exchange.n)
    if state.answer is not None and state.text.strip():
        _show_actions(client, exchange)


def show_text(text: str) -> None:
    """A model's text: code between fences as code, everything else as it stands, no markup read."""
    for i, part in enumerate(text.split(FENCE)):
        is_code = i % 2 == 1
        if is_code:
            first, newline, rest = part.partition("\n")
            st.code(rest if newline else first, language=None, wrap_lines=True)
        elif part.strip():
            st.text(part.strip("\n"))


def _show_understood(understood: str, exchange: Exchange) -> None:
    """How the question was read, and the way back to the visitor's own words."""
    quiet(understood, key=f"understood-{exchange.n}")
    st.button(
        "Искать точно, как написано",
        key=f"exact-{exchange.n}",
        icon=":material/search:",
        on_click=_ask_exactly,
        args=(exchange.question,),
    )


def _ask_exactly(question: str) -> None:
    st.session_state[EXACT] = question


def _doing(exchange: Exchange, state: ReplyState) -> str:
    if state.queued is not None:
        return waiting(state.queued)
    if exchange.is_plain:
        return "Модель думает…"
    if state.passages is None:
        return "Ищем в документах…"
    found = count(len(state.passages), "фрагмент", "фрагмента", "фрагментов")
    return f"Найдено: {found}. Читаем и готовим ответ…"


def _show_citation(citation: Citation, *, key: str) -> None:
    with st.container(key=f"source-{key}", horizontal=True, vertical_alignment="top", gap="small"):
        st.button(
            str(citation.n),
            key=f"citation-{key}",
            help="Открыть страницу с этой цитатой",
            on_click=open_citation,
            args=(citation,),
        )
        with st.container(gap=None):
            st.text(place(citation))
            quiet(f"«{shortened(citation.quote)}»", key=f"quote-{key}")


def _show_passages(passages: tuple[Found, ...], *, n: int) -> None:
    with st.expander(f"Что нашлось в документах: {len(passages)}", icon=":material/search:"):
        for i, found in enumerate(passages):
            with st.container(key=f"name-found-{n}-{i}"):
                st.text(place(found))
            st.text(found.text)
            st.button(
                "Открыть страницу",
                key=f"found-{n}-{i}",
                icon=":material/description:",
                on_click=open_passage,
                args=(found,),
            )


def _show_actions(client: Client, exchange: Exchange) -> None:
    key = f"verdict-{exchange.n}"
    with st.container(key=f"actions-{exchange.n}", horizontal=True, vertical_alignment="center"):
        state = exchange.reply.state
        copy_button(copied(state.text, state.answer), key=f"copy-{exchange.n}")
        chosen = st.feedback("thumbs", key=key, default=exchange.thumb)
    if chosen != exchange.thumb and chosen is not None:
        with failures_shown(key):
            client.give_feedback(_verdict(exchange, VERDICTS[chosen]))
            exchange.thumb = chosen
    if exchange.thumb is not None:
        quiet("Спасибо, оценка сохранена.", key=key)
        if VERDICTS[exchange.thumb] == "down" and not exchange.is_commented:
            _show_comment(client, exchange)


def _show_comment(client: Client, exchange: Exchange) -> None:
    key = f"comment-{exchange.n}"
    with st.form(f"{key}-form", border=False):
        comment = st.text_input("Что не так? (можно не отвечать)", key=key, max_chars=1000)
        if st.form_submit_button("Отправить") and comment.strip():
            with failures_shown(key):
                client.give_feedback(_verdict(exchange, "down", comment=comment.strip()))
                exchange.is_commented = True
                st.rerun()


def _verdict(exchange: Exchange, verdict: str, *, comment: str = "") -> Verdict:
    answer = exchange.reply.state.answer
    cited = answer.citations if answer else ()
    return Verdict(
        question=exchange.question,
        answer=exchange.reply.state.text,
        verdict=verdict,
        document_ids=tuple(dict.fromkeys(citation.document_id for citation in cited)),
        comment=comment,
    )
