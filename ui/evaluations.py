"""The view «Проверка»: questions with known answers are asked, and it is seen how many answers are right."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.types import Role
from ui.client import Client
from ui.evaluation_result import show_result
from ui.figures import named, progress
from ui.look import failures_shown, notice, quiet
from ui.wire import ClientError, Collection, Evaluation, Session
from ui.words import collection as collection_words
from ui.words import failure

REFRESH_S = 2.0
RUNNING = "running"
ROUND = "evaluation_round"
ALL = ""
READ_ONLY = (
    "Проверку начинает редактор: тот, кому открыто менять проверяемые документы. Об этом праве просят администратора."
)
PURPOSE = (
    "Дайте вопросы, ответы на которые вы знаете: Знайка ответит на каждый, и вы увидите, сколько ответов верны "
    "и где ошибки. Повторяйте проверку после новых документов, смены модели или настроек: станет видно, "
    "лучше стало или хуже."
)
FILE_HELP = (
    "Нужна таблица (CSV, XLSX или JSONL) со столбцами «вопрос» и «ответ»; если известно место — «документ» "
    "(имя файла, как в списке документов) и «страница». Пустой ответ означает, что верен отказ."
)
# Semicolons and a byte order mark: so Russian Excel opens the file as a table with its letters right.
TEMPLATE = (
    "\ufeffвопрос;ответ;документ;страница\r\n"
    "Сколько дней длится ежегодный отпуск?;28 календарных дней;Положение об отпусках.pdf;1\r\n"
    "За сколько дней подать заявление об отпуске?;за 14 дней;;\r\n"
    "Какая завтра погода?;;;\r\n"
).encode()


def show(client: Client, *, pairs_max_bytes: int) -> None:
    """Draw the view: starting a run or following the one that is on, and the results of those that are over."""
    st.markdown("# Проверка ответов", anchors=False)
    st.markdown(PURPOSE)
    try:
        runs, choices = client.evaluations(), _choices(client.session(), client.collections())
    except ClientError as exc:
        notice("error", failure(exc), key="api")
        st.button("Повторить", icon=":material/refresh:")
        return
    running = next((run for run in runs if run.status == RUNNING), None)
    if running is not None:
        st.fragment(partial(_show_running, client, running.id), run_every=REFRESH_S)()
    elif choices:
        _show_start(client, choices, pairs_max_bytes)
    else:
        quiet(READ_ONLY, key="read-only")
    ended = [run for run in runs if run.status != RUNNING]
    if ended:
        _show_ended(client, ended)


def _choices(session: Session, collections: tuple[Collection, ...]) -> list[str]:
    """What the visitor may have checked: collections that they may change, or all that they read."""
    if session.role is Role.READER:
        return []
    names = [each.name for each in collections if session.editable is None or each.name in session.editable]
    return [ALL, *names] if session.edits_all else names


def _show_start(client: Client, choices: list[str], pairs_max_bytes: int) -> None:
    with st.container(key="templates", horizontal=True, gap="small"):
        st.download_button(
            "Скачать образец",
            TEMPLATE,
            file_name="Образец вопросов.csv",
            mime="text/csv",
            key="template",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Скачать оценённые вопросы",
            client.rated_questions,
            file_name="Оценённые вопросы.csv",
            mime="text/csv",
            key="rated",
            icon=":material/thumbs_up_down:",
            on_click="ignore",
            help="Вопросы, ответы на которые оценили на странице «Вопросы». Где ответ плох, впишите верный.",
        )
    started = st.session_state.setdefault(ROUND, 0)
    chosen = st.file_uploader(
        f"Файл с вопросами. {FILE_HELP}", key=f"pairs-{started}", max_upload_size=-(-pairs_max_bytes // 2**20)
    )
    with st.container(key="evaluation-choices", horizontal=True, vertical_alignment="bottom", gap="medium"):
        collection = st.selectbox(
            "По каким документам",
            choices,
            format_func=lambda name: collection_words(name) if name else "По всем",
            key="evaluation_collection",
            persist_state="session",
            width=300,
        )
        is_wanted = st.button(
            "Начать проверку", type="primary", icon=":material/play_arrow:", disabled=chosen is None, key="evaluate"
        )
    if is_wanted and chosen is not None:
        with failures_shown("evaluate"):
            client.start_evaluation(chosen.name, chosen, collection=collection or ALL)
            st.session_state[ROUND] = started + 1
            st.rerun()


def _show_running(client: Client, run_id: str) -> None:
    try:
        run = client.evaluation(run_id)
    except ClientError as exc:
        notice("error", failure(exc), key="running")
        return
    if run.status != RUNNING:
        st.rerun()
    with st.container(border=True, key="evaluation-running"):
        with st.container(key="name-running"):
            st.text(run.name)
        st.progress(run.done / run.total if run.total else 0.0, text=progress(run))
        quiet("Страницу можно закрыть: проверка идёт сама и уступает вопросам людей.", key="running")
        if run.editable and st.button("Остановить", key="stop-evaluation", icon=":material/stop_circle:"):
            with failures_shown("stop-evaluation"):
                client.delete_evaluation(run_id)
                st.rerun()


def _show_ended(client: Client, ended: list[Evaluation]) -> None:
    st.markdown("## Итоги", anchors=False)
    known = {run.id: run for run in ended}
    chosen = st.selectbox(
        "Какую проверку показать",
        list(known),
        format_func=lambda run_id: named(known[run_id]) if run_id in known else "",
        # A run that has just ended is shown at once, whichever was looked at before.
        key=f"evaluation-{ended[0].id}",
        label_visibility="collapsed",
    )
    if chosen is None:
        return
    show_result(client, known[chosen])
    if known[chosen].editable:
        _offer_removal(client, chosen)


def _offer_removal(client: Client, chosen: str) -> None:
    with st.popover("Удалить проверку", icon=":material/delete:"):
        st.markdown("Итоги и отчёт этой проверки пропадут, сравнить с ней будет нельзя.")
        if st.button("Удалить навсегда", type="primary", key=f"remove-{chosen}"):
            with failures_shown("remove"):
                client.delete_evaluation(chosen)
                st.rerun()
