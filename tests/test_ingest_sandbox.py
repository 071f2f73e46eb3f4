import os
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import openpyxl
import psutil
import pytest

from core.errors import NotFound, UnreadableDocument, UnsupportedType
from ingest.limits import Limits
from ingest.sandbox import Sandbox

PATIENCE_S = 20.0
MIB = 2**20


@pytest.fixture
def sandbox():
    with Sandbox(Limits(timeout_s=PATIENCE_S)) as sandbox:
        yield sandbox


@pytest.fixture
def note(tmp_path) -> Path:
    path = tmp_path / "note.txt"
    path.write_text("Приказ № 5 об отпусках", encoding="utf-8")
    return path


def child() -> psutil.Process:
    """The one parser child of this process."""
    (found,) = [p for p in psutil.Process().children() if "ingest.parser_child" in p.cmdline()]
    return found


def many_sheets(path: Path, count: int = 30) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.txt", "Лист приказа\n" * 2000)
    return path


def until(condition) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def code_of(sandbox: Sandbox, path: Path) -> str:
    with pytest.raises(UnreadableDocument) as raised:
        sandbox.parse(path, path.name)
    return raised.value.code


def test_one_child_reads_document_after_document(sandbox, note):
    assert sandbox.parse(note, "note.txt").pages[0].text == "Приказ № 5 об отпусках"
    first = child().pid
    sandbox.parse(note, "note.txt")
    assert child().pid == first


def test_a_document_with_offsets_comes_through_unchanged(sandbox, tmp_path):
    path = tmp_path / "a.md"
    path.write_text("# Цены\n\n| Товар | Цена |\n|---|---|\n| Сыр | 500 |\n", encoding="utf-8")
    (page,) = sandbox.parse(path, "a.md").pages
    (heading,), (table,) = page.headings, page.tables
    assert (heading.start, heading.level, heading.title) == (0, 1, "Цены")
    assert page.text[table.start : table.end] == "Товар | Цена\nСыр | 500"
    assert [page.text[start:].split("\n")[0] for start in table.row_starts] == ["Товар | Цена", "Сыр | 500"]


def test_errors_keep_their_kind(sandbox, tmp_path):
    path = tmp_path / "a.7z"
    path.write_bytes(b"7z\xbc\xaf\x27\x1c\x00\x04")
    with pytest.raises(UnsupportedType):
        sandbox.parse(path, "a.7z")
    path.write_bytes(b"")
    assert code_of(sandbox, path) == "empty_file"


def test_progress_is_told(sandbox, tmp_path):
    told = []
    sandbox.parse(many_sheets(tmp_path / "a.zip", 3), "a.zip", lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_killed_child_costs_its_document_alone(sandbox, tmp_path, note):
    def kill(_done: int, _total: int) -> None:
        with suppress(psutil.NoSuchProcess):  # dead already, and still telling how far it was
            child().kill()

    with pytest.raises(UnreadableDocument) as raised:
        sandbox.parse(many_sheets(tmp_path / "a.zip"), "a.zip", kill)
    assert raised.value.code == "parser_died"
    assert sandbox.parse(note, "note.txt").pages


def test_a_child_that_died_idle_costs_nothing(sandbox, note):
    sandbox.parse(note, "note.txt")
    dead = child()
    dead.kill()
    assert until(lambda: dead.status() == psutil.STATUS_ZOMBIE)
    assert sandbox.parse(note, "note.txt").pages


def test_a_slow_document_is_cut_off_and_the_next_is_read(tmp_path, note):
    with Sandbox(Limits(timeout_s=0.3)) as sandbox:
        path = tmp_path / "big.html"
        path.write_text("<html><body>" + "<p>пункт <b>договора</b></p>" * 300_000, encoding="utf-8")
        began = time.monotonic()
        assert code_of(sandbox, path) == "parse_timeout"
        assert time.monotonic() - began < PATIENCE_S
        assert sandbox.parse(note, "note.txt").pages


def test_processor_time_is_limited_for_each_document_and_not_for_all_together(tmp_path, note):
    path = tmp_path / "big.html"
    path.write_text("<html><body>" + "<p>пункт <b>договора</b></p>" * 400_000, encoding="utf-8")
    with Sandbox(Limits(cpu_s=1, timeout_s=60)) as sandbox:
        assert code_of(sandbox, path) == "parse_cpu_exceeded"
        assert sandbox.parse(note, "note.txt").pages
    small = tmp_path / "small.html"
    small.write_text("<html><body>" + "<p>пункт <b>договора</b></p>" * 10_000, encoding="utf-8")
    with Sandbox(Limits(cpu_s=1, timeout_s=60)) as sandbox:
        used = 0.0
        while used < 2.2:
            sandbox.parse(small, "small.html")
            used = child().cpu_times().user


def test_memory_is_limited(tmp_path, note):
    path = tmp_path / "big.txt"
    path.write_bytes("слово ".encode() * 12_000_000)
    with Sandbox(Limits(memory_bytes=400 * 2**20)) as sandbox:
        assert code_of(sandbox, path) == "parse_memory_exceeded"
        assert sandbox.parse(note, "note.txt").pages


def test_memory_that_earlier_documents_left_taken_is_no_fault_of_the_next(tmp_path, note):
    """Libraries for workbooks take addresses that the child keeps; what it holds of them in memory is little."""
    text, book = tmp_path / "big.txt", tmp_path / "book.xlsx"
    text.write_bytes("слово ".encode() * 2_300_000)
    openpyxl.Workbook().save(book)
    with Sandbox(Limits()) as sandbox:
        sandbox.parse(note, "note.txt")
        fresh_bytes = child().memory_info().vms
        assert code_of(sandbox, book) == "no_text"
        worn_bytes = child().memory_info().vms
    assert worn_bytes - fresh_bytes > 100 * MIB, "or the test shows nothing"
    with Sandbox(Limits(memory_bytes=worn_bytes + 40 * MIB)) as sandbox:
        assert code_of(sandbox, book) == "no_text"
        worn = child().pid
        assert sandbox.parse(text, "big.txt").pages
        assert child().pid != worn


def test_a_document_too_large_for_a_fresh_child_is_told_so_by_a_used_one(tmp_path, note):
    path = tmp_path / "big.txt"
    path.write_bytes("слово ".encode() * 5_000_000)
    with Sandbox(Limits(memory_bytes=200 * MIB)) as sandbox:
        sandbox.parse(note, "note.txt")
        assert code_of(sandbox, path) == "parse_memory_exceeded"
        assert sandbox.parse(note, "note.txt").pages


def test_a_refused_document_does_not_stay_in_the_childs_memory(tmp_path, note):
    path = tmp_path / "big.txt"
    path.write_bytes("слово ".encode() * 4_000_000)
    with Sandbox(Limits(output_chars=1000)) as sandbox:
        sandbox.parse(note, "note.txt")
        before = child().memory_info().rss
        assert code_of(sandbox, path) == "too_much_text"
        assert child().memory_info().rss < before + 30 * MIB


def test_a_crash_is_not_called_a_want_of_memory_because_the_child_takes_half_of_it_when_idle(tmp_path):
    def crash(_done: int, _total: int) -> None:
        with suppress(psutil.NoSuchProcess):
            child().send_signal(signal.SIGSEGV)

    with Sandbox(Limits(memory_bytes=200 * MIB)) as sandbox, pytest.raises(UnreadableDocument) as raised:
        sandbox.parse(many_sheets(tmp_path / "a.zip"), "a.zip", crash)
    assert raised.value.code == "parser_died"


def test_too_much_text_is_a_reason(tmp_path, note):
    with Sandbox(Limits(output_chars=10)) as sandbox:
        assert code_of(sandbox, note) == "too_much_text"


def test_what_on_progress_raises_comes_out_and_the_child_in_mid_job_is_not_reused(sandbox, tmp_path, note):
    def refuse(_done: int, _total: int) -> None:
        raise NotFound("gone", "Документ удалён.")

    with pytest.raises(NotFound):
        sandbox.parse(many_sheets(tmp_path / "a.zip"), "a.zip", refuse)
    assert sandbox.parse(note, "note.txt").pages[0].text == "Приказ № 5 об отпусках"


def test_a_child_is_replaced_after_its_share_of_documents(note):
    with Sandbox(Limits(), recycle_after=2) as sandbox:
        pids = []
        for _ in range(4):
            sandbox.parse(note, "note.txt")
            pids.append(child().pid)
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_the_child_sees_no_secrets_of_ours(sandbox, note, monkeypatch):
    monkeypatch.setenv("ZNAYKA_LLM_API_KEY", "очень-секретно")
    sandbox.parse(note, "note.txt")
    environment = Path(f"/proc/{child().pid}/environ").read_bytes()
    assert b"ZNAYKA" not in environment
    assert b"PATH=" in environment


def test_closing_leaves_no_process_and_no_folder(note):
    sandbox = Sandbox(Limits())
    sandbox.parse(note, "note.txt")
    process = child()
    folder = Path(process.cwd())
    sandbox.close()
    assert not process.is_running()
    assert not folder.exists()


def test_the_child_and_its_folder_go_when_the_parent_is_killed(note):
    script = (
        "import time; from pathlib import Path; from ingest.limits import Limits; from ingest.sandbox import Sandbox;"
        f"s = Sandbox(Limits()); s.parse(Path({str(note)!r}), 'note.txt'); print('ready', flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    (orphan,) = psutil.Process(parent.pid).children()
    folder = Path(orphan.cwd())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert until(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE)
    assert until(lambda: not folder.exists())


def test_a_small_file_costs_little_more_in_the_sandbox_than_its_reading(sandbox, tmp_path):
    path = tmp_path / "a.md"
    path.write_text("# Отпуск\n\n" + "Работник имеет право на ежегодный отпуск.\n" * 28, encoding="utf-8")
    times = []
    for _ in range(200):
        began = time.perf_counter()
        sandbox.parse(path, "a.md")
        times.append(time.perf_counter() - began)
    assert min(times) < 0.002, "2 KB of Markdown, the fastest of 200"


def test_hostile_word_files_end_in_text_or_a_reason(sandbox, data):
    files = sorted((data / "hostile" / "python-docx").glob("*.docx"))
    assert len(files) > 40
    ends = []
    for file in files:
        try:
            ends.append(bool(sandbox.parse(file, file.name).pages[0].text))
        except UnreadableDocument as exc:
            ends.append(exc.code == "no_text")
    assert all(ends)
    assert len({child().pid}) == 1
