"""The view «Документы»: what is in the base, in which state, and what may be done with it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.types import Status
from ui.client import Client
from ui.look import notice, quiet
from ui.source import offer_download
from ui.uploads import show_upload
from ui.wire import ClientError, Collection, DocumentList, Listed
from ui.words import MOVING, POLICY_WORDS, collection, facts, failure, personal, stage, status

REFRESH_S = 2.0
PAGE_SIZE = 20
DELETING = "deleting"
CURSORS = "document_cursors"
IS_MOVING = "documents_move"
ALL = ""
READ_ONLY = "Документы здесь добавляют и удаляют редакторы. Если нужно и вам, попросите администратора дать это право."

ICONS = {
    Status.QUEUED: ":gray[:material/schedule:]",
    Status.PARSING: ":blue[:material/hourglass_top:]",
    Status.EMBEDDING: ":blue[:material/hourglass_top:]",
    Status.READY: ":green[:material/check_circle:]",
    Status.PARTIAL: ":orange[:material/error:]",
    Status.FAILED: ":red[:material/cancel:]",
}


def show(client: Client) -> None:
    """Draw the view: uploading, the list that follows its documents, and the question before a deletion."""
    try:
        session, collections = client.session(), client.collections()
    except ClientError as exc:
        notice("error", failure(exc), key="api")
        st.button("Повторить", icon=":material/refresh:")
        return
    if session.may_upload:
        show_upload(client, collections, session)
    else:
        quiet(READ_ONLY, key="read-only")
    st.markdown("## Загруженные документы", anchors=False)
    _filters(collections)
    is_moving = st.session_state.get(IS_MOVING, False)
    st.fragment(partial(_show_list, client), run_every=REFRESH_S if is_moving else None)()
    _confirm_deletion(client)


def _filters(collections: tuple[Collection, ...]) -> None:
    left, right = st.columns([2, 1])
    left.text_input("Найти по названию", key="name_filter", placeholder="Часть названия файла", on_change=_first_page)
    right.selectbox(
        "Коллекция",
        [ALL, *(each.name for each in collections)],
        format_func=lambda name: collection(name) if name else "Все",
        key="collection_filter",
        persist_state="session",
        on_change=_first_page,
    )
    chosen = [each for each in collections if each.name == (st.session_state.get("collection_filter") or ALL)]
    for each in chosen:
        if said := POLICY_WORDS[each.personal_data]:
            quiet(said, key="policy")


def _first_page() -> None:
    st.session_state[CURSORS] = []


def _listed(client: Client) -> DocumentList | None:
    cursors = st.session_state.setdefault(CURSORS, [])
    try:
        return client.documents(
            name=st.session_state.get("name_filter", "").strip(),
            collection=st.session_state.get("collection_filter") or ALL,
            cursor=cursors[-1] if cursors else None,
            limit=PAGE_SIZE,
        )
    except ClientError as exc:
        notice("error", failure(exc), key="list")
        return None


def _show_list(client: Client) -> None:
    listed = _listed(client)
    if listed is None:
        return
    if not listed.items:
        is_filtered = st.session_state.get("name_filter") or st.session_state.get("collection_filter")
        nothing = "Ничего не найдено: измените название или коллекцию." if is_filtered else "Пока ни одного документа."
        st.markdown(nothing)
    for document in listed.items:
        _show_document(client, document)
    _show_paging(listed)
    is_moving = any(document.status in MOVING for document in listed.items)
    if is_moving != st.session_state.get(IS_MOVING, False):
        st.session_state[IS_MOVING] = is_moving
        st.rerun()


def _show_document(client: Client, document: Listed) -> None:
    with st.container(border=True, key=f"document-{document.id}", gap="small"):
        with st.container(key=f"row-{document.id}", horizontal=True, vertical_alignment="center", gap="small"):
            with st.container(key=f"about-{document.id}", gap=None):
                with st.container(key=f"name-{document.id}"):
                    st.text(document.name)
                quiet(facts(document), key=f"facts-{document.id}")
                if held := personal(document):
                    quiet(held, key=f"personal-{document.id}")
            st.markdown(f"{ICONS[document.status]} {status(document)}", width="content")
            offer_download(client, document.id, document.name, label="Скачать")
            if document.editable:
                _offer_deletion(document)
        if document.progress is not None and document.status in MOVING:
            done = document.progress.done / document.progress.total if document.progress.total else 0.0
            st.progress(min(max(done, 0.0), 1.0), text=stage(document.progress))
        if document.error is not None:
            notice("error" if document.status is Status.FAILED else "warning", document.error.detail, key=document.id)


def _offer_deletion(document: Listed) -> None:
    if st.button("Удалить", key=f"delete-{document.id}", icon=":material/delete:", type="tertiary"):
        st.session_state[DELETING] = document
        st.rerun()


def _show_paging(listed: DocumentList) -> None:
    cursors = st.session_state[CURSORS]
    if not cursors and listed.next_cursor is None:
        return
    with st.container(horizontal=True):
        st.button("Назад", icon=":material/chevron_left:", disabled=not cursors, on_click=_back)
        st.button(
            "Дальше",
            icon=":material/chevron_right:",
            disabled=listed.next_cursor is None,
            on_click=_forward,
            args=(listed.next_cursor,),
        )


def _forward(cursor: str) -> None:
    st.session_state[CURSORS].append(cursor)


def _back() -> None:
    st.session_state[CURSORS].pop()


def _confirm_deletion(client: Client) -> None:
    document = st.session_state.get(DELETING)
    if document is not None:
        st.dialog("Удалить документ?", on_dismiss=_forget_deletion)(_ask_deletion)(client, document)


def _forget_deletion() -> None:
    st.session_state.pop(DELETING, None)


def _ask_deletion(client: Client, document: Listed) -> None:
    with st.container(key="name-deleting"):
        st.text(document.name)
    st.markdown("Знайка сразу перестанет отвечать по этому документу. Вернуть его можно, только загрузив файл снова.")
    with st.container(horizontal=True):
        if st.button("Удалить навсегда", type="primary", key="delete-confirmed"):
            try:
                client.delete(document.id)
            except ClientError as exc:
                notice("error", failure(exc), key="deleting")
            else:
                _forget_deletion()
                st.rerun()
        if st.button("Оставить", key="delete-cancelled"):
            _forget_deletion()
            st.rerun()
