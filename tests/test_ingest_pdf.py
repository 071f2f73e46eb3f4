"""What real PDFs give; expected words were read off the rendered pages."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from core.errors import UnreadableDocument
from core.types import ParsedDocument
from ingest.limits import Limits
from ingest.ocr import Tesseract
from ingest.pdfium import PdfiumDocument
from ingest.pypdf_text import PypdfText
from ingest.readers import pdf
from tests.hostile_truth import pypdf_says

LIMITS = Limits()
needs_ocr = pytest.mark.skipif(Tesseract.find() is None, reason="needs tesseract with rus")

LAYERED = [
    ("dedoc/laws/14_dev_direct.pdf", 1, "Статья 1. Сфера действия настоящего Федерального закона\n1. Настоящим"),
    ("dedoc/laws/14_dev_direct.pdf", 1, "связанные с обработкой персональных данных, осуществляемой федеральными"),
    ("dedoc/laws/fstec_1_cut.pdf", 1, "Федерального закона от 27 июля 2006 г. № 149-ФЗ «Об информации"),
    ("dedoc/laws/fstec_1_cut.pdf", 2, "I. Общие положения\n1. Настоящие Требования разработаны в соответствии"),
    ("dedoc/pdf_with_text_layer/VVP_6_tables.pdf", 1, "Китайская народная республика и Япония.\nТаблица 1"),
    (
        "dedoc/pdf_with_text_layer/VVP_6_tables.pdf",
        1,
        "\nГосударство Место ВВП (по ППС) за 2018 г.\nКитай 1 25362\nСША 2 20494\n",
    ),
    ("dedoc/pdf_with_text_layer/VVP_6_tables.pdf", 2, "\nДоходы 16,1 15,4 15,1 15,0\n"),
    ("dedoc/pdf_with_text_layer/cp1251.pdf", 1, "английский аристократ, 2-й барон Монтегю с 1390"),
    ("dedoc/pdf_with_text_layer/example.pdf", 1, "Статья 2\nДадим пояснения\n1.2.1 Поясним за непонятное\n"),
    ("dedoc/pdf_with_text_layer/example.pdf", 1, "\n1 Иванов Иван ИСП 8-800\n"),
    ("dedoc/pdf_with_text_layer/multipage.pdf", 9, "Девятая страница"),
    ("dedoc/pdf_with_text_layer/with_header_footer_2.pdf", 1, "as well as by the latest semi-annual report"),
    ("dedoc/pdf_with_text_layer/with_header_footer_2.pdf", 2, "Shares of the Company are offered to retail"),
    ("dedoc/tables/example_mp_table_with_repeate_header_2.pdf", 2, "Данные 7 Данные 7 Данные 7 Данные 7 Данные 7\n"),
    ("dedoc/tables/merged_vertical.pdf", 1, "Фамилия\nИванов\nПетров"),
    ("dedoc/tables/multipage_table.pdf", 1, "N, п/п Тех характеристика Показатель"),
    ("dedoc/tz/alpaca_tz.pdf", 1, "- Альпаку надо пасти на высоте около 3500 метров над уровнем моря."),
]
SCANNED = [
    (
        "dedoc/laws/fstek17.pdf",
        2,
        "1. Настоящие Требования разработаны в соответствии с Федеральным законом от 27 июля",
    ),
    (
        "dedoc/laws/ukodeksrf.pdf",
        1,
        "Статья 1. Уголовное законодательство Российской Федерации\n1. Уголовное законодательство",
    ),
    ("dedoc/laws/with_applications.pdf", 2, "1. Настоящий Порядок устанавливает процедуру согласования субъектом"),
    ("dedoc/tables/gost_multipage_table.pdf", 1, "Таблица 6.1 — Состав квалификационных испытаний"),
]


def read(path: Path) -> ParsedDocument:
    return pdf.read(path, LIMITS)


def outcome(path: Path) -> str:
    """`text`, or the code of a Russian reason."""
    try:
        document = read(path)
    except UnreadableDocument as exc:
        return exc.code if re.search("[а-я]{4}", exc.detail) else "no reason"
    return "text" if any(page.text for page in document.pages) else "nothing"


def excerpt(source: Path, pages: list[int], target: Path) -> Path:
    """Write some pages of a PDF, counted from 1, to a file of their own."""
    writer = PdfWriter()
    writer.append(source, pages=[page - 1 for page in pages])
    writer.write(target)
    return target


@pytest.mark.parametrize(("name", "page", "words"), LAYERED)
def test_a_text_layer_is_read(data: Path, name: str, page: int, words: str) -> None:
    document = read(data / "documents" / name)
    assert words in document.pages[page - 1].text
    assert document.problem is None


@needs_ocr
@pytest.mark.parametrize(("name", "page", "words"), SCANNED)
def test_scans_and_broken_text_layers_are_recognised(
    data: Path, tmp_path: Path, name: str, page: int, words: str
) -> None:
    document = read(excerpt(data / "documents" / name, [page], tmp_path / "page.pdf"))
    assert words in document.pages[0].text
    assert len(document.pages[0].text) > 1000
    assert document.problem is None


@needs_ocr
def test_a_scan_is_read_page_by_page(data: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = excerpt(data / "documents/law/mintrud_order_112_scan.pdf", [1, 2], tmp_path / "scan.pdf")
    document = pdf.read(path, LIMITS, lambda *p: seen.append(p))
    assert seen == [(1, 2), (2, 2)]
    assert document.problem is None
    assert "от 16 января 2023 г. № 11 «Об утверждении перечня рекомендуемых документов" in document.pages[0].text
    assert "Министр" in document.pages[1].text


def test_columns_are_read_one_after_the_other(data: Path) -> None:
    text = read(data / "documents/dedoc/pdf_with_text_layer/2-column-state.pdf").pages[0].text
    assert "fundamental requirement to the adoption of P2P protocols" in text
    assert "third party plugins or web components (JavaScript, Flash, CCS, cookies, etc.) present in the victim" in text
    assert text.index("1. INTRODUCTION") < text.index("In order to prevent or at least reduce these attacks")


def test_words_torn_by_one_parser_come_from_the_other(data: Path) -> None:
    path = data / "documents/dedoc/pdf_with_text_layer/cp1251.pdf"
    torn = PypdfText(path, cpu_s=60).text(0)
    assert torn is not None
    assert "Подвязк и" in torn
    assert "кавалер ордена Подвязки" in read(path).pages[0].text


def test_without_tesseract_scans_and_soup_are_no_text_and_say_so(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnreadableDocument, match="только изображение: 1–6") as scan:
        read(data / "documents/law/mintrud_order_112_scan.pdf")
    with pytest.raises(UnreadableDocument, match="испорченным текстовым слоем: 2") as soup:
        read(data / "documents/dedoc/laws/fstek17.pdf")
    for caught in (scan, soup):
        assert caught.value.code == "no_text"
        assert "tesseract-ocr-rus" in caught.value.detail


def test_without_tesseract_a_mixed_document_names_its_pages(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = PdfWriter()
    for name in ("laws/fstec_1_cut.pdf", "tables/gost_multipage_table.pdf", "laws/ukodeksrf.pdf"):
        writer.append(data / "documents/dedoc" / name)
    writer.add_blank_page(595, 842)
    writer.write(tmp_path / "mixed.pdf")
    monkeypatch.setenv("PATH", "")
    document = read(tmp_path / "mixed.pdf")
    assert len(document.pages) == 7
    assert document.problem is not None
    assert document.problem.code == "pages_without_text"
    assert "изображение: 3–4." in document.problem.detail
    assert "слоем: 5–6." in document.problem.detail
    assert "Настоящие Требования" in document.pages[1].text


def test_ocr_stops_in_time_and_keeps_what_was_read(data: Path, tmp_path: Path) -> None:
    writer = PdfWriter()
    for name in ("laws/fstec_1_cut.pdf", "tables/gost_multipage_table.pdf"):
        writer.append(data / "documents/dedoc" / name)
    writer.write(tmp_path / "mixed.pdf")
    if Tesseract.find() is None:
        pytest.skip("needs tesseract with rus")
    document = pdf.read(tmp_path / "mixed.pdf", Limits(timeout_s=0.001))
    assert "ФСТЭК России" in document.pages[0].text
    assert document.problem is not None
    assert "не хватило времени: 3–4" in document.problem.detail


def test_values_of_a_form_are_text(data: Path) -> None:
    text = read(data / "hostile/pypdf/resources__SF424_page2.pdf").pages[0].text
    assert "Enter name of Federal agency.: U.S. Department of Interior, Fish and Wildlife Service" in text


def test_blank_pages_are_no_fault(data: Path, tmp_path: Path) -> None:
    writer = PdfWriter(clone_from=data / "documents/dedoc/pdf_with_text_layer/multipage.pdf")
    writer.insert_blank_page(595, 842, 1)
    writer.write(tmp_path / "blank.pdf")
    document = read(tmp_path / "blank.pdf")
    assert document.problem is None
    assert [page.text for page in document.pages[:3]] == ["Первая страница", "", "Вторая страница"]


def test_nothing_but_blank_pages_is_no_text(tmp_path: Path) -> None:
    writer = PdfWriter()
    writer.add_blank_page(595, 842)
    writer.write(tmp_path / "blank.pdf")
    with pytest.raises(UnreadableDocument, match="Все страницы пустые") as caught:
        read(tmp_path / "blank.pdf")
    assert caught.value.code == "no_text"


def test_a_password_is_a_reason_and_an_empty_one_is_tried(data: Path, tmp_path: Path) -> None:
    source = data / "documents/dedoc/pdf_with_text_layer/example.pdf"
    for name, password in (("open", ""), ("closed", "тайна")):
        writer = PdfWriter(clone_from=PdfReader(source))
        writer.encrypt(password, "owner", algorithm="RC4-128")
        writer.write(tmp_path / name)
    assert "Дадим пояснения" in read(tmp_path / "open").pages[0].text
    with pytest.raises(UnreadableDocument) as caught:
        read(tmp_path / "closed")
    assert caught.value.code == "encrypted"


def test_a_file_without_pages_is_refused(tmp_path: Path) -> None:
    PdfWriter().write(tmp_path / "none.pdf")
    with pytest.raises(UnreadableDocument) as caught:
        read(tmp_path / "none.pdf")
    assert caught.value.code == "no_pages"


def test_too_many_pages_are_refused(data: Path) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        pdf.read(data / "documents/dedoc/pdf_with_text_layer/multipage.pdf", Limits(max_pages=8))
    assert caught.value.code == "too_many_pages"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9])
def test_half_a_file_is_read_or_refused(data: Path, tmp_path: Path, share: float) -> None:
    whole = (data / "documents/dedoc/pdf_with_text_layer/with_header_footer_2.pdf").read_bytes()
    (tmp_path / "cut.pdf").write_bytes(whole[: int(len(whole) * share)])
    assert outcome(tmp_path / "cut.pdf") in ("text", "damaged", "no_text", "no_pages")


def test_what_only_pypdf_opens_is_read(data: Path, tmp_path: Path) -> None:
    sound = (data / "documents/dedoc/pdf_with_text_layer/example.pdf").read_bytes()
    (tmp_path / "late.pdf").write_bytes(b"\n" * 2000 + sound)  # pdfium wants the header within 1,024 bytes
    with pytest.raises(UnreadableDocument):
        PdfiumDocument(tmp_path / "late.pdf")
    assert "Дадим пояснения" in read(tmp_path / "late.pdf").pages[0].text


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No collection of memory, which swallows the signal that time is up: the next one comes too late for one page."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_page_that_takes_pypdf_too_long_is_given_up(data: Path, uncollected: None) -> None:
    path = data / "hostile/pypdf/resources__issue-301.pdf"
    assert PypdfText(path, cpu_s=60.0).text(0)  # what is loaded once is loaded now
    started_s = time.process_time()
    assert PypdfText(path, cpu_s=60.0).text(0)
    whole_s = time.process_time() - started_s  # how long it takes is this machine's affair
    started_s = time.process_time()
    assert PypdfText(path, cpu_s=whole_s / 5).text(0) is None
    assert time.process_time() - started_s < whole_s


def hostile_files() -> list[Path]:
    root = Path(__file__).resolve().parent.parent.parent / "shared/data/hostile"
    return sorted([*root.glob("pypdf/*.pdf"), *root.glob("pikepdf/*.pdf")])


@pytest.mark.parametrize("path", hostile_files(), ids=lambda path: path.name)
def test_odd_files_end_in_text_or_in_a_reason(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # their scans are English: OCR is tested elsewhere
    started = time.monotonic()
    end = outcome(path)
    assert time.monotonic() - started < 30
    assert end == "text" or end in pypdf_says(path)
