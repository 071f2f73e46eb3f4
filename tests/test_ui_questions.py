"""The view «Вопросы», run by Streamlit's own test harness against a real HTTP server."""

from __future__ import annotations

import time

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui_double import QUOTE, Double, serve
from ui.source import OPENED

HOSTILE = "![x](http://evil.test/a.png) <b>жирно</b> [ссылка](http://evil.test) :red[красно] www.evil.test"


@pytest.fixture
def double():
    with serve(Double()) as running:
        running.add("Положение.pdf", collection="Кадры", media_type="application/pdf")
        yield running


@pytest.fixture
def page(double, monkeypatch):
    monkeypatch.setenv("ZNAYKA_UI_API_URL", double.url)
    return AppTest.from_file("../ui/app.py", default_timeout=20).run()


def ask(page: AppTest, question: str) -> AppTest:
    page.chat_input[0].set_value(question).run()
    return answered(page)


def answered(page: AppTest) -> AppTest:
    deadline = time.monotonic() + 20
    while any(button.key.startswith("stop-") for button in page.button if button.key):
        assert time.monotonic() < deadline, "no answer in time"
        time.sleep(0.05)
        page.run()
    return page


def texts(page: AppTest) -> str:
    return "\n".join(element.value for element in page.text)


def button(page: AppTest, label: str):
    return next(button for button in page.button if button.label == label)


def test_the_first_screen_says_what_to_do(page):
    assert not page.exception
    assert "В базе 1 документ" in page.markdown[-1].value
    assert page.chat_input[0].placeholder == "Задайте вопрос"


def test_an_empty_base_says_how_to_begin(double, page):
    double.documents.clear()
    page.run()
    assert any("Загрузите файлы" in element.value for element in page.markdown)


def test_a_reader_of_nothing_is_sent_to_the_administrator_not_to_uploading(double, page):
    double.documents.clear()
    double.session = {"name": "Петров", "role": "reader", "editable": [], "edits_all": False}
    page.run()
    assert any("Попросите администратора" in element.value for element in page.markdown)
    assert "Загрузить документы" not in [link.proto.label for link in page.get("page_link")]


@pytest.mark.parametrize(
    ("escalate", "refused", "said"),
    [
        (True, False, "Ответ может быть неточным: нажмите на номер источника и сверьте ответ с документом."),
        (
            True,
            True,
            "О похожем сказано в том, что нашлось ниже. Если ответа там нет, передайте вопрос специалисту.",
        ),
        (False, False, ""),
    ],
)
def test_an_unsure_answer_says_what_to_do_with_it(double, page, escalate, refused, said):
    double.escalate, double.refused = escalate, refused
    shown = texts(ask(page, "За сколько дней подавать заявление?"))
    assert said in shown
    assert ("неточным" in shown, "специалисту" in shown) == (escalate and not refused, escalate and refused)


def test_a_contradicting_document_is_named_and_opens_where_it_says_so(double, page):
    notice = "В другом документе сказано иначе: «за 10 дней», а не «за 14 дней» (Старое.pdf, стр. 2)."
    old = {"document_id": "d9", "document": "Старое.pdf", "page": 2, "section": None}
    cited = {"n": 2, **old, "quote": "Заявление подают за 10 дней."}
    double.conflicts = [{"kind": "value", "said": "14", "value": "10", "notice": notice, "citation": cited}]
    double.escalate = True
    ask(page, "За сколько дней подавать заявление?")
    assert notice in texts(page)
    assert "неточным" not in texts(page)
    button(page, "2").click().run()
    assert page.session_state[OPENED].quote == "Заявление подают за 10 дней."


def test_an_answer_shows_its_text_citation_and_passages(page):
    ask(page, "За сколько дней подавать заявление?")
    assert not page.exception
    assert "Заявление подают за 14 дней до начала отпуска [1]." in texts(page)
    assert "Положение.pdf, п. 4.2, стр.\N{NO-BREAK SPACE}1" in texts(page)
    assert f"«{QUOTE}»" in texts(page)
    assert page.expander[0].label == "Что нашлось в документах: 1"


def test_a_citation_opens_its_page(page):
    ask(page, "За сколько дней подавать заявление?")
    button(page, "1").click().run()
    assert not page.exception
    assert page.session_state[OPENED].quote == QUOTE


def test_a_follow_up_carries_the_talk_before_it(double, page):
    ask(page, "Сколько дней отпуска?")
    ask(page, "А заявление?")
    assert double.asked[1]["history"] == [{"question": "Сколько дней отпуска?", "answer": double.answer}]


def test_a_new_conversation_forgets_the_old_one(double, page):
    ask(page, "Сколько дней отпуска?")
    button(page, "Новый разговор").click().run()
    assert "Сколько дней отпуска?" not in texts(page)
    ask(page, "А заявление?")
    assert double.asked[1]["history"] == []


def test_the_chosen_collection_is_asked(double, page):
    page.selectbox(key="collection").set_value("Кадры").run()
    ask(page, "вопрос")
    assert double.asked[0]["collection"] == "Кадры"


def test_a_chosen_collection_that_is_gone_does_not_break_the_view(double, page):
    page.selectbox(key="collection").set_value("Кадры").run()
    double.documents.clear()
    page.run()
    assert not page.exception
    assert page.selectbox(key="collection").value == ""


def test_stopping_hangs_up_and_keeps_the_beginning(double, page):
    double.answer, double.pause_s = "слово " * 500, 0.05
    page.chat_input[0].set_value("вопрос").run()
    time.sleep(1.0)
    button(page, "Остановить").click().run()
    assert double.hung_up.wait(timeout=3)
    assert "Ответ остановлен." in texts(page)
    assert "слово" in texts(page)


def test_a_refusal_still_shows_what_was_found(double, page):
    double.refused, double.answer = True, "В документах нет ответа на этот вопрос."
    ask(page, "Кто президент Марса?")
    assert double.answer in texts(page)
    assert page.expander[0].label == "Что нашлось в документах: 1"
    assert not any(button.label == "1" for button in page.button)


def test_the_queue_shows_the_place(double, page):
    double.queue, double.pause_s = 3, 30.0
    page.chat_input[0].set_value("вопрос").run()
    time.sleep(0.5)
    page.run()
    assert any("Вы в очереди: место 3" in element.value for element in page.markdown)
    button(page, "Остановить").click().run()


def test_a_full_service_says_when_to_come_back(double, page):
    double.busy = 7
    ask(page, "вопрос")
    assert "Сейчас слишком много вопросов. Сервис освободится примерно через 7 с." in texts(page)


def test_without_documents_is_marked_and_talks_to_the_plain_model(double, page):
    page.toggle(key="plain").set_value(True).run()
    assert "ничего не проверяется" in page.warning[0].value
    ask(page, "Переведи: уважаемые коллеги")
    assert "Dear colleagues" in texts(page)
    assert "Без документов: ответ модели не проверен." in texts(page)
    assert (len(double.chatted), double.asked) == (1, [])


@pytest.mark.parametrize("pieces", [(), ("\n",)])
def test_a_plain_model_that_says_nothing_is_said_to(double, page, pieces):
    double.plain = pieces
    page.toggle(key="plain").set_value(True).run()
    ask(page, "Напиши рассказ")
    assert "Без документов: модель ничего не ответила. Спросите другими словами." in texts(page)
    assert "не проверен" not in texts(page)
    assert not page.feedback
    ask(page, "Ещё раз")
    assert [message["role"] for message in double.chatted[1]["messages"]] == ["user"]


def test_a_plain_answer_never_becomes_history_of_the_documents(double, page):
    page.toggle(key="plain").set_value(True).run()
    ask(page, "Переведи")
    page.toggle(key="plain").set_value(False).run()
    ask(page, "А отпуск?")
    assert double.asked[0]["history"] == []


def test_a_verdict_is_kept_with_the_documents_it_is_about(double, page):
    ask(page, "вопрос")
    page.feedback[0].set_value(0).run()
    page.text_input(key="comment-0").set_value("Не то")
    button(page, "Отправить").click().run()
    assert [(f["verdict"], f["comment"], f["document_ids"]) for f in double.feedback] == [
        ("down", "", ["d1"]),
        ("down", "Не то", ["d1"]),
    ]


def test_what_documents_and_models_say_is_never_read_as_markup(double, page):
    double.documents.clear()
    double.add(HOSTILE, collection=HOSTILE)
    double.answer = HOSTILE
    ask(page, HOSTILE)
    assert texts(page).count(HOSTILE) >= 3
    read_as_markup = [*page.markdown, *page.caption, *page.warning, *page.error, *page.info, *page.success]
    labels = [*page.button, *page.toggle, *page.expander, *page.get("download_button"), *page.get("page_link")]
    said = [element.value for element in read_as_markup] + [str(element.proto) for element in labels]
    assert said
    assert not any("evil.test" in text for text in said)


def test_code_in_an_answer_is_shown_as_code(double, page):
    double.answer = "Вот:\n```python\nx = 1\n```\nГотово."
    ask(page, "код")
    assert page.code[0].value.strip() == "x = 1"
    assert "Готово." in texts(page)


def test_a_service_that_is_down_is_said_so(monkeypatch):
    monkeypatch.setenv("ZNAYKA_UI_API_URL", "http://127.0.0.1:9")
    page = AppTest.from_file("../ui/app.py", default_timeout=20).run()
    assert not page.exception
    assert "Сервис не отвечает" in texts(page)


def test_a_wrong_setting_is_named(monkeypatch):
    monkeypatch.setenv("ZNAYKA_TOP_K", "много")
    page = AppTest.from_file("../ui/app.py", default_timeout=20).run()
    assert "ZNAYKA_TOP_K" in texts(page)


def test_a_mended_question_is_shown_and_can_be_asked_as_it_was_typed(double, page):
    double.notice = "Показаны результаты для «отпуск»."
    ask(page, "jngecr")
    assert double.notice in texts(page)
    double.notice = None
    button(page, "Искать точно, как написано").click().run()
    answered(page)
    ask(page, "Ещё вопрос")
    assert [(asked["question"], asked.get("exact", False)) for asked in double.asked] == [
        ("jngecr", False),
        ("jngecr", True),
        ("Ещё вопрос", False),
    ]


def test_a_question_taken_as_typed_has_no_notice(page):
    ask(page, "отпуск")
    assert not any(item.label == "Искать точно, как написано" for item in page.button)
