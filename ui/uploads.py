"""Uploading: many files at once, each with its own outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from ui.client import Client
from ui.look import notice
from ui.wire import ClientError, Collection, Session
from ui.words import DEFAULT_COLLECTION, MOVING, collection, failure, files

NEW = "\0new"
FORMATS = "PDF, Word, Excel, PowerPoint, ODT, RTF, HTML, Markdown, текст, CSV, письма EML и архивы ZIP"
ROUND = "upload_round"
OUTCOME = "upload_outcome"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one upload: how many files are new, which were known, which were refused and why."""

    accepted: int
    known: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


def show_upload(client: Client, collections: tuple[Collection, ...], session: Session) -> None:
    """Choose files and one of the collections that the visitor may change, send them, say what came of it."""
    st.markdown("# Добавить документы", anchors=False)
    upload_round = st.session_state.setdefault(ROUND, 0)
    chosen = st.file_uploader(
        f"Перетащите файлы сюда или выберите их: {FORMATS}",
        accept_multiple_files=True,
        key=f"files-{upload_round}",
        on_change=_forget_outcome,
    )
    with st.container(key="upload-choices", horizontal=True, vertical_alignment="bottom", gap="medium"):
        collection = _choose_collection(_offered(collections, session))
        replace = st.toggle(
            "Заменить файл с тем же именем",
            key="replace",
            help="Новая версия займёт место старой. Без этого в базе останутся обе.",
        )
    label = f"Загрузить {files(len(chosen))}" if chosen else "Загрузить"
    if st.button(label, type="primary", icon=":material/upload:", disabled=not chosen, key="upload"):
        if collection:
            st.session_state[OUTCOME] = _send(client, chosen, collection=collection, replace=replace)
            st.session_state[ROUND] = upload_round + 1
            st.rerun()
        notice("error", "Назовите новую коллекцию или выберите из списка.", key="collection")
    _show_outcome(st.session_state.get(OUTCOME))


def _offered(collections: tuple[Collection, ...], session: Session) -> list[str]:
    if session.editable is not None:
        return list(session.editable)
    return [*dict.fromkeys([DEFAULT_COLLECTION, *(each.name for each in collections)]), NEW]


def _choose_collection(names: list[str]) -> str:
    chosen = st.selectbox(
        "В какую коллекцию",
        names,
        format_func=lambda name: "Новая коллекция…" if name == NEW else collection(name),
        key="upload_collection",
        persist_state="session",
        width=300,
        help="Коллекция — это раздел базы, например «Кадры» или «Договоры». Искать можно во всех или в одной.",
    )
    if chosen != NEW:
        return chosen or names[0]
    name = st.text_input("Название новой коллекции", key="new_collection", max_chars=100, width=300)
    return name.strip()


def _forget_outcome() -> None:
    st.session_state.pop(OUTCOME, None)


def _send(client: Client, chosen: Sequence[UploadedFile], *, collection: str, replace: bool) -> Outcome:
    bar = st.progress(0.0)
    accepted, known, refused = 0, [], []
    for i, file in enumerate(chosen):
        bar.progress(i / len(chosen), text=f"Отправляем: {i + 1} из {len(chosen)}")
        try:
            document = client.upload(file.name, file, collection=collection, replace=replace)
        except ClientError as exc:
            refused.append((file.name, failure(exc)))
        else:
            if document.status in MOVING:
                accepted += 1
            else:
                known.append(file.name)
    return Outcome(accepted, tuple(known), tuple(refused))


def _show_outcome(outcome: Outcome | None) -> None:
    if outcome is None:
        return
    if outcome.accepted:
        notice("done", f"Принято: {files(outcome.accepted)}. За готовностью следите в списке ниже.", key="accepted")
    if outcome.known:
        notice("info", "Такой файл уже есть в базе, заново его не читаем: " + ", ".join(outcome.known), key="known")
    for i, (name, reason) in enumerate(outcome.refused):
        notice("error", reason if name in reason else f"{name}: {reason}", key=f"refused-{i}")
