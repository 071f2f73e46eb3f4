"""The view «Проверка», run by Streamlit's own test harness against a real HTTP server."""

from __future__ import annotations

import io

import pytest
from streamlit.testing.v1 import AppTest

from evaluation.pairs import read_pairs
from evaluation.report import Failure
from ingest.limits import Limits
from tests.ui_double import Double, serve
from ui.client import Client
from ui.evaluation_result import PAGE_SIZE
from ui.evaluations import READ_ONLY, TEMPLATE
from ui.figures import REASONS, details, percent, progress, worded
from ui.wire import Evaluation, Figure, parse

HOSTILE = "![x](http://evil.test/a.png) <b>жирно</b>"


@pytest.fixture
def double():
    with serve(Double()) as running:
        yield running


def show(url: str) -> None:
    from ui import evaluations
    from ui.client import Client

    evaluations.show(Client(url, ""), pairs_max_bytes=5 * 2**20)


@pytest.fixture
def page(double):
    return AppTest.from_function(show, args=(double.url,), default_timeout=60)


def texts(page: AppTest) -> str:
    return "\n".join(element.value for element in page.text)


def marks(page: AppTest) -> str:
    return "\n".join(element.value for element in page.markdown)


def test_a_file_is_sent_followed_and_its_result_shown(double, page):
    double.add("Приказ.pdf", collection="Кадры")
    page.run()
    assert not page.exception
    assert page.button(key="evaluate").disabled
    page.file_uploader[0].set_value([("Вопросы.csv", b"x", "text/csv")])
    page.selectbox(key="evaluation_collection").set_value("Кадры")
    page.run()
    page.button(key="evaluate").click().run()
    assert not page.exception
    assert "Вопросы.csv" in texts(page)
    assert page.get("progress")[0].proto.text == "Задано 12 из 50 вопросов, осталось примерно 3 мин."
    double.evaluations[0].update(double.finished())
    page.run()
    assert "**Верный ответ: 84\N{NO-BREAK SPACE}%**" in marks(page)
    assert not page.get("progress")
    assert double.evaluations[0]["collection"] == "Кадры"


def test_a_refused_file_is_explained_and_can_be_chosen_again(double, page):
    double.refusal = "Строка 3: пустой вопрос. Исправьте файл и повторите."
    page.run()
    page.file_uploader[0].set_value([("Вопросы.csv", b"x", "text/csv")]).run()
    page.button(key="evaluate").click().run()
    assert "Строка 3: пустой вопрос" in texts(page)
    assert not page.button(key="evaluate").disabled


def test_a_running_one_can_be_stopped(double, page):
    double.evaluate("Вопросы.csv")
    page.run()
    page.button(key="stop-evaluation").click().run()
    assert double.evaluations[0]["status"] == "stopped"
    assert "Проверку остановили." in texts(page)
    assert page.button(key="evaluate")


def test_figures_are_compared_in_words_and_errors_have_reasons(double, page):
    double.evaluate("Вопросы.csv", **double.finished())
    page.run()
    assert "лучше" in marks(page)
    assert "в пределах шума" in marks(page)
    assert "**Ответы вместо отказа: 20\N{NO-BREAK SPACE}%**" in marks(page)
    assert "Место найдено, но вместо ответа — отказ." in texts(page)
    assert "Ожидалось: 28 дней" in texts(page)
    assert "Положение.pdf, п. 4.2, стр.\N{NO-BREAK SPACE}7 — место с ответом" in texts(page)


@pytest.mark.parametrize("failed", [1, 0])
def test_a_report_that_is_withheld_is_not_shown_from_memory_nor_offered(double, page, failed):
    double.evaluate("Вопросы.csv", **double.finished(failed=failed))
    page.run()
    names = {"Отчёт (HTML)", "Данные (JSON)"}
    assert names <= {button.label for button in page.get("download_button")}
    double.withheld = "Отчёт приводит слова документов, которых уже нет. Запустите проверку снова."
    page.run()
    assert not page.exception
    assert double.withheld in texts(page)
    assert "28 дней" not in texts(page)
    assert "Все ответы верны." not in marks(page)
    assert not names & {button.label for button in page.get("download_button")}
    assert "**Верный ответ: 84\N{NO-BREAK SPACE}%**" in marks(page), "the figures stay"


def test_many_errors_are_shown_page_by_page(double, page):
    double.evaluate("Вопросы.csv", **double.finished(failed=PAGE_SIZE + 1))
    page.run()
    assert not page.exception
    assert texts(page).count("Ожидалось:") == PAGE_SIZE


def test_an_interrupted_run_says_why_and_can_be_removed(double, page):
    detail = "Сервис был остановлен во время проверки. Запустите её снова."
    double.evaluate("Вопросы.csv", status="interrupted", error={"code": "interrupted", "detail": detail})
    page.run()
    assert detail in texts(page)
    page.button(key="remove-e1").click().run()
    assert not double.evaluations
    assert detail not in texts(page)


def test_no_markup_is_read_from_questions_answers_or_names(double, page):
    double.evaluate(HOSTILE, **double.finished(text=HOSTILE))
    page.run()
    assert texts(page).count(HOSTILE) >= 4
    assert "evil.test" not in marks(page)
    assert not any("evil.test" in str(element.proto) for element in [*page.button, *page.expander])


def test_a_service_that_is_down_is_said_to_be():
    page = AppTest.from_function(show, args=("http://127.0.0.1:9",), default_timeout=60).run()
    assert "Сервис не отвечает." in texts(page)


def test_the_template_is_a_file_that_the_service_reads(tmp_path):
    path = tmp_path / "Образец.csv"
    path.write_bytes(TEMPLATE)
    assert TEMPLATE.startswith(b"\xef\xbb\xbf")
    assert [bool(pair.answer) for pair in read_pairs(path, Limits())] == [True, True, False]


def test_the_files_of_a_run_are_fetched_by_their_names(double):
    double.evaluate("Вопросы.csv", **double.finished())
    client = Client(double.url, "")
    assert b"<!doctype html>" in client.evaluation_file("e1", "report")
    assert len(client.failed_questions("e1")) == 1
    assert client.rated_questions().startswith(b"\xef\xbb\xbf")
    assert client.start_evaluation("a.csv", io.BytesIO(b"x"), collection="").status == "running"


def test_every_reason_of_the_service_has_words():
    attacks_only = {Failure.OBEYED}
    assert set(REASONS) == set(Failure) - attacks_only


def test_a_refusal_that_failed_to_come_is_counted_the_other_way_round():
    figure = Figure("refused", 0.8, 0.7, 0.9, 10, before=0.6, verdict="better")
    run = parse(Evaluation, {**_run(), "figures": [figure]})
    _, shown = worded(run)[0]
    assert (shown.value, shown.low, shown.high, shown.before) == pytest.approx((0.2, 0.1, 0.3, 0.4))
    assert percent(shown.value) == "20\N{NO-BREAK SPACE}%"
    assert details(shown).startswith("2 из 10 вопросов;")


@pytest.mark.parametrize(
    ("done", "eta_s", "words"),
    [
        (0, None, "Задано 0 из 21 вопроса."),
        (20, 40.0, "Задано 20 из 21 вопроса, осталось примерно 40 с."),
        (21, 0, "Задано 21 из 21 вопроса, готовим отчёт…"),
    ],
)
def test_progress_is_said_with_the_time_left(done, eta_s, words):
    assert progress(parse(Evaluation, _run() | {"done": done, "eta_s": eta_s, "total": 21})) == words


def _run() -> dict:
    return {
        "id": "e1", "name": "a.csv", "status": "done", "done": 10, "total": 10, "created_at": "2026-11-20T09:30:00Z",
    }  # fmt: skip


def test_a_reader_follows_and_reads_evaluations_but_neither_starts_nor_ends_one(double, page):
    double.session = {"name": "Петров", "role": "reader", "editable": [], "edits_all": False}
    double.evaluate("Прежние.csv", editable=False, **double.finished())
    page.run()
    assert not page.exception
    assert READ_ONLY in texts(page)
    assert "**Верный ответ: 84\N{NO-BREAK SPACE}%**" in marks(page)
    double.evaluate("Вопросы.csv", editable=False)
    page.run()
    assert "Вопросы.csv" in texts(page)
    assert not page.file_uploader
    assert [button.label for button in page.button] == []


def test_who_may_change_a_part_of_what_they_read_checks_that_part_alone(double, page):
    double.session = {"name": "Петров", "role": "editor", "editable": ["Кадры"], "edits_all": False}
    double.add("Приказ.pdf", collection="Кадры")
    double.add("Тариф.pdf", collection="Счета", editable=False)
    page.run()
    assert page.selectbox(key="evaluation_collection").options == ["Кадры"]
