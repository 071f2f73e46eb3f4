"""A model file that is missing, cut or wrong: the service lives, says which file and hash, and goes on searching."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from generation.catalogue import load_catalogue
from generation.hub import Shelf
from tests.live_model_server import wait_until
from tests.service import Service

pytestmark = [pytest.mark.real_model, pytest.mark.crash, pytest.mark.timeout(1800)]

MODEL = "saiga_nemo_12b"
HASH = "ab" * 32
TIMEOUT_S = 600.0


class Modelless(Service):
    """A service whose chosen model never comes up, so that its readiness is asked for by hand."""

    def wait_ready(self, name: str, timeout_s: float = TIMEOUT_S) -> None:
        if name != "llm":
            super().wait_ready(name, timeout_s)

    def get(self, url: str) -> httpx.Response:
        return httpx.get(url, trust_env=False, timeout=TIMEOUT_S)

    def model_state(self) -> dict:
        try:
            return self.get(self.model_url.removesuffix("/v1") + "/ready").json().get("error", {})
        except httpx.HTTPError:
            return {}


def test_without_a_right_model_file_everything_but_answers_works(tmp_path: Path) -> None:
    path = Shelf(tmp_path / "data", tmp_path).path(load_catalogue().find(MODEL))
    document = tmp_path / "Отпуск.txt"
    document.write_text("Отпуск составляет 28 календарных дней.")
    with Modelless(tmp_path / "data", ("api", "worker", "llm"), model=MODEL) as service:
        service.wait_for_end(service.upload(document)[0].id)
        check(service, "model_missing", path, "")
        path.parent.mkdir(parents=True)
        lock = {"repo": "r", "file": path.name, "revision": "1", "size_bytes": 9, "sha256": HASH}
        path.with_name(f"{path.name}.lock.json").write_text(json.dumps(lock))
        path.write_bytes(b"GGUF half of a model")
        check(service, "model_corrupt", path, HASH)


def check(service: Modelless, code: str, path: Path, sha256: str) -> None:
    wait_until(lambda: service.model_state().get("code") == code, timeout_s=TIMEOUT_S)
    state = service.model_state()
    assert (state["path"], state["expected_sha256"]) == (str(path), sha256)
    assert service.get(f"{service.model_url.removesuffix('/v1')}/live").status_code == 200
    assert service.get(f"{service.api_url}/live").status_code == 200
    ready = service.get(f"{service.api_url}/ready")
    assert (ready.status_code, ready.json()["failing"]) == (503, ["model"])
    assert str(path) in ready.json()["parts"]["model"]
    assert sha256 in ready.json()["parts"]["model"]
    wanted = {"url": f"{service.api_url}/v1/search", "json": {"query": "отпуск"}}
    found = httpx.post(trust_env=False, timeout=TIMEOUT_S, **wanted)  # type: ignore[arg-type]
    assert [one["document"] for one in found.json()["passages"]] == ["Отпуск.txt"]
    asked = httpx.post(
        f"{service.api_url}/v1/ask", json={"question": "Какой отпуск?"}, trust_env=False, timeout=TIMEOUT_S
    )
    assert asked.status_code == 503
    assert int(asked.headers["retry-after"]) > 0
