"""The model process speaks OpenAI's protocol, keeps one queue, and gives the slot back when a client leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest

from generation.catalogue import Model, load_catalogue
from generation.hub import Shelf, verify
from generation.model_file import sha256_of
from generation.served import Served, Weights, load
from tests import tiny_gguf
from tests.live_model_server import fair, gauge, is_idle, live_server, wait_until

CONTEXT_TOKENS = 8192
LEAVERS = 100
ROOT = Path(__file__).parents[1]
TOO_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from core.errors import Misconfigured
from generation.engine import Engine
pages = int(Path("/proc/self/statm").read_text().split()[0])
held = pages * resource.getpagesize() + 4 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (held, held))
try:
    Engine(Path(sys.argv[1]), context_tokens=16384, threads=1)
except Misconfigured as exc:
    print(exc.code, exc.detail)
"""
ENDLESS = {"prompt": "А", "max_tokens": 8000, "temperature": 0, "stream": True}


@pytest.fixture(scope="module")
def model() -> Model:
    return load_catalogue().find("saiga_nemo_12b")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "model.gguf"
    return tiny_gguf.write_model(path, tiny_gguf.nemo_tokens())


@pytest.fixture(scope="module")
def client(model: Model, tiny: Path) -> Iterator[httpx.Client]:
    def load_model() -> Served:
        return load(model, Weights(tiny), context_tokens=CONTEXT_TOKENS, threads=1)

    with live_server(load_model, queue_max=20) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)
        yield client


@pytest.fixture
def openai_client(client: httpx.Client) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="none", max_retries=0) as speaker:
        yield speaker


def _chat(**fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": "Почему?"}], "max_tokens": 8, "temperature": 0, **fields}


def _events(response: httpx.Response) -> list[dict]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_a_chat_answer_has_text_reason_and_usage(client, model):
    answer = client.post("/v1/chat/completions", json=_chat()).json()
    assert answer["model"] == model.name
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert answer["choices"][0]["finish_reason"] in {"stop", "length"}
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert 1 <= usage["completion_tokens"] <= 8


def test_a_stream_says_what_a_whole_answer_says(client):
    whole = client.post("/v1/chat/completions", json=_chat()).json()["choices"][0]
    stream = client.post("/v1/chat/completions", json=_chat(stream=True, stream_options={"include_usage": True}))
    assert stream.headers["content-type"].startswith("text/event-stream")
    *events, usage = _events(stream)
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in events) == whole["message"]["content"]
    assert events[-1]["choices"][0]["finish_reason"] == whole["finish_reason"]
    assert usage["choices"] == []
    assert usage["usage"]["prompt_tokens"] > 0


def test_a_raw_completion_continues_a_text(client):
    body = {"prompt": "Ответ:", "max_tokens": 5, "temperature": 0}
    whole = client.post("/v1/completions", json=body).json()
    assert whole["object"] == "text_completion"
    events = _events(client.post("/v1/completions", json={**body, "stream": True}))
    assert "".join(e["choices"][0]["text"] for e in events) == whole["choices"][0]["text"]


def test_a_stop_word_ends_the_text_before_it(client):
    body = {"prompt": "А", "max_tokens": 40, "temperature": 0}
    text = client.post("/v1/completions", json=body).json()["choices"][0]["text"]
    stopped = client.post("/v1/completions", json={**body, "stop": [text[3]]}).json()["choices"][0]
    assert stopped["text"] == text[: text.index(text[3])]
    assert stopped["finish_reason"] == "stop"


def test_a_seed_repeats_a_text(client):
    def say(seed: int) -> str:
        body = {"prompt": "А", "max_tokens": 30, "temperature": 1.5, "top_k": 0, "top_p": 1, "seed": seed}
        return client.post("/v1/completions", json=body).json()["choices"][0]["text"]

    assert say(1) == say(1) != say(2)


def test_max_completion_tokens_is_the_newer_word_for_max_tokens(client):
    answer = client.post("/v1/completions", json={"prompt": "А", "max_completion_tokens": 3}).json()
    assert answer["usage"]["completion_tokens"] <= 3


def test_the_official_client_reads_whole_answers_and_streams(openai_client, model):
    whole = openai_client.chat.completions.create(model=model.name, **_chat())
    stream = openai_client.chat.completions.create(model=model.name, stream=True, **_chat())
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == whole.choices[0].message.content
    assert [one.id for one in openai_client.models.list()] == [model.name]
    raw = openai_client.completions.create(model=model.name, prompt="А", max_tokens=3)
    assert raw.usage.completion_tokens <= 3


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(openai_client, model):
    with pytest.raises(openai.BadRequestError) as refused:
        openai_client.completions.create(model=model.name, prompt="а" * CONTEXT_TOKENS)
    assert refused.value.code == "context_overflow"
    assert str(CONTEXT_TOKENS - 1) in refused.value.message
    assert str(2 * CONTEXT_TOKENS + 1) in refused.value.message


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": []},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"temperature": 3},
        {"max_tokens": 0},
        {"n": 2},
    ],
)
def test_a_wrong_request_names_its_field(client, wrong):
    refused = client.post("/v1/chat/completions", json=_chat(**wrong))
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "invalid_request_error"
    assert next(iter(wrong)) in refused.json()["error"]["message"]


def test_tokens_are_counted_even_while_the_model_speaks(client):
    with client.stream("POST", "/v1/completions", json=ENDLESS) as stream:
        texts = stream.iter_text()  # held: httpx hangs up when the iterator is dropped
        next(texts)
        assert client.post("/tokenize", json={"content": "Да"}).json() == {"count": 4}
        assert gauge(client, "busy") == 1
    wait_until(lambda: is_idle(client))


def test_a_hundred_clients_that_leave_at_once_free_the_slot(model, tiny):
    def load_model() -> Served:
        return load(model, Weights(tiny), context_tokens=CONTEXT_TOKENS, threads=1)

    with live_server(load_model, queue_max=LEAVERS) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)
        right = _said(client)
        unbounded = httpx.Client(base_url=client.base_url, timeout=120, limits=httpx.Limits(max_connections=None))
        with unbounded as crowd:
            streams = [
                crowd.send(crowd.build_request("POST", "/v1/completions", json=ENDLESS), stream=True)
                for _ in range(LEAVERS)
            ]
            assert gauge(client, "busy") == 1
            assert gauge(client, "waiting") == LEAVERS - 1
            for stream in reversed(streams):
                stream.close()
        assert wait_until(lambda: is_idle(client), timeout_s=fair(10)) < fair(2.0)
        assert _said(client) == right


def _said(client: httpx.Client) -> str:
    body = {"prompt": "Ответ:", "max_tokens": 12, "temperature": 0}
    return client.post("/v1/completions", json=body).json()["choices"][0]["text"]


def test_a_hundred_clients_that_leave_mid_answer_one_by_one_each_free_the_slot(client):
    right = _said(client)
    for n in range(LEAVERS):
        with client.stream("POST", "/v1/completions", json=ENDLESS) as stream:
            next(stream.iter_text())
        assert wait_until(lambda: is_idle(client), timeout_s=fair(5)) < fair(0.5), n
    assert _said(client) == right


def test_a_hundred_clients_that_leave_mid_prefill_each_free_the_slot_within_half_a_second(client):
    right = _said(client)
    longest_s = 0.0
    for n in range(LEAVERS):
        # Another text each time, so that nothing of the prompt stands in the context yet.
        prompt = f"{n} " + "".join(chr(0x430 + (place * (n + 7)) % 32) for place in range(3900))
        body = {"prompt": prompt, "max_tokens": 50, "temperature": 0, "stream": True}
        with client.stream("POST", "/v1/completions", json=body):
            wait_until(lambda: gauge(client, "busy") == 1)
        longest_s = max(longest_s, wait_until(lambda: is_idle(client), timeout_s=fair(5)))
        assert longest_s < fair(0.5), n
    print(f"{LEAVERS} of {LEAVERS}, the longest took {longest_s:.3f} s")
    assert _said(client) == right


def test_a_client_that_leaves_without_a_stream_frees_the_slot(client):
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/completions", json={**ENDLESS, "stream": False}, timeout=0.2)
    assert wait_until(lambda: is_idle(client), timeout_s=5) < 0.5


def test_nobody_gets_anothers_answer(client):
    def say(prompt: str) -> str:
        body = {"prompt": prompt, "max_tokens": 12, "temperature": 0}
        return client.post("/v1/completions", json=body).json()["choices"][0]["text"]

    prompts = [letter * 3 for letter in "АБВГДЕЖЗ"]
    alone = [say(prompt) for prompt in prompts]
    with ThreadPoolExecutor(8) as clients:
        assert list(clients.map(say, prompts * 2)) == alone * 2


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(model, tiny):
    def load_model() -> Served:
        return load(model, Weights(tiny), context_tokens=CONTEXT_TOKENS, threads=1)

    with live_server(load_model, queue_max=1) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)
        streams = [
            client.send(client.build_request("POST", "/v1/completions", json=ENDLESS), stream=True) for _ in range(2)
        ]
        refused = client.post("/v1/completions", json=ENDLESS)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error"]["code"] == "model_busy"
        assert refused.elapsed.total_seconds() < 0.1
        for stream in streams:
            stream.close()


def test_a_missing_model_keeps_the_process_alive_and_names_path_and_hash(model, tiny, tmp_path):
    shelf = Shelf(tmp_path, tmp_path)
    pinned = Model(**{**{f: getattr(model, f) for f in model.__slots__}, "sha256": sha256_of(tiny)})

    def load_model() -> Served:
        return load(pinned, Weights(verify(pinned, shelf)), context_tokens=512, threads=1)

    with live_server(load_model) as client:
        wait_until(lambda: client.get("/ready").json()["error"]["code"] == "model_missing")
        assert client.get("/live").status_code == 200
        unready = client.get("/ready")
        assert unready.status_code == 503
        assert unready.json()["error"]["path"] == str(shelf.path(pinned))
        assert unready.json()["error"]["expected_sha256"] == pinned.sha256
        assert client.post("/v1/chat/completions", json=_chat()).status_code == 503
        shelf.path(pinned).parent.mkdir(parents=True)
        tiny.rename(shelf.path(pinned).with_name("aside"))
        shelf.path(pinned).with_name("aside").rename(shelf.path(pinned))
        wait_until(lambda: client.get("/ready").status_code == 200)
        shelf.path(pinned).rename(tiny)


@pytest.mark.parametrize("damage", ["truncated", "one bit", "another model"])
def test_a_file_of_the_wrong_hash_is_not_loaded_and_named_with_its_hash(model, tiny, tmp_path, damage):
    shelf = Shelf(tmp_path, tmp_path)
    pinned = Model(**{**{f: getattr(model, f) for f in model.__slots__}, "sha256": sha256_of(tiny)})
    path = shelf.path(pinned)
    path.parent.mkdir(parents=True)
    raw = bytearray(tiny.read_bytes())
    raw[len(raw) // 2] ^= 1
    if damage == "another model":
        tiny_gguf.write_model(path, tiny_gguf.nemo_tokens(), seed=1)
    else:
        path.write_bytes(raw if damage == "one bit" else raw[: len(raw) // 2])

    def load_model() -> Served:
        return load(pinned, Weights(verify(pinned, shelf, trust_stamp=True)), context_tokens=512, threads=1)

    with live_server(load_model) as client:
        wait_until(lambda: client.get("/ready").json()["error"]["code"] == "model_corrupt")
        assert client.get("/live").status_code == 200
        said = client.get("/ready").json()["error"]
        assert (said["path"], said["expected_sha256"]) == (str(path), pinned.sha256)
        assert str(path) in said["message"]
        assert pinned.sha256 in said["message"]
        assert client.post("/v1/completions", json={"prompt": "А"}).status_code == 503


def test_a_model_that_memory_does_not_hold_is_a_reason_and_not_a_crash(tiny):
    done = subprocess.run(
        [sys.executable, "-c", TOO_LITTLE_MEMORY, str(tiny)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "model_unloadable" in done.stdout
    assert "не хватает памяти" in done.stdout


@pytest.mark.parametrize("damage", ["truncated", "not a model"])
def test_a_damaged_file_is_a_reason_and_not_a_crash(model, tiny, tmp_path, damage):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(tiny.read_bytes()[: tiny.stat().st_size // 2] if damage == "truncated" else b"GIF89a")

    def load_model() -> Served:
        return load(model, Weights(broken), context_tokens=512, threads=1)

    with live_server(load_model) as client:
        wait_until(lambda: client.get("/ready").json()["error"]["code"] == "model_unloadable")
        assert str(broken) in client.get("/ready").json()["error"]["message"]


def test_what_was_read_is_not_taken_up_again_once_it_is_to_be_forgotten(client):
    body = {"prompt": "Отпуск длится двадцать восемь дней. " * 3, "max_tokens": 1}

    def reused() -> int:
        answer = client.post("/v1/completions", json=body).json()
        return answer["usage"]["prompt_tokens_details"]["cached_tokens"]

    reused()
    assert reused() > 0
    assert client.post("/forget").json() == {"status": "forgotten"}
    assert reused() == 0
