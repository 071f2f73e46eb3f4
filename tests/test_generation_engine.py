"""The engine on the embedded model: it speaks, stops within half a second while it reads, and reuses what it read."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.errors import InvalidRequest
from core.settings import Settings
from generation import embedded
from generation.engine import Engine
from generation.sampling import Sampling
from generation.served import Served, load_chosen
from generation.tokens import Content, encode
from tests.live_model_server import is_idle, live_server, wait_until

pytestmark = pytest.mark.real_model

PASSAGES = "Отпуск предоставляется по графику, утверждённому директором не позднее 17 декабря. " * 60


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("data"), model=embedded.NAME, llm_context_tokens=4096)


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[Served]:
    served = load_chosen(settings)
    yield served
    served.engine.close()


@pytest.fixture
def engine(served: Served) -> Engine:
    return served.engine


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[httpx.Client]:
    with live_server(lambda: load_chosen(settings)) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)
        yield client


def _prompt(engine: Engine, text: str) -> list[int]:
    return encode([Content(text)], engine.vocabulary)


def _never() -> bool:
    return False


def test_it_knows_the_capital_of_russia(engine):
    prompt = _prompt(engine, "Вопрос: Столица России?\nОтвет:")
    generation = engine.generate(prompt, Sampling(max_tokens=20, stop=("\n",)), _never)
    assert "Москва" in "".join(generation)
    assert generation.timings.finish_reason == "stop"
    assert generation.timings.prompt_tokens == len(prompt)


def test_reading_stops_within_half_a_second_and_the_engine_lives_on(engine):
    started = time.monotonic()
    generation = engine.generate(_prompt(engine, PASSAGES), Sampling(5), lambda: time.monotonic() > started + 0.2)
    assert list(generation) == []
    assert time.monotonic() - started < 0.7
    assert generation.timings.finish_reason == "cancelled"
    assert list(engine.generate(_prompt(engine, "Столица"), Sampling(3), _never))


def test_writing_stops_at_the_next_token(engine):
    heard: list[str] = []
    generation = engine.generate(_prompt(engine, "Раз, два, три,"), Sampling(50), lambda: len(heard) >= 3)
    for text in generation:
        heard.append(text)  # what is heard so far decides when it is cancelled
    assert len(heard) == 3
    assert generation.timings.completion_tokens == 4


@pytest.mark.parametrize("is_cut_short", [False, True])
def test_what_chose_the_tokens_is_freed_with_the_answer(served, engine, is_cut_short):
    gc.collect()
    gc.disable()  # it would hide what only a collection frees: megabytes an answer, for minutes
    try:
        for _ in range(3):
            sampling = Sampling(max_tokens=8, constraint=served.grammars.constraint(), alternatives=4)
            words = iter(engine.generate(_prompt(engine, "Столица России —"), sampling, _never))
            next(words)
            if not is_cut_short:
                list(words)
            words.close()
        assert not [one for one in gc.get_objects() if type(one).__name__ in {"LlamaSampler", "CustomSampler"}]
    finally:
        gc.enable()


def test_a_second_question_about_the_same_passages_is_read_four_times_sooner(engine):
    list(engine.generate(_prompt(engine, "Начало."), Sampling(1), _never))
    first = engine.generate(_prompt(engine, f"{PASSAGES}\nВопрос: кто утверждает график?"), Sampling(1), _never)
    list(first)
    second = engine.generate(_prompt(engine, f"{PASSAGES}\nВопрос: до какого числа?"), Sampling(1), _never)
    list(second)
    assert second.timings.reused_tokens > 0.9 * first.timings.prompt_tokens
    assert second.timings.prefill_ms * 4 < first.timings.prefill_ms


def test_text_is_never_cut_inside_a_letter(engine):
    generation = engine.generate(_prompt(engine, "😀😁😂🤣"), Sampling(12, temperature=1.0, seed=3), _never)
    assert "\ufffd" not in "".join(generation)


def test_a_word_longer_than_thirty_two_bytes_is_spelt_whole(engine):
    vocabulary = engine.vocabulary
    long = [token for token in range(len(vocabulary)) if len(vocabulary.piece(token)) > 32]
    assert long
    assert all(vocabulary.piece(token).decode() for token in long)


def test_a_prompt_over_the_context_is_refused_before_it_is_read(engine):
    with pytest.raises(InvalidRequest, match="4095"):
        engine.generate([5] * 4096, Sampling(1), _never)


def test_the_embedded_file_is_joined_once_and_mended(tmp_path: Path):
    path = embedded.assemble(tmp_path)
    written = path.stat().st_mtime_ns
    assert embedded.assemble(tmp_path).stat().st_mtime_ns == written
    path.write_bytes(path.read_bytes()[:-1])
    assert embedded.assemble(tmp_path).stat().st_size == path.stat().st_size
    assert {file.name for file in path.parent.iterdir()} == {path.name, f"{path.name}.verified.json"}


def test_twenty_clients_that_leave_while_it_reads_free_the_slot_within_half_a_second(client):
    for number in range(20):
        body = {"prompt": f"{number}. {PASSAGES}", "max_tokens": 50, "stream": number % 2 == 0}
        with (
            pytest.raises(httpx.ReadTimeout),
            client.stream("POST", "/v1/completions", json=body, timeout=0.3) as stream,
        ):
            stream.read()
        assert wait_until(lambda: is_idle(client), timeout_s=5) < 0.5


def test_a_conversation_works_even_with_a_base_model(client):
    body = {"messages": [{"role": "user", "content": "Столица России?"}], "max_tokens": 20}
    answer = client.post("/v1/chat/completions", json=body).json()["choices"][0]
    assert "Москва" in answer["message"]["content"]
    assert answer["finish_reason"] == "stop"
