from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.service import Service, free_ports, service_environment

HELP_S = 2.0
START_S = 300.0
ROOT = Path(__file__).resolve().parent.parent
Znayka = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def znayka(tmp_path: Path) -> Znayka:
    """The command itself, its data in a folder of the test's; settings by name."""

    def run(*arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            capture_output=True,
            text=True,
            timeout=START_S,
            env=service_environment({"data_dir": tmp_path / "data"} | settings),
        )

    return run


def is_one_sentence(text: str) -> bool:
    return len(text.strip().splitlines()) == 1 and "Traceback" not in text


def test_help_is_quick_because_nothing_heavy_is_imported(znayka: Znayka) -> None:
    started = time.monotonic()
    shown = znayka("--help")

    assert shown.returncode == 0
    assert all(
        command in shown.stdout
        for command in ("run", "ask", "ingest", "documents", "models", "keys", "doctor", "evaluate")
    )
    assert time.monotonic() - started < HELP_S
    loaded = "import sys, cli.main; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    modules = set(subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True).stdout.split())
    assert not modules & {"httpx", "pydantic", "sqlalchemy", "torch", "llama_cpp", "fastapi", "streamlit", "numpy"}


@pytest.mark.parametrize("command", [("run",), ("documents",), ("models", "list"), ("keys", "list"), ("ask", "Что?")])
def test_an_unknown_setting_is_one_sentence_that_names_it(znayka: Znayka, command: tuple[str, ...]) -> None:
    refused = znayka(*command, api_prot=8100)

    assert refused.returncode == 1
    assert is_one_sentence(refused.stderr)
    assert "ZNAYKA_API_PROT" in refused.stderr


def test_a_port_in_use_is_one_sentence_that_names_the_port_and_the_setting(znayka: Znayka) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        api, llm = free_ports(2)
        refused = znayka("run", api_port=api, llm_port=llm, ui_port=port)

    assert refused.returncode == 1
    assert is_one_sentence(refused.stderr)
    assert str(port) in refused.stderr
    assert "ZNAYKA_UI_PORT" in refused.stderr


@pytest.mark.parametrize("command", [("ask", "Что?"), ("documents",), ("ingest", "examples")])
def test_a_service_that_does_not_run_is_one_sentence(znayka: Znayka, command: tuple[str, ...]) -> None:
    refused = znayka(*command, api_port=free_ports(1)[0])

    assert refused.returncode == 1
    assert is_one_sentence(refused.stderr)


def test_a_key_is_made_listed_and_revoked(znayka: Znayka) -> None:
    secret = znayka("keys", "create", "helpdesk", "-c", "кадры").stdout.strip()
    listed = znayka("keys", "list").stdout

    assert secret not in listed
    assert "helpdesk" in listed
    assert "кадры" in listed
    number = listed.splitlines()[1].split()[0]
    assert znayka("keys", "revoke", number).returncode == 0
    again = znayka("keys", "revoke", number)
    assert again.returncode == 1
    assert is_one_sentence(again.stderr)


def test_importing_the_same_key_twice_makes_one(znayka: Znayka) -> None:
    secret = "s" * 40
    assert znayka("keys", "import", "страница", ui_api_key=secret).returncode == 0
    assert znayka("keys", "import", "страница", ui_api_key=secret).returncode == 0

    assert len(znayka("keys", "list").stdout.splitlines()) == 2


@pytest.mark.parametrize("secret", ["", "short"])
def test_an_absent_or_weak_key_is_refused(znayka: Znayka, secret: str) -> None:
    refused = znayka("keys", "import", "страница", ui_api_key=secret)

    assert refused.returncode == 1
    assert is_one_sentence(refused.stderr)


def test_the_catalogue_shows_what_fits_and_what_is_chosen(znayka: Znayka) -> None:
    assert znayka("models", "use", "saiga_nemo_12b").returncode == 0
    lines = znayka("models", "list").stdout.splitlines()

    chosen = next(line for line in lines if line.startswith("→"))
    assert "saiga_nemo_12b" in chosen
    largest = next(line for line in lines if "saiga2_70b" in line)
    assert ("да" in largest.split()) is (psutil.virtual_memory().total >= 44.9e9)


def test_an_adapter_of_ones_own_is_listed_with_the_chosen_model(znayka: Znayka, tmp_path: Path) -> None:
    own = tmp_path / "company.gguf"
    own.write_bytes((ROOT / "generation" / "adapters" / "znayka_270m.gguf").read_bytes()[:4096])
    lines = znayka("models", "list", adapter=own).stdout.splitlines()

    assert f"свой: Знайка 270M ({own})" in next(line for line in lines if line.startswith("→"))
    assert sum(str(own) in line for line in lines) == 1
    missing = znayka("models", "list", adapter=tmp_path / "none.gguf").stdout
    assert f"нет файла: {tmp_path / 'none.gguf'}" in missing
    misplaced = znayka("models", "list", adapter=own, model="gemma3_270m").stdout
    assert f"к этой модели не подходит: {own}" in misplaced


def test_a_model_of_another_name_is_one_sentence_with_names_like_it(znayka: Znayka) -> None:
    refused = znayka("models", "use", "saiga_nemo_12")

    assert refused.returncode == 1
    assert is_one_sentence(refused.stderr)
    assert "saiga_nemo_12b" in refused.stderr


def test_a_model_without_a_hub_is_one_sentence(znayka: Znayka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free_ports(1)[0]}")
    refused = znayka("run", "--model", "saiga_nemo_12b")

    assert refused.returncode == 1
    assert is_one_sentence(refused.stderr.splitlines()[-1])  # above it stands the progress bar
    assert "HF_ENDPOINT" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_doctor_names_a_wrong_setting_and_a_damaged_database(znayka: Znayka, tmp_path: Path) -> None:
    wrong = znayka("doctor", top_k=0)
    assert wrong.returncode == 1
    assert "ZNAYKA_TOP_K" in wrong.stdout

    assert znayka("keys", "create", "x").returncode == 0
    database = tmp_path / "data" / "znayka.db"
    content = bytearray(database.read_bytes())
    content[4096 : 4096 * 3] = os.urandom(4096 * 2)
    database.write_bytes(content)
    damaged = znayka("doctor")
    assert damaged.returncode == 1
    assert re.search(r"\[ошибка\] База данных", damaged.stdout)


def test_the_doctor_of_an_empty_installation_finds_no_errors(znayka: Znayka) -> None:
    api, llm, ui = free_ports(3)
    healthy = znayka("doctor", api_port=api, llm_port=llm, ui_port=ui)

    assert healthy.returncode == 0, healthy.stdout
    assert "Ошибок: 0" in healthy.stdout


def test_the_table_of_settings_in_the_documentation_is_current() -> None:
    checked = subprocess.run([sys.executable, ROOT / "scripts" / "settings_table.py"], capture_output=True, text=True)

    assert checked.returncode == 0, checked.stderr


@pytest.fixture(scope="module")
def with_service(service: Service) -> Znayka:
    """The command, speaking to the running service."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            capture_output=True,
            text=True,
            timeout=START_S,
            env=service.env,
        )

    return run


@pytest.fixture(scope="module")
def ingested(with_service: Znayka, tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """The examples and one file that cannot be read, uploaded as a folder with a folder in it."""
    folder = tmp_path_factory.mktemp("upload")
    for number, path in enumerate(sorted((ROOT / "examples").glob("*.*"))):
        place = folder / f"отдел {number}"
        place.mkdir()
        (place / path.name).write_bytes(path.read_bytes())
    (folder / "пустой.pdf").touch()
    (folder / ".hidden").write_text("x")
    return with_service("ingest", str(folder), "--collection", "cli")


@pytest.mark.real_model
def test_a_folder_is_uploaded_and_each_file_has_its_result(ingested: subprocess.CompletedProcess[str]) -> None:
    assert ingested.returncode == 1, ingested.stdout + ingested.stderr
    assert "Готово: 3, частично: 0, с ошибкой: 1." in ingested.stdout
    assert re.search(r"^пустой\.pdf: .+", ingested.stdout, re.MULTILINE)
    assert ".hidden" not in ingested.stdout


@pytest.mark.real_model
def test_documents_are_listed_by_collection_and_name(
    ingested: subprocess.CompletedProcess[str], with_service: Znayka
) -> None:
    listed = with_service("documents", "--collection", "cli", "--name", "отпуск").stdout

    assert "Положение об отпусках.pdf" in listed
    assert "Регламент" not in listed


@pytest.mark.real_model
def test_an_answer_shows_its_citations(ingested: subprocess.CompletedProcess[str], with_service: Znayka) -> None:
    answered = with_service("ask", "Когда выплачиваются отпускные?", "--collection", "cli")

    assert answered.returncode == 0, answered.stdout + answered.stderr
    assert re.search(r"\[1\] .+\.(pdf|docx|md).*: «.+»", answered.stdout)


@pytest.mark.real_model
def test_the_doctor_finds_a_running_service_healthy(service: Service, with_service: Znayka) -> None:
    healthy = with_service("doctor")

    assert healthy.returncode == 0, healthy.stdout
    assert "[ок] Готовность" in healthy.stdout


class Running:
    """`znayka run` as a person starts it, in a terminal of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.api_port, llm, ui = free_ports(3)
        settings = {"data_dir": data_dir, "api_port": self.api_port, "llm_port": llm, "ui_port": ui}
        self.output = data_dir.parent / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "run"],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=service_environment(settings),
            )

    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def wait_for(self, words: str, count: int = 1) -> None:
        deadline = time.monotonic() + START_S
        while self.text().count(words) < count:
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.1)

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    one = Running(tmp_path / "data")
    yield one
    if one.process.poll() is None:
        one.process.kill()
        one.process.wait()


@pytest.mark.real_model
def test_a_first_start_answers_a_question_survives_a_crash_and_leaves_nothing_behind(running: Running) -> None:
    running.wait_for("Остановить: Ctrl-C")
    assert re.search(r"\[1\] Положение об отпусках\.pdf.*: «.+»", running.text()), running.text()

    parts = running.descendants()
    next(one for one in parts if "ingest.worker" in one.cmdline()).kill()
    running.wait_for("обработка документов (worker): работает", count=2)
    documents = httpx.get(f"http://127.0.0.1:{running.api_port}/v1/documents", trust_env=False).json()["items"]
    assert [one["status"] for one in documents] == ["ready"] * 3, json.dumps(documents, ensure_ascii=False)

    parts += running.descendants()
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=30) == 0
    _, alive = psutil.wait_procs(parts, timeout=5)
    assert alive == []
