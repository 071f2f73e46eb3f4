from __future__ import annotations

from pathlib import Path

import pytest

from cli.asking import show_citations
from cli.console import size, table
from cli.documents import find_files
from core.errors import InvalidRequest
from core.types import Citation
from ui.wire import Answered


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_a_document_is_named_as_its_file_wherever_that_lies(tmp_path: Path) -> None:
    make(tmp_path, "б.txt", "кадры/отпуск  2026.pdf")

    assert [name for name, _ in find_files(tmp_path)] == ["б.txt", "отпуск  2026.pdf"]


def test_files_of_one_name_keep_their_folders_so_that_none_replaces_another(tmp_path: Path) -> None:
    make(tmp_path, "кадры/index.md", "склад/index.md", "склад/план.md")

    assert [name for name, _ in find_files(tmp_path)] == ["кадры/index.md", "склад/index.md", "план.md"]


def test_hidden_files_and_folders_are_left_out_even_below_a_hidden_folder_that_was_named(tmp_path: Path) -> None:
    make(tmp_path, ".база/а.txt", ".база/.git/config", ".база/.DS_Store")

    assert [name for name, _ in find_files(tmp_path / ".база")] == ["а.txt"]


def test_a_single_file_may_be_named(tmp_path: Path) -> None:
    make(tmp_path, "а.txt")

    assert find_files(tmp_path / "а.txt") == [("а.txt", tmp_path / "а.txt")]


@pytest.mark.parametrize("name", ["", "нет такой"])
def test_a_folder_without_files_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"нет файлов|нет: проверьте"):
        find_files(tmp_path / name)


def test_a_citation_shows_its_place_and_a_long_quote_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    long = "слово\n" * 100
    citation = Citation(2, "id", "Положение.pdf", 7, "п. 4.2", long)
    show_citations(Answered("…", citations=(citation,)))

    shown = capsys.readouterr().out
    assert shown.startswith("  [2] Положение.pdf, п. 4.2, стр. 7: «слово слово")
    assert shown.endswith("…»\n")
    assert shown.count("\n") == 1


def test_columns_are_as_wide_as_their_longest_cell(capsys: pytest.CaptureFixture[str]) -> None:
    table(["А", "Б"], [["длинное", "1"], ["к", "2"]])

    assert capsys.readouterr().out == "А        Б\nдлинное  1\nк        2\n"


@pytest.mark.parametrize(
    ("size_bytes", "shown"), [(0, "0 Б"), (999, "999 Б"), (250_000_000, "250 МБ"), (7.48e9, "7.5 ГБ")]
)
def test_a_size_is_shown_in_the_unit_a_person_would_choose(size_bytes: float, shown: str) -> None:
    assert size(size_bytes) == shown
