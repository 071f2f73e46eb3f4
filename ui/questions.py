"""The view «Вопросы»: a conversation with the documents, or, plainly marked, with the model alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ui import words
from ui.answer import show_finished, show_running
from ui.client import Client
from ui.look import failures_shown, notice
from ui.reply import Reply
from ui.source import show_opened
from ui.talk import EXACT, Exchange, history
from ui.wire import ClientError, Collection, Event
from ui.words import count, failure

TALK = "talk"
REFRESH_S = 0.3
ALL = ""
PLAIN_NOTICE = (
    "Без документов: отвечает сама модель, по вашим документам ничего не проверяется. Для перевода, черновиков, кода."
)


def show(client: Client, *, documents_page: StreamlitPage, question_max_chars: int) -> None:
    """Draw the view. A question sent here starts a reply that lives in the session."""
    talk: list[Exchange] = st.session_state.setdefault(TALK, [])
    try:
        collections = client.collections()
    except ClientError as exc:
        notice("error", failure(exc), key="api")
        st.button("Повторить", icon=":material/refresh:")
        collections = ()
    else:
        if not talk:
            _welcome(client, sum(collection.documents for collection in collections), documents_page)
    for exchange in talk:
        _show_exchange(client, exchange)
    is_running = bool(talk) and not talk[-1].reply.state.is_over
    collection, is_plain = _choices(talk, collections)
    question = st.chat_input(
        "Подождите ответа или остановите его" if is_running else "Задайте вопрос",
        key="question",
        max_chars=question_max_chars,
        disabled=is_running,
    )
    if question and question.strip():
        talk.append(_ask(client, talk, question.strip(), collection=collection, is_plain=is_plain))
        st.rerun()
    exact = st.session_state.pop(EXACT, None)
    if exact and not is_running:
        talk.append(_ask(client, talk, exact, collection=collection, is_exact=True))
        st.rerun()
    show_opened(client)


def _welcome(client: Client, documents: int, documents_page: StreamlitPage) -> None:
    st.markdown("# Спросите свои документы", anchors=False)
    if documents:
        held = count(documents, "документ", "документа", "документов")
        st.markdown(
            f"В базе {held}. Напишите вопрос внизу обычными словами, например: "
            "«Сколько дней отпуска положено сотруднику?» Под ответом будут источники: нажмите на номер, "
            "и откроется страница, на которой это написано."
        )
        return
    with failures_shown("session"):
        if client.session().may_upload:
            _invite(documents_page)
        else:
            st.markdown("Пока отвечать не по чему: вам не открыт ни один документ. Попросите администратора открыть.")


def _invite(documents_page: StreamlitPage) -> None:
    st.markdown(
        "Пока отвечать не по чему: в базе нет ни одного документа.\n\n"
        "1. Загрузите файлы: договоры, положения, инструкции, таблицы.\n"
        "2. Дождитесь, пока они будут готовы.\n"
        "3. Вернитесь сюда и задайте вопрос обычными словами."
    )
    st.page_link(documents_page, label="Загрузить документы", icon=":material/upload_file:", width="content")


def _choices(talk: list[Exchange], collections: tuple[Collection, ...]) -> tuple[str, bool]:
    is_plain = bool(st.session_state.get("plain"))
    with st.bottom, st.container(key="choices", horizontal=True, vertical_alignment="center", gap="small"):
        sizes = {item.name: item.documents for item in collections}
        collection = st.selectbox(
            "Где искать",
            [ALL, *sizes],
            format_func=lambda name: (
                f"{words.collection(name)} ({sizes[name]})" if name else "Искать во всех документах"
            ),
            key="collection",
            persist_state="session",
            disabled=is_plain,
            label_visibility="collapsed",
            width=280,
        )
        st.toggle(
            "Без документов",
            key="plain",
            persist_state="session",
            help="Говорить с самой моделью: перевод, черновик, код",
        )
        if talk:
            st.button("Новый разговор", icon=":material/add_comment:", on_click=_start_anew)
    if is_plain:
        st.bottom.warning(PLAIN_NOTICE, icon=":material/warning:")
    return collection or ALL, is_plain


def _start_anew() -> None:
    for exchange in st.session_state.get(TALK, []):
        exchange.reply.stop()
    st.session_state[TALK] = []


def _ask(
    client: Client,
    talk: list[Exchange],
    question: str,
    *,
    collection: str,
    is_plain: bool = False,
    is_exact: bool = False,
) -> Exchange:
    turns = history(talk, is_plain=is_plain)

    def events() -> AsyncIterator[Event]:
        if is_plain:
            return client.chat(question, history=turns)
        return client.ask(question, collection=collection, history=turns, exact=is_exact)

    return Exchange(n=len(talk), question=question, reply=Reply(events), is_plain=is_plain)


def _show_exchange(client: Client, exchange: Exchange) -> None:
    with st.chat_message("user", avatar=":material/person:"):
        st.text(exchange.question)
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        if exchange.reply.state.is_over:
            show_finished(client, exchange)
        else:
            st.fragment(partial(_show_running, exchange), run_every=REFRESH_S)()


def _show_running(exchange: Exchange) -> None:
    show_running(exchange)
    if exchange.reply.state.is_over:
        st.rerun()
