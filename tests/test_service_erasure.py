"""`znayka erase` beside the running service: nothing of the document is left in any file, and nobody is disturbed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import matplotlib as mpl
import pytest

from tests.invariants import check_folder, wait_for_sentences
from tests.service import START_S, Service
from tests.test_ingest_erasure import STEPS

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(1800)]

TEXT_CANARY, NAME_CANARY, META_CANARY = "щукобрасов", "клофагдри", "мурзюпохов"
QUESTION = "Кто назначает премию за сложный заказ?"
OTHER_QUESTION = "Сколько дней длится отпуск?"


def a_pdf(folder: Path) -> Path:
    """A PDF of one page with text that can be read in its bytes and a title in its metadata."""
    from matplotlib.figure import Figure

    path = folder / f"Премии {NAME_CANARY}.pdf"
    with mpl.rc_context({"pdf.fonttype": 42, "pdf.compression": 0}):
        figure = Figure(figsize=(8, 6))
        lines = (
            "Положение о премиях",
            f"Премию за сложный заказ назначает начальник отдела {TEXT_CANARY.capitalize()}.",
            f"Размер премии определяет {TEXT_CANARY.capitalize()} по итогам квартала.",
        )
        for number, line in enumerate(lines):
            figure.text(0.05, 0.9 - number / 10, line, fontsize=11)
        figure.savefig(path, metadata={"Title": META_CANARY, "Keywords": META_CANARY})
    return path


def test_a_document_is_gone_from_every_file_while_the_service_runs(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Service(folder, ("api", "worker", "llm"), audit_questions=True) as service:
        (tmp_path / "Отпуска.txt").write_text("Ежегодный отпуск длится 28 календарных дней.", encoding="utf-8")
        other, document = service.upload(tmp_path / "Отпуска.txt", a_pdf(tmp_path))
        for one in (other, document):
            assert service.wait_for_end(one.id).status == "ready"
        wait_for_sentences(folder)
        with httpx.Client(base_url=service.api_url, timeout=START_S, trust_env=False) as api:
            told = ask(api, QUESTION)
            assert TEXT_CANARY in json.dumps(told, ensure_ascii=False).casefold(), told
            before = ask(api, OTHER_QUESTION)
            opinion = {"verdict": "up", "question": f"{QUESTION} {TEXT_CANARY}?", "answer": told["answer"]}
            api.post("/v1/feedback", json=opinion | {"document_ids": [document.id]}).raise_for_status()
            assert {NAME_CANARY, TEXT_CANARY, META_CANARY} <= set(held(folder)), "what is looked for below is there"
            with searching(service) as statuses:
                report = erase(service, document.id, tmp_path / "report.json")
            assert set(statuses) == {200}, "search goes on meanwhile"
            assert report["is_clean"], report
            check_gone(api, document.id)
            assert held(folder) == []
            after = ask(api, OTHER_QUESTION)
            assert (after["answer"], after["citations"]) == (before["answer"], before["citations"])
            entries = api.get("/v1/audit?limit=1000").json()["items"]
            assert [one["object"] for one in entries if one["action"] == "erased"] == [document.id]
        assert held(folder) == [], "nor did what came after bring anything back"
    assert check_folder(folder) == 1
    assert held(folder) == []


def ask(api: httpx.Client, question: str) -> dict:
    answer = api.post("/v1/ask", json={"question": question})
    answer.raise_for_status()
    told: dict = answer.json()
    return told


def check_gone(api: httpx.Client, document_id: str) -> None:
    """No way of asking brings anything of it."""
    assert api.get(f"/v1/documents/{document_id}").status_code == 404
    for path in ("content", "pages/1", "pages/1/image"):
        assert api.get(f"/v1/documents/{document_id}/{path}").status_code == 404
    said = [
        api.get("/v1/documents?limit=500").text,
        api.get("/v1/feedback/pairs").text,
        api.get("/v1/audit?limit=1000").text,
        api.post("/v1/search", json={"query": QUESTION, "exact": True}).text,
        api.post("/v1/ask", json={"question": QUESTION}).text,
    ]
    for text in said:
        assert not any(canary in text.casefold() for canary in (TEXT_CANARY, NAME_CANARY, META_CANARY)), text


@contextmanager
def searching(service: Service) -> Iterator[list[int]]:
    """Search without a pause until the block ends."""
    statuses: list[int] = []
    stop = threading.Event()

    def search() -> None:
        with httpx.Client(base_url=service.api_url, timeout=START_S, trust_env=False) as api:
            while not stop.wait(0.05):
                statuses.append(api.post("/v1/search", json={"query": OTHER_QUESTION}).status_code)

    thread = threading.Thread(target=search)
    thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        thread.join()


def erase(service: Service, document_id: str, output: Path) -> dict:
    """The command as an administrator gives it."""
    argv = [sys.executable, "-m", "cli.main", "erase", document_id, "--yes", "--json", str(output)]
    done = subprocess.run(argv, env=service.env, capture_output=True, text=True, timeout=START_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr + service.logs()
    assert done.stdout.count("…") >= len(STEPS)
    assert "Ничего не осталось." in done.stdout
    report: dict = json.loads(output.read_text(encoding="utf-8"))
    return report


def held(folder: Path) -> list[str]:
    """Canaries in the raw bytes of any file, in any case and in UTF-8, UTF-16 and as PDF writes its metadata."""
    found = set()
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for canary in (TEXT_CANARY, NAME_CANARY, META_CANARY):
            words = (canary, canary.capitalize())
            forms = [word.encode(code) for word in words for code in ("utf-8", "utf-16-le", "utf-16-be", "cp1251")]
            if any(form in data for form in forms):
                found.add(canary)
    return sorted(found)
