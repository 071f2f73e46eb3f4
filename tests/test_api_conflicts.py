"""Two editions in one base, asked through the running service: every protocol tells that they differ."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest

from tests.service import Service

pytestmark = pytest.mark.real_model

COLLECTION = "редакции"
EDITIONS = {
    "Положение о связи 2022.txt": "Услуги связи в командировке возмещаются в пределах 500 рублей за поездку.",
    "Положение о связи 2026.txt": "Услуги связи в командировке возмещаются в пределах 800 рублей за поездку.",
}
QUESTION = "В каких пределах возмещаются услуги связи в командировке?"


@pytest.fixture(scope="module")
def api(service: Service) -> Any:
    for name, text in EDITIONS.items():
        files = {"file": (name, text.encode())}
        sent = httpx.post(
            f"{service.api_url}/v1/documents", files=files, data={"collection": COLLECTION}, trust_env=False
        )
        service.wait_for_end(sent.json()[0]["id"])
    with httpx.Client(base_url=service.api_url, timeout=120, trust_env=False) as client:
        yield client


def ask(api: httpx.Client, **more: Any) -> httpx.Response:
    return api.post("/v1/ask", json={"question": QUESTION, "collection": COLLECTION, **more})


def assert_told(answer: dict[str, Any]) -> None:
    (conflict,) = answer["conflicts"]
    (citation,) = answer["citations"]
    assert {conflict["said"], conflict["value"]} == {"500 рублей", "800 рублей"}
    assert {citation["document"], conflict["citation"]["document"]} == set(EDITIONS)
    assert conflict["citation"]["quote"] == EDITIONS[conflict["citation"]["document"]]
    assert (citation["n"], conflict["citation"]["n"]) == (1, 2)
    assert conflict["value"] in conflict["notice"]
    assert answer["escalate"]


def test_rest_names_the_other_document(api):
    assert_told(ask(api).json())


def test_the_last_event_of_a_stream_names_it_too(api):
    *_, last = [block for block in ask(api, stream=True).text.split("\n\n") if block.strip()]
    name, data = last.split("\n", 1)
    assert name == "event: done"
    assert_told(json.loads(data.removeprefix("data: ")))


def test_openais_clients_read_it_as_the_last_words(api, service: Service):
    said = {
        "model": "znayka",
        "messages": [{"role": "user", "content": QUESTION}],
        "extra_body": {"collection": COLLECTION},
    }
    with openai.OpenAI(base_url=f"{service.api_url}/v1", api_key="unused", timeout=120, max_retries=0) as client:
        whole = client.chat.completions.create(**said)
        chunks = list(client.chat.completions.create(**said, stream=True))
    notice = (whole.model_extra or {})["conflicts"][0]["notice"]
    text = whole.choices[0].message.content or ""
    assert text.endswith(f"[1].\n\n{notice}")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text
    assert (chunks[-1].model_extra or {})["conflicts"][0]["notice"] == notice


def test_such_answers_are_counted(api):
    before = _count(api)
    ask(api)
    assert _count(api) == before + 1


def _count(api: httpx.Client) -> float:
    lines = api.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("znayka_conflicts_total"))
