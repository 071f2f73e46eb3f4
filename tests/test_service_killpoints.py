"""The real processes, killed by SIGKILL at each of nine points of a document's way: I1 to I6 hold after the restart.

The table of points and invariants stands in docs/reliability.md.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from retrieval.index import Edition, is_intact
from tests.invariants import check_folder, wait_for_sentences
from tests.live_model_server import fair, wait_until
from tests.service import Service

pytestmark = [pytest.mark.real_model, pytest.mark.crash, pytest.mark.timeout(1800)]

ATTEMPTS_MAX = 3
SUBJECTS = (
    "ежегодный отпуск", "служебная командировка", "больничный лист", "пропуск на склад", "пожарная тревога",
    "ремонт насоса", "поверка весов", "выдача спецодежды", "закупка бумаги", "аренда зала",
    "охрана труда", "приём на работу", "увольнение по соглашению", "премия за квартал", "обучение водителей",
    "хранение архива", "уборка помещений", "заправка картриджей", "доставка обедов", "парковка машин",
)  # fmt: skip
RULE = "{subject}: порядок №{n}. Заявку на тему «{subject}» подают за {n} дней, решение принимает отдел {n}."
TIMEOUT_S = 600
ENDS_IN_S = 60.0  # the start of the worker, its models included, and fifty passages


@dataclass(frozen=True)
class Steady:
    """A service with twenty documents that nobody touches, and what twenty questions find in them."""

    service: Service
    found: dict[str, list[tuple[str, str]]]

    @property
    def data_dir(self) -> Path:
        return self.service.settings.data_dir

    def get(self, path: str, **params: object) -> httpx.Response:
        return httpx.get(self.service.api_url + path, params=params, trust_env=False, timeout=TIMEOUT_S)

    def listed(self, name: str) -> list[dict]:
        return [one for one in self.get("/v1/documents", limit=500).json()["items"] if one["name"] == name]

    def search(self, query: str) -> list[tuple[str, str]]:
        wanted = {"query": query, "top_k": 5}
        answer = httpx.post(f"{self.service.api_url}/v1/search", json=wanted, trust_env=False, timeout=TIMEOUT_S)
        assert answer.status_code == 200, answer.text
        return [(one["document"], one["text"]) for one in answer.json()["passages"]]

    def attempts(self, document_id: str) -> int:
        """How often workers have begun with a document."""
        with closing(sqlite3.connect(self.data_dir / "znayka.db")) as raw:
            found: tuple[int] = raw.execute("SELECT attempts FROM documents WHERE id = ?", (document_id,)).fetchone()
        return found[0]

    def check(self) -> None:
        """I3, I5 and I6, once nothing but the twenty documents is left."""
        assert check_folder(self.data_dir) == len(SUBJECTS)
        wait_for_sentences(self.data_dir)
        assert {subject: self.search(subject) for subject in SUBJECTS} == self.found


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Steady]:
    folder = tmp_path_factory.mktemp("steady")
    with Service(
        folder / "data",
        parts=("api", "worker"),
        llm_url="http://127.0.0.1:1/v1",
        attempts_max=ATTEMPTS_MAX,
        index_compact_passages=10,
        test_mode=True,
    ) as service:
        for n, subject in enumerate(SUBJECTS, 1):
            path = folder / f"{subject}.txt"
            path.write_text(RULE.format(subject=subject, n=n))
            service.wait_for_end(service.upload(path)[0].id)
        wait_for_sentences(folder / "data")
        steady = Steady(service, {})
        steady.found.update((subject, steady.search(subject)) for subject in SUBJECTS)
        for subject in SUBJECTS:
            assert steady.found[subject][0][0] == f"{subject}.txt"
        yield steady


def long_text(word: str) -> str:
    """Fifty passages that the encoder embeds in several batches."""
    return "\n\n".join(f"# Статья {n}\n\n{word}: отдел {n} сдаёт отчёт номер {n} в срок." for n in range(50))


def remove(steady: Steady, document_id: str, word: str) -> None:
    """Delete what the test brought and see I4: nothing of it is ever returned."""
    url = f"{steady.service.api_url}/v1/documents/{document_id}"
    assert httpx.delete(url, trust_env=False, timeout=TIMEOUT_S).status_code == 204
    assert steady.get(f"/v1/documents/{document_id}").status_code == 404
    assert steady.get(f"/v1/documents/{document_id}/content").status_code == 404
    assert not any(word in text for _, text in steady.search(f"{word} отчёт"))


@pytest.mark.parametrize("point", ["K1", "K2", "K3"])
def test_an_api_killed_while_it_receives_keeps_its_word(steady: Steady, point: str) -> None:
    name, word = f"получение {point}.md", f"приёмка{point}"
    body = long_text(word).encode() * 40
    steady.service.restart("api", faults=f"{point}@2" if point == "K1" else point)
    with pytest.raises(httpx.HTTPError):
        httpx.post(
            f"{steady.service.api_url}/v1/documents",
            files={"file": (name, body)},
            trust_env=False,
            timeout=TIMEOUT_S,
        )
    assert steady.service.wait_death("api") == -signal.SIGKILL
    files = steady.data_dir / "files"
    left = [path for path in (*files.glob("incoming/*"), *files.glob("??/*")) if path.stat().st_size > 10_000]
    assert len(left) == 1, "the point lies after the bytes came and before anything was cleared away"
    steady.service.restart("api")
    listed = steady.listed(name)
    # No 2xx was sent, so the document may be absent; its row was committed only at the last point.
    assert len(listed) == (point == "K3")
    for one in listed:
        assert steady.service.wait_for_end(one["id"]).status == "ready"
        remove(steady, one["id"], word)
    steady.check()


@pytest.mark.parametrize("point", ["K4", "K5", "K6", "K7@2", "K8", "K9"])
def test_a_worker_killed_on_the_way_brings_the_document_to_its_end_once(
    steady: Steady, point: str, tmp_path: Path
) -> None:
    word = f"выработка{point[:2]}"
    path = tmp_path / f"обработка {point[:2]}.md"
    path.write_text(long_text(word))
    steady.service.restart("worker", faults=point)
    document_id = steady.service.upload(path)[0].id
    assert steady.service.wait_death("worker") == -signal.SIGKILL
    state = steady.get(f"/v1/documents/{document_id}").json()
    if point not in ("K8", "K9"):
        assert state["status"] in ("parsing", "embedding")
        assert not any(word in text for _, text in steady.search(word)), "nothing half-done is found"
    aside = [one.name for one in (steady.data_dir / "index").glob("*.tmp")]
    assert bool(aside) == (point == "K8"), aside
    began = time.monotonic()
    steady.service.restart("worker")
    ended = steady.service.wait_for_end(document_id)
    assert time.monotonic() - began < fair(ENDS_IN_S), "what the dead held is taken again at once"
    assert ended.status == "ready"
    # K8 and K9 lie where the index is written, after the document's end or beside it.
    assert steady.attempts(document_id) in ((1, 2) if point in ("K8", "K9") else (2,))
    assert any(word in text for _, text in steady.search(f"{word} статья 7"))
    remove(steady, document_id, word)
    steady.check()


def test_a_document_that_kills_three_workers_is_put_aside_and_the_queue_goes_on(steady: Steady, tmp_path: Path) -> None:
    poison, harmless = tmp_path / "яд.txt", tmp_path / "после яда.txt"
    poison.write_text("Ядовитый документ обрывает работу.")
    harmless.write_text("Обычный документ ждёт своей очереди.")
    for n in range(ATTEMPTS_MAX):
        steady.service.restart("worker", faults="K5")
        if n == 0:
            poisoned = steady.service.upload(poison)[0].id
        assert steady.service.wait_death("worker") == -signal.SIGKILL
    waiting = steady.service.upload(harmless)[0].id
    steady.service.restart("worker")
    ended = steady.service.wait_for_end(poisoned)
    assert steady.attempts(poisoned) == ATTEMPTS_MAX
    assert (ended.status, ended.error.code if ended.error else None) == ("failed", "poison")
    assert steady.service.wait_for_end(waiting).status == "ready"
    for document_id, word in ((poisoned, "Ядовитый"), (waiting, "Обычный")):
        remove(steady, document_id, word)
    steady.check()


def test_an_index_file_cut_short_under_the_running_service_is_written_anew_and_no_search_is_wrong(
    steady: Steady,
) -> None:
    """Both processes are started again: the API reads the file, and the worker looks at it, at their starts."""
    index = steady.data_dir / "index"
    newest = max(index.glob("*.faiss"), key=lambda path: int(path.stem))
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    steady.service.kill("worker")
    steady.service.restart("api")
    assert {subject: steady.search(subject) for subject in SUBJECTS} == steady.found, "before it is written anew"
    steady.service.start("worker")
    wait_until(lambda: int(newest.stem) < newest_whole(index), timeout_s=TIMEOUT_S)
    steady.check()


def newest_whole(index: Path) -> int:
    """The newest generation whose file is the one its manifest tells of; 0 when there is none."""
    whole = [0]
    for path in index.glob("*.json"):
        held = json.loads(path.read_text())
        edition = Edition(held["generation"], held["revision"], held["fingerprint"])
        whole += [edition.generation] if is_intact(index, edition) else []
    return max(whole)
