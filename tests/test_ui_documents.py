"""The view «Документы», run by Streamlit's own test harness against a real HTTP server."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.types import Status
from tests.ui_double import Double, serve
from ui.documents import PAGE_SIZE, READ_ONLY

HOSTILE = "![x](http://evil.test/a.png) <b>жирно</b>.pdf"


@pytest.fixture
def double():
    with serve(Double()) as running:
        yield running


def show(url: str) -> None:
    from ui import documents
    from ui.client import Client

    documents.show(Client(url, ""))


@pytest.fixture
def page(double):
    return AppTest.from_function(show, args=(double.url,), default_timeout=20)


def texts(page: AppTest) -> str:
    return "\n".join(element.value for element in page.text)


def marks(page: AppTest) -> str:
    return "\n".join(element.value for element in page.markdown)


def button(page: AppTest, label: str):
    return next(button for button in page.button if button.label == label)


def choose(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.file_uploader[0].set_value([(name, content, "text/plain") for name, content in files])
    return page.run()


def test_an_empty_base_can_only_be_filled(page):
    page.run()
    assert not page.exception
    assert "Пока ни одного документа." in marks(page)
    assert button(page, "Загрузить").disabled


def test_states_and_reasons_are_said_in_russian(double, page):
    reason = "Файл защищён паролем. Снимите пароль и загрузите его снова."
    double.add("Договор.pdf", status="failed", error={"code": "encrypted", "detail": reason})
    double.add("Приказ.pdf", status="embedding", progress={"stage": "embedding", "done": 3, "total": 12})
    page.run()
    assert "Не прочитан" in marks(page)
    assert reason in texts(page)
    assert page.get("progress")[0].proto.text == "Готовим к поиску: 3 из 12"


@pytest.mark.parametrize("status", list(Status))
def test_every_state_has_a_russian_word(double, page, status):
    double.add("Договор.pdf", status=status)
    page.run()
    assert not page.exception
    assert "Договор.pdf" in texts(page)


def test_many_files_are_uploaded_at_once_and_each_has_its_outcome(double, page):
    page.run()
    choose(page, ("Приказ.txt", b"one"), ("Пустой.txt", b""), ("Письмо.txt", b"two"))
    button(page, "Загрузить 3 файла").click().run()
    assert not page.exception
    assert {d["name"] for d in double.documents.values()} == {"Приказ.txt", "Письмо.txt"}
    assert "Принято: 2 файла." in texts(page)
    assert "Пустой.txt: Файл пуст" in texts(page)


def test_a_file_that_is_there_already_is_said_to_be(double, page):
    page.run()
    choose(page, ("Приказ.txt", b"one"))
    button(page, "Загрузить 1 файл").click().run()
    for document in double.documents.values():
        document["status"] = "ready"
    choose(page, ("Приказ.txt", b"one"))
    button(page, "Загрузить 1 файл").click().run()
    assert "уже есть в базе" in texts(page)
    assert len(double.documents) == 1


def test_a_new_collection_gets_its_name_and_needs_one(double, page):
    page.run()
    choose(page, ("Приказ.txt", b"one"))
    page.selectbox(key="upload_collection").select_index(1).run()
    button(page, "Загрузить 1 файл").click().run()
    assert "Назовите новую коллекцию" in texts(page)
    page.text_input(key="new_collection").set_value("Кадры").run()
    button(page, "Загрузить 1 файл").click().run()
    assert [d["collection"] for d in double.documents.values()] == ["Кадры"]


def test_the_switch_replaces_the_file_of_the_same_name(double, page):
    double.add("Приказ.txt")
    page.run()
    choose(page, ("Приказ.txt", b"new"))
    page.toggle(key="replace").set_value(True).run()
    button(page, "Загрузить 1 файл").click().run()
    assert [d["size_bytes"] for d in double.documents.values()] == [3]


def test_documents_are_found_by_a_part_of_their_name(double, page):
    double.add("Приказ об отпуске.pdf")
    double.add("Договор.pdf")
    page.run()
    page.text_input(key="name_filter").set_value("отпуск").run()
    assert "Приказ об отпуске.pdf" in texts(page)
    assert "Договор.pdf" not in texts(page)


def test_a_collection_can_be_shown_alone(double, page):
    double.add("Приказ.pdf", collection="Кадры")
    double.add("Договор.pdf")
    page.run()
    page.selectbox(key="collection_filter").set_value("Кадры").run()
    assert "Приказ.pdf" in texts(page)
    assert "Договор.pdf" not in texts(page)


def test_long_lists_are_paged_both_ways(double, page):
    for n in range(PAGE_SIZE + 1):
        double.add(f"Файл {n:02}.pdf")
    page.run()
    last = f"Файл {PAGE_SIZE:02}.pdf"
    assert last not in texts(page)
    button(page, "Дальше").click().run()
    assert last in texts(page)
    assert button(page, "Дальше").disabled
    button(page, "Назад").click().run()
    assert "Файл 00.pdf" in texts(page)


def test_nothing_is_deleted_before_it_is_confirmed(double, page):
    double.add("Приказ.pdf")
    page.run()
    page.button(key="delete-d1").click().run()
    assert list(double.documents) == ["d1"]
    page.button(key="delete-cancelled").click().run()
    assert list(double.documents) == ["d1"]
    page.button(key="delete-d1").click().run()
    page.button(key="delete-confirmed").click().run()
    assert not double.documents
    assert "Приказ.pdf" not in texts(page)


def test_the_list_follows_documents_until_they_are_ready(double, page):
    document = double.add("Приказ.pdf", status="parsing", progress={"stage": "parsing", "done": 1, "total": 2})
    page.run()
    assert "Читаем" in marks(page)
    document.update(status="ready", progress=None)
    page.run()
    assert "Готов" in marks(page)
    assert not page.get("progress")


def test_a_file_name_is_never_read_as_markup(double, page):
    double.add(HOSTILE, status="failed", error={"code": "x", "detail": HOSTILE})
    page.run()
    page.button(key="delete-d1").click().run()
    assert texts(page).count(HOSTILE) >= 3
    assert "evil.test" not in marks(page)
    assert not any("evil.test" in str(element.proto) for element in page.button)


def test_a_reader_is_shown_neither_uploading_nor_deleting(double, page):
    double.session = {"name": "Петров", "role": "reader", "editable": [], "edits_all": False}
    double.add("Приказ.pdf", editable=False)
    page.run()
    assert not page.exception
    assert READ_ONLY in texts(page)
    assert "Приказ.pdf" in texts(page)
    assert not page.file_uploader
    assert [button.label for button in page.button] == []


def test_an_editor_of_some_collections_may_upload_to_these_and_delete_theirs(double, page):
    double.session = {"name": "Петров", "role": "editor", "editable": ["Кадры"], "edits_all": False}
    double.add("Приказ.pdf", collection="Кадры")
    double.add("Тариф.pdf", collection="Счета", editable=False)
    page.run()
    assert page.selectbox(key="upload_collection").options == ["Кадры"]
    assert [button.key for button in page.button if button.label == "Удалить"] == ["delete-d1"]
    choose(page, ("Новый.txt", b"text"))
    button(page, "Загрузить 1 файл").click().run()
    assert double.documents["d3"]["collection"] == "Кадры"
