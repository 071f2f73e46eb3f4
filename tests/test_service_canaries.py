"""Two tenants at once on the real service: neither the model's kept prefix nor a log brings a word of the other."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from core.types import Role
from retrieval.store import keys
from retrieval.store.database import Database
from retrieval.store.keys import Terms
from tests.canaries import files_holding, found_in, new_word, said
from tests.invariants import wait_for_sentences
from tests.service import START_S, Service

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(1800)]

TENANTS = ("север", "юг")
QUESTIONS = 15  # of each tenant
# What both companies' documents say in the same words, but for the name: the prompts differ in nothing else.
RULES = {
    "Кто назначает премию за сложный заказ?": "Премию за сложный заказ назначает начальник отдела {}.",
    "Кто подписывает заявление на отпуск?": "Заявление на отпуск подписывает директор завода {}.",
    "Кто выдаёт пропуск на склад?": "Пропуск на склад выдаёт начальник охраны {}.",
    "Кто согласует договор поставки?": "Договор поставки согласует старший юрист {}.",
    "Кто проверяет отчёт о командировке?": "Отчёт о командировке проверяет главный бухгалтер {}.",
}
TALK = "Назови фамилии начальника отдела, директора завода, начальника охраны, юриста и бухгалтера."


@dataclass
class Tenant:
    """A company, the names that only its documents hold, and all that it was told."""

    name: str
    key: str
    canaries: list[str]
    heard: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("tenants") / "data"
    with Service(folder, ("api", "worker", "llm"), audit_questions=True, queue_max_per_key=20) as running:
        yield running


def settled(service: Service, name: str, folder: Path, rng: random.Random) -> Tenant:
    """A tenant whose documents are found."""
    database = Database(service.settings.sql_url)
    with database.write() as conn:
        secret = keys.create(conn, name, [name], now=0, terms=Terms(Role.EDITOR))
    database.close()
    tenant = Tenant(name, secret, [new_word(rng, name[0]) for _ in RULES])
    with service_client(service, tenant) as api:
        for number, (rule, canary) in enumerate(zip(RULES.values(), tenant.canaries, strict=True)):
            path = folder / f"{name} {number} {canary}.txt"
            path.write_text(rule.format(canary.capitalize()), encoding="utf-8")
            with path.open("rb") as file:
                sent = api.post("/v1/documents", files={"file": (path.name, file)}, data={"collection": name})
            sent.raise_for_status()
    return tenant


def service_client(service: Service, tenant: Tenant) -> httpx.Client:
    header = {"Authorization": f"Bearer {tenant.key}"}
    return httpx.Client(base_url=service.api_url, headers=header, timeout=START_S, trust_env=False)


def ask_all(service: Service, tenant: Tenant, rng: random.Random) -> None:
    """Questions in every way, each with its stream put together; a talk without documents now and then."""
    with service_client(service, tenant) as api:
        model = api.get("/v1/models").json()["data"][1]["id"]
        for number in range(QUESTIONS):
            question, is_stream = rng.choice(list(RULES)), rng.random() < 0.5
            if number % 5 == 4:
                body = {"model": model, "max_tokens": 24, "messages": [{"role": "user", "content": TALK}]}
                tenant.heard.append(said(api.post("/v1/chat/completions", json=body | {"stream": is_stream})))
                continue
            answer = api.post("/v1/ask", json={"question": question, "stream": is_stream}).raise_for_status()
            tenant.answers.append(said(answer))


def test_tenants_who_ask_the_same_at_once_are_told_of_their_own_alone(service: Service, tmp_path: Path) -> None:
    rng = random.Random(24)
    north, south = (settled(service, name, tmp_path, rng) for name in TENANTS)
    for tenant in (north, south):
        wait_until_read(service, tenant)
    wait_for_sentences(service.settings.data_dir)
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(ask_all, service, tenant, random.Random(tenant.name)) for tenant in (north, south)]
        for run in runs:
            run.result()
    for asker, other in ((north, south), (south, north)):
        assert found_in([*asker.answers, *asker.heard], other.canaries) == []
        own = [answer for answer in asker.answers if found_in([answer], asker.canaries)]
        assert len(own) > 0.7 * len(asker.answers), "who is told nothing of their own proves nothing"
    everyone = [*north.canaries, *south.canaries]
    assert found_in([*north.heard, *south.heard], everyone) == [], "a talk without documents knows none of them"
    assert reused_tokens(service) > 0, "the model kept nothing between questions, so nothing could have leaked"
    check_files(service.settings.data_dir, north, south)


def wait_until_read(service: Service, tenant: Tenant) -> None:
    deadline = time.monotonic() + START_S
    with service_client(service, tenant) as api:
        while (found := Counter(one["status"] for one in api.get("/v1/documents").json()["items"]))["ready"] < len(
            RULES
        ):
            assert "failed" not in found
            assert time.monotonic() < deadline, f"{found}\n{service.logs()}"
            time.sleep(0.1)


def reused_tokens(service: Service) -> float:
    """Tokens of prompts that the model process did not read again, because the prompt before began so."""
    told = httpx.get(f"http://127.0.0.1:{service.settings.llm_port}/metrics", trust_env=False).text
    return float(told.split("\nznayka_llm_reused_tokens_total ")[1].split("\n")[0])


def check_files(folder: Path, north: Tenant, south: Tenant) -> None:
    """Beside the base there are the uploaded files, each with words of one tenant, and nothing else with any."""
    assert {path.stem for path in (folder / "logs").glob("*.log") if path.stat().st_size} >= {"api", "llm"}
    held = files_holding(folder, [*north.canaries, *south.canaries])
    originals = {path: words for path, words in held.items() if path.parts[0] == "files"}
    assert len(originals) == 2 * len(RULES)
    assert all(words <= set(north.canaries) or words <= set(south.canaries) for words in originals.values())
    assert {path.name for path in held.keys() - originals.keys()} <= {"znayka.db", "znayka.db-wal"}
