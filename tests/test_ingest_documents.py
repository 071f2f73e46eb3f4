"""What every file of the shared documents gives, through the real sandbox: one entry a line, each looked at by eye."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.errors import UnreadableDocument
from core.types import ParsedDocument
from ingest.limits import Limits
from ingest.sandbox import Sandbox

OFFICE = "soffice"
OCR = "tesseract"


@dataclass(frozen=True)
class Row:
    """A file, how many pages it gives, and words that stand on one of them; `needs` a program for that."""

    path: str
    pages: int
    words: str
    page: int = 1
    needs: str = ""


ROWS = (
    Row("dedoc/LICENSE.upstream.txt", 1, "Apache License"),
    Row("law/gpk_rf.cp1251.txt", 1, "ГРАЖДАНСКИЙ ПРОЦЕССУАЛЬНЫЙ КОДЕКС\nРОССИЙСКОЙ ФЕДЕРАЦИИ"),
    Row("dedoc/laws/minsport_24.12.2013_1112.txt", 1, "Зарегистрирован Минюстом России 13 февраля 2014 г."),
    Row("dedoc/laws/doctypes/инструкция.txt", 1, "Министерства транспорта Российской Федерации"),
    Row("dedoc/laws/doctypes/постановление.txt", 1, "от 21.12.2015 № 571-п"),
    Row("dedoc/laws/doctypes/приказ.txt", 1, "ТАРИФОВ БРЯНСКОЙ ОБЛАСТИ"),
    Row("dedoc/laws/ukrf.docx", 1, "Статья 3. Принцип законности"),
    Row("dedoc/laws/ukrf.odt", 1, "Статья 3. Принцип законности", needs=OFFICE),
    Row("dedoc/laws/ukrf.doc", 1, "Статья 3. Принцип законности", needs=OFFICE),
    Row("dedoc/tz/alpaca_tz.doc", 1, "1. Кормление альпака", needs=OFFICE),
    Row("dedoc/tz/alpaca_tz.docx", 1, "1. Кормление альпака\n- Качество корма должно быть хорошим"),
    Row("dedoc/tz/tz-10ea-2020.docx", 1, "1.1 Основание для выполнения"),
    Row("dedoc/tz/13 молоко 1 полуг.docx", 1, "на закупку продуктов питания (молоко питьевое, пастеризованное)"),
    Row("dedoc/tz/Технические_требования_ГАСУ_(2012-2014)(1)(1)(1).docx", 1, "ЖКХ | Жилищно-коммунальное хозяйство"),
    Row("dedoc/docx/pr14tz_v5_2007_03_01.docx", 1, "Номер контракта – 15345-АШ/Д05 от 03.08.06 г."),
    Row("dedoc/docx/broken.docx", 1, "this is not docx"),
    Row("dedoc/docx/tz.docx", 1, "5. | Аттестация по требованиям безопасности | Усл.ед. | 1"),
    Row("dedoc/docx/big_table_with_merged_cells.docx", 1, "1 |  |  | 2 | 3 | 4 | 5 | 6 | 7 | 8"),
    Row("dedoc/docx/size1.docx", 1, "расшифровка подписи"),
    Row("dedoc/docx/ТЗ_ГИС_3  .odt", 1, "защиту от несанкционированного доступа (НСД)", needs=OFFICE),
    Row("dedoc/docx/with_comments.docx", 1, "Анализируемых концептов (событий и объектов): 1"),
    Row("dedoc/docx/example_footnote_endnote.docx", 1, "Сноски\n1. То – союз в русском языке"),
    Row("dedoc/docx/example.rtf", 1, "Сидоров | Сидор | Сидорович", needs=OFFICE),
    Row("dedoc/htmls/53.html", 1, "Об утверждении правил работы с персональными данными"),
    Row("dedoc/htmls/example_cp1251.html", 1, "Петров | Пётр | Петрович"),
    Row("dedoc/htmls/example_koi.html", 1, "Петров | Пётр | Петрович"),
    Row("dedoc/csvs/books.csv", 1, "0553573403 | book | A Game of Thrones | 7.99 | true | George R.R. Martin"),
    Row("dedoc/csvs/cp1251.csv", 1, "имя | фамилия | возраст\nИванов | Иван | 31"),
    Row("dedoc/xlsx/example.xls", 2, "Лист2\n\n11 | 22 | 33 | 44", page=2),
    Row("dedoc/xlsx/example.xlsx", 2, "Лист2\n\n11 | 22 | 33 | 44", page=2),
    Row("dedoc/pptx/example.ppt", 2, "Some content | A | B | C", page=2, needs=OFFICE),
    Row("dedoc/pptx/test-presentation.pptx", 8, "Custom text field\nBold text", page=5),
    Row("dedoc/archives/broken.zip", 7, "London | The capital of Great Britain", page=7),
    Row("dedoc/archives/zipka.zip", 3, "ZD-dva.jpg | 1", page=2, needs=OCR),
    Row("dedoc/eml/message.eml", 4, "TetSubj\nОт кого: ", needs=OCR),
    Row("law/mintrud_order_112_scan.pdf", 6, "1. Граждане в возрасте 50 лет и старше:", page=3, needs=OCR),
    Row("dedoc/laws/fstek17.pdf", 2, "Список изменяющих документов", page=2, needs=OCR),
    Row("dedoc/laws/14_dev_direct.pdf", 1, "ПРОЕКТ ФЕДЕРАЛЬНОГО ЗАКОНА О ПЕРСОНАЛЬНЫХ"),
    Row("dedoc/laws/with_applications.pdf", 4, "1. Настоящий Порядок устанавливает процедуру", page=2, needs=OCR),
    Row("dedoc/laws/fstec_1_cut.pdf", 2, "УТВЕРЖДЕНЫ приказом ФСТЭК России от 11 февраля 2013 г. № 17", page=2),
    Row("dedoc/laws/ukodeksrf.pdf", 2, "Статья 6. Принцип справедливости", page=2, needs=OCR),
    Row("dedoc/tables/example_with_table1.pdf", 1, "ТЕХНИЧЕСКОЕ ЗАДАНИЕ", needs=OCR),
    Row("dedoc/tables/gost_multipage_table.pdf", 2, "Состав квалификационных испытаний", needs=OCR),
    Row("dedoc/tables/merged_vertical.pdf", 1, "Иван Иванович"),
    Row("dedoc/tables/multipage_table.pdf", 3, "2.6 вававааавава", page=3),
    Row("dedoc/tables/example_mp_table_with_repeate_header_2.pdf", 2, "Вот и все так сказать", page=2),
    Row("dedoc/tz/alpaca_tz.pdf", 1, "На разведение и уход за альпаками"),
    Row("dedoc/pdf_with_text_layer/example.pdf", 1, "1.2.2. Поясним за понятное"),
    Row("dedoc/pdf_with_text_layer/2-column-state.pdf", 1, "Compromising Tor Anonymity"),
    Row("dedoc/pdf_with_text_layer/VVP_6_tables.pdf", 3, "Расходы 19,8 18,6 17,3 16,1", page=2),
    Row("dedoc/pdf_with_text_layer/cp1251.pdf", 1, "Сэр Джон Монтегю"),
    Row("dedoc/pdf_with_text_layer/with_header_footer_2.pdf", 5, "Sales Prospectus March 2015"),
    Row("dedoc/pdf_with_text_layer/multipage.pdf", 9, "Девятая страница", page=9),
    Row("dedoc/scanned/scan_orient_1.jpg", 1, "5.1. Стороны освобождаются от ответственности", needs=OCR),
    Row("dedoc/scanned/example_2_columns.png", 1, "the title hierarchization", needs=OCR),
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(timeout_s=300)) as sandbox:
        yield sandbox


def check_offsets(document: ParsedDocument) -> None:
    for page in document.pages:
        for heading in page.headings:
            assert page.text.startswith(heading.title, heading.start)
        for table in page.tables:
            assert page.text.startswith(table.header, table.start)
            assert table.row_starts[0] == table.start
            assert table.end <= len(page.text)
            assert all(page.text[start - 1] == "\n" for start in table.row_starts[1:])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path.rsplit("/", 1)[-1])
def test_the_file_gives_what_the_table_says(data, sandbox, row, tmp_path):
    if row.needs and not shutil.which(row.needs):
        pytest.skip(f"{row.needs} is not installed")
    path = data / "documents" / row.path
    stored = tmp_path / "0123456789abcdef"  # the file store keeps bytes without their name and its ending
    stored.symlink_to(path.absolute())
    document = sandbox.parse(stored, path.name)
    assert len(document.pages) == row.pages
    assert row.words in document.pages[row.page - 1].text
    assert document.problem is None
    check_offsets(document)


def test_every_file_of_the_set_has_a_row(data):
    folder = data / "documents"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {row.path for row in ROWS}


@pytest.mark.parametrize("row", [row for row in ROWS if row.needs == OFFICE], ids=lambda row: Path(row.path).name)
def test_without_libreoffice_the_reason_names_the_package(data, monkeypatch, tmp_path, row):
    monkeypatch.setenv("PATH", str(tmp_path))
    path = data / "documents" / row.path
    with Sandbox(Limits()) as bare, pytest.raises(UnreadableDocument) as raised:
        bare.parse(path, path.name)
    assert raised.value.code == "needs_libreoffice"
    assert "apt install libreoffice-" in raised.value.detail
