"""How one evaluation came out: the figures in words, the questions that failed, and the files to keep."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ui.client import Client
from ui.figures import FEW, REASONS, Wording, compared, details, percent, worded
from ui.look import notice, quiet
from ui.wire import AskedQuestion, ClientError, Evaluation, Figure, FoundPlace
from ui.words import count, failure, place

PAGE_SIZE = 10
WITHHELD = frozenset({"report_outdated", "report_untraced", "personal_data_masked"})
NO_ANSWER = "(верен отказ)"
FEW_NOTICE = "Вопросов мало, поэтому доли приблизительны. Для надёжного вывода нужно хотя бы полсотни."


def show_result(client: Client, run: Evaluation) -> None:
    """Figures, failed questions and downloads of a run that is over, or why it has none."""
    if run.error is not None:
        notice("warning", run.error.detail, key=f"ended-{run.id}")
        return
    if run.total < FEW:
        notice("info", FEW_NOTICE, key=f"few-{run.id}")
    for wording, figure in worded(run):
        _show_figure(wording, figure)
    if run.compared_with is not None:
        quiet(
            "Сравнение — с предыдущей проверкой того же файла, по вопросам, которые были в обеих. "
            "«В пределах шума» значит, что разница может быть случайной.",
            key=f"compared-{run.id}",
        )
    _show_report(client, run)


def _show_report(client: Client, run: Evaluation) -> None:
    """Asked for each time and not kept: a report is withheld as soon as a document that it quotes is gone."""
    try:
        failed = client.failed_questions(run.id)
    except ClientError as exc:
        notice("info" if exc.code in WITHHELD else "error", failure(exc), key=f"report-{run.id}")
        return
    _show_downloads(client, run)
    _show_failed(run, failed)


def _show_figure(wording: Wording, figure: Figure) -> None:
    with st.container(border=True, key=f"figure-{wording.measure}", gap=None):
        with st.container(key=f"row-{wording.measure}", horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{wording.title}: {percent(figure.value)}**", width="content")
            if change := compared(figure):
                st.markdown(change, width="content")
        quiet(wording.meaning, key=f"meaning-{wording.measure}")
        quiet(details(figure), key=f"details-{wording.measure}")


def _show_downloads(client: Client, run: Evaluation) -> None:
    files = (
        ("Отчёт (HTML)", "report", "html", "text/html"),
        ("Данные (JSON)", "report.json", "json", "application/json"),
    )
    with st.container(key="reports", horizontal=True, gap="small"):
        for label, name, suffix, mime in files:
            st.download_button(
                label,
                partial(client.evaluation_file, run.id, name),
                file_name=f"Проверка {run.created_at.astimezone():%Y-%m-%d %H-%M}.{suffix}",
                mime=mime,
                key=f"{name}-{run.id}",
                icon=":material/download:",
                on_click="ignore",  # drawn again at once, the page can lose the download
            )


def _show_failed(run: Evaluation, failed: tuple[AskedQuestion, ...]) -> None:
    st.markdown("## Где ошибки", anchors=False)
    if not failed:
        st.markdown("Все ответы верны.")
        return
    asked = count(run.total, "вопроса", "вопросов", "вопросов")
    st.markdown(f"{len(failed)} из {asked}. Начните с тех, где место не нашлось: часто нужного документа просто нет.")
    pages = -(-len(failed) // PAGE_SIZE)
    page = 1
    if pages > 1:
        page = st.pagination(pages, key=f"failed-page-{run.id}")
    for n, one in enumerate(failed[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]):
        _show_question(one, n)


def _show_question(one: AskedQuestion, n: int) -> None:
    with st.container(border=True, key=f"failed-{n}", gap="small"):
        with st.container(key=f"name-failed-{n}"):
            st.text(one.question)
        st.text(REASONS.get(one.failure or "", one.failure or ""))
        st.text(f"Ожидалось: {one.expected or NO_ANSWER}")
        st.text(f"Получено: {one.got}")
        with st.expander(f"Что нашлось: {len(one.passages)}", icon=":material/search:"):
            for i, found in enumerate(one.passages):
                _show_found(found, key=f"{n}-{i}")


def _show_found(found: FoundPlace, *, key: str) -> None:
    with st.container(key=f"name-place-{key}"):
        st.text(f"{place(found)} — место с ответом" if found.is_right else place(found))
    st.text(found.text)
