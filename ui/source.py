"""The page that a citation stands on, shown over the conversation."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.types import Citation
from ui.client import Client
from ui.look import failures_shown, quiet
from ui.parts import marked_text
from ui.wire import Found
from ui.words import place, shortened

OPENED = "opened_source"
IMAGE_WIDTH_PX = 1400


@dataclass(frozen=True, slots=True)
class Source:
    """A page to open, and the words to mark on it. Without a page number the document is one long page."""

    document_id: str
    document: str
    title: str
    quote: str
    page: int | None


def open_citation(citation: Citation) -> None:
    """Remember to show the page a citation stands on."""
    st.session_state[OPENED] = Source(
        citation.document_id, citation.document, place(citation), citation.quote, citation.page
    )


def open_passage(found: Found) -> None:
    """Remember to show the page a found passage stands on."""
    st.session_state[OPENED] = Source(found.document_id, found.document, place(found), found.text, found.page)


def show_opened(client: Client) -> None:
    """Show the page that was asked for, until the visitor closes it."""
    source = st.session_state.get(OPENED)
    if source is not None:
        st.dialog("Источник", width="medium", on_dismiss=_close)(_show)(client, source)


def _close() -> None:
    st.session_state.pop(OPENED, None)


def _show(client: Client, source: Source) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(key="about-source"), st.container(key="name-source"):
            st.text(source.title)
        offer_download(client, source.document_id, source.document, label="Скачать документ")
    with failures_shown("source"):
        image = _image(client, source)
        if image:
            quiet(f"«{shortened(source.quote)}»", key="quote")
            st.image(image, width="stretch", alt="Страница документа с выделенной цитатой")
        else:
            marked_text(_text(client, source), source.quote, key="source-text")


def _image(client: Client, source: Source) -> bytes | None:
    if source.page is None:
        return None
    return client.page_image(source.document_id, source.page, quote=source.quote, width_px=IMAGE_WIDTH_PX)


def _text(client: Client, source: Source) -> str:
    if source.page is None:
        return client.page_holding(source.document_id, source.quote).text
    return client.page_text(source.document_id, source.page).text


def offer_download(client: Client, document_id: str, name: str, *, label: str) -> None:
    """A button that fetches the original only when it is pressed."""
    st.download_button(
        label,
        lambda: client.content(document_id),
        file_name=name,
        key=f"download-{document_id}-{label}",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )
