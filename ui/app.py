"""The page's script: Streamlit runs it for every visitor and every click. Started by `python -m ui`."""

from __future__ import annotations

import logging
from functools import partial

import streamlit as st

from core.errors import Misconfigured
from core.settings import Settings, load_settings
from ui import documents, evaluations, questions
from ui.client import Client
from ui.look import FAVICON, NAME, notice, show_header
from ui.russian import speak_russian
from ui.visitor import Visitor, client_of, show_visitor, visitor

logger = logging.getLogger(__name__)

BROKEN = "На странице произошла ошибка. Обновите её (F5); если не поможет, сообщите администратору."


VISITORS_MAX = 200
VISIT_S = 3600


# By visitor: their names and keys tell them apart, so none is handed what was made for another.
@st.cache_resource(show_spinner=False, max_entries=VISITORS_MAX, ttl=VISIT_S)
def _connect(url: str, known: Visitor) -> Client:
    return client_of(known, url)


def _show(settings: Settings) -> None:
    known = visitor(settings)
    if known is None:
        return
    client = _connect(settings.api_url, known)
    documents_page = st.Page(
        partial(documents.show, client),
        title="Документы",
        url_path="documents",
    )
    questions_page = st.Page(
        partial(questions.show, client, documents_page=documents_page, question_max_chars=settings.question_max_chars),
        title="Вопросы",
        url_path="questions",
        default=True,
    )
    evaluations_page = st.Page(
        partial(evaluations.show, client, pairs_max_bytes=settings.evaluation_max_bytes),
        title="Проверка",
        url_path="evaluations",
    )
    chosen = st.navigation([questions_page, documents_page, evaluations_page], position="hidden")
    st.set_page_config(page_title=f"{NAME}: {chosen.title}", page_icon=FAVICON, layout="centered")
    show_header(
        {
            ":material/forum:": questions_page,
            ":material/folder_open:": documents_page,
            ":material/fact_check:": evaluations_page,
        }
    )
    chosen.run()
    show_visitor(known)
    speak_russian()


def main() -> None:
    """Draw the page, or say which setting keeps it from being drawn."""
    try:
        settings = load_settings()
    except Misconfigured as exc:
        notice("error", exc.detail, key="settings")
        return
    try:
        _show(settings)
    except Exception:
        # Streamlit would show a visitor an English message that says nothing.
        logger.exception("page failed")
        notice("error", BROKEN, key="page")


main()
