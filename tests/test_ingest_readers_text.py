import tarfile
from pathlib import Path

import pytest

from core.errors import UnreadableDocument
from core.types import Page, ParsedDocument
from ingest.limits import Limits
from ingest.readers import read


@pytest.fixture
def parse(tmp_path):
    def of(data: str | bytes, name: str) -> ParsedDocument:
        path = tmp_path / "upload"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return read(path, name, Limits(), lambda _done, _total: None)

    return of


def only_page(document: ParsedDocument) -> Page:
    (page,) = document.pages
    return page


def outline(page: Page) -> list[tuple[int, str]]:
    for heading in page.headings:
        assert page.text.startswith(heading.title, heading.start)
    return [(heading.level, heading.title) for heading in page.headings]


def table_lines(page: Page) -> list[list[str]]:
    for table in page.tables:
        assert page.text.startswith(table.header, table.row_starts[0])
        assert table.start == table.row_starts[0]
    return [page.text[table.start : table.end].split("\n") for table in page.tables]


def test_a_text_keeps_its_lines_and_loses_what_cannot_be_seen(parse):
    page = only_page(parse("  Статья\u00a01\r\n\r\nпере\u00adнос \r\n", "a.txt"))
    assert page.text == "  Статья 1\n\nперенос"
    assert page.number is None


def test_markdown_gives_headings_at_their_places(parse):
    page = only_page(parse("# Правила {#rules}\n\nТекст\n\nОбщее\n---\n\n### 1.2 *Отпуск* ###\n", "a.md"))
    assert outline(page) == [(1, "Правила"), (2, "Общее"), (3, "1.2 Отпуск")]


def test_markdown_loses_its_marks_and_keeps_its_words(parse):
    page = only_page(
        parse(
            "---\ntitle: Памятка\n---\n\n{% note info %}\n\nСм. [раздел](../a.md#b) и **{{ compute-name }}**, ~~нет~~ "
            '`снимок_диска`.\n{% cut "Подробно" %}\n![схема](a.png) 2 * 3 * 4, snake_case_name\n'
            "{% endcut %}\n<!-- тайна -->",
            "a.md",
        )
    )
    assert page.text == (
        "Памятка\n\nСм. раздел и compute-name, нет снимок_диска.\nПодробно\nсхема 2 * 3 * 4, snake_case_name"
    )


def test_code_in_markdown_is_kept_to_the_letter(parse):
    page = only_page(parse("Пример:\n\n```bash\n# не заголовок\nls *.md | [x](y)\n```\n\nИ `{a: [1](2)}`.\n", "a.md"))
    assert "# не заголовок\nls *.md | [x](y)" in page.text
    assert "И {a: [1](2)}." in page.text
    assert page.headings == ()


def test_markdown_tables_become_rows(parse):
    page = only_page(parse("Цены:\n\nТовар | Цена\n--- | ---:\n**Сыр** | 500\\|600\nХлеб |\n\nКонец", "a.md"))
    assert table_lines(page) == [["Товар | Цена", "Сыр | 500|600", "Хлеб"]]
    assert page.text.endswith("Хлеб\n\nКонец")


def test_html_gives_what_a_browser_shows(parse):
    page = only_page(
        parse(
            "<html><head><title>Т</title><style>p{}</style></head><body><nav>Меню</nav><h1>Приказ</h1>"
            "<p>Строка&nbsp;1,<br>строка <b>2</b></p><script>alert(1)</script><div style='display: none'>скрыто</div>"
            "<ol><li><p>Первый</p></li><li>второй<ul><li>а</li></ul></li></ol><footer>подвал</footer></body>",
            "a.html",
        )
    )
    assert page.text == "Приказ\nСтрока 1,\nстрока 2\n\n1. Первый\n2. второй\n- а"
    assert outline(page) == [(1, "Приказ")]


def test_html_tables_of_data_are_tables_and_those_of_layout_are_not(parse):
    page = only_page(
        parse(
            "<body><table><tr><td><table><tr><th>Имя<th>Год</tr><tr><td>Иван<td>1990</tr></table></td></tr>"
            "<tr><td>Просто текст</td></tr></table>",
            "a.html",
        )
    )
    assert table_lines(page) == [["Имя | Год", "Иван | 1990"]]
    assert page.text.endswith("\n\nПросто текст")


@pytest.mark.parametrize("charset", ["windows-1251", "koi8-r", "utf-8"])
def test_html_is_read_in_the_charset_it_declares(parse, charset):
    source = f'<html><head><meta charset="{charset}"></head><body><p>Щи да каша</p>'
    assert only_page(parse(source.encode(charset), "a.html")).text == "Щи да каша"


def test_html_nested_a_thousand_deep_is_read(parse):
    assert only_page(parse("<html>" + "<div>" * 1000 + "дно", "a.html")).text == "дно"


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_csv_is_cut_at_its_own_delimiter(parse, delimiter):
    rows = [["№", "Товар", "Цена"], ["1", '"Сыр, твёрдый; жёлтый"', "500"], ["2", "Хлеб", "40"]]
    source = "\r\n".join(delimiter.join(row) for row in rows)
    page = only_page(parse(source.encode("cp1251", errors="replace"), "a.csv"))
    assert table_lines(page) == [["№ | Товар | Цена", "1 | Сыр, твёрдый; жёлтый | 500", "2 | Хлеб | 40"]]


def test_a_csv_with_a_line_feed_in_a_cell_keeps_one_row_a_line(parse):
    page = only_page(parse('а;б\n1;"две\nстроки"\n', "a.csv"))
    assert table_lines(page) == [["а | б", "1 | две строки"]]


@pytest.mark.parametrize(("source", "name"), [("<html><body></body></html>", "a.html"), ("---\na: b\n---\n", "a.md")])
def test_a_file_without_words_says_so(parse, source, name):
    with pytest.raises(UnreadableDocument) as raised:
        parse(source, name)
    assert raised.value.code == "no_text"


def test_a_whole_knowledge_base_is_read_without_its_template_marks(data, tmp_path):
    with tarfile.open(data / "kb" / "yandex_cloud_ru.tar.xz") as archive:
        members = [member for member in archive if member.name.endswith(".md")][::40]
        for number, member in enumerate(members):
            source = archive.extractfile(member)
            assert source is not None
            (tmp_path / f"{number}.md").write_bytes(source.read())
    marked = [path for path in tmp_path.glob("*.md") if has_marks(path)]
    assert len(members) > 50
    assert len(marked) <= 2


def has_marks(path: Path) -> bool:
    try:
        text = only_page(read(path, path.name, Limits(), lambda _done, _total: None)).text
    except UnreadableDocument:
        return False
    return "{%" in text or "{{" in text or "](" in text
