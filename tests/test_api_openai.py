"""The official OpenAI client and LangChain's work against the service unchanged."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI

from tests.service import Service

pytestmark = pytest.mark.real_model

TEXT = "Командировка согласуется с директором. Суточные составляют 1500 рублей в день."
QUESTION = "Сколько рублей составляют суточные?"


@pytest.fixture(scope="module")
def url(service: Service) -> str:
    base = service.api_url
    sent = httpx.post(f"{base}/v1/documents", files={"file": ("Командировки.txt", TEXT.encode())}, trust_env=False)
    path = f"{base}/v1/documents/{sent.json()[0]['id']}"
    deadline = time.monotonic() + 60
    while httpx.get(path, trust_env=False).json()["status"] != "ready":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return f"{base}/v1"


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key="unused", timeout=120, max_retries=0) as made:
        yield made


def test_the_two_models_are_listed_ours_first(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[0] == "znayka"
    assert len(names) == 2


def test_an_answer_from_documents_carries_its_citations(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="znayka", messages=[{"role": "user", "content": QUESTION}])
    assert "1500" in (answer.choices[0].message.content or "")
    citations = (answer.model_extra or {})["citations"]
    assert citations[0]["quote"] in TEXT
    assert answer.usage
    assert answer.usage.total_tokens > 0


def test_a_streamed_answer_is_the_same_text_and_ends_with_the_citations(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(model="znayka", messages=[{"role": "user", "content": QUESTION}], stream=True)
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert "1500" in text
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert (chunks[-1].model_extra or {})["citations"][0]["quote"] in TEXT


def test_plain_chat_streams_what_it_says_whole(client: openai.OpenAI) -> None:
    model = list(client.models.list())[1].id
    said = {"model": model, "messages": [{"role": "user", "content": "Столица России —"}], "max_tokens": 12}
    whole = client.chat.completions.create(**said, temperature=0, seed=1)  # type: ignore[call-overload]
    chunks = client.chat.completions.create(**said, temperature=0, seed=1, stream=True)  # type: ignore[call-overload]
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert whole.choices[0].message.content == streamed
    assert "citations" not in (whole.model_extra or {})


def test_an_unknown_model_is_the_error_that_clients_expect(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="Модели «gpt-4» нет"):
        client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "?"}])


def test_langchain_answers_and_streams(url: str) -> None:
    chat = ChatOpenAI(model="znayka", base_url=url, api_key="unused", timeout=120, max_retries=0)  # type: ignore[arg-type]
    assert "1500" in str(chat.invoke(QUESTION).content)
    assert "1500" in "".join(str(piece.content) for piece in chat.stream(QUESTION))


def test_a_client_that_leaves_frees_the_model(url: str, client: openai.OpenAI) -> None:
    model = list(client.models.list())[1].id
    for _ in range(5):
        stream = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Расскажи длинную историю"}], stream=True, max_tokens=400
        )
        next(iter(stream))
        stream.close()
    started = time.monotonic()
    client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Да"}], max_tokens=2)
    assert time.monotonic() - started < 10, "five answers of 400 tokens would have taken a minute"
