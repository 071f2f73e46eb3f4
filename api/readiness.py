"""Whether the service can do its work, part by part."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryFile

import httpx

from core.errors import ServiceError
from ingest.soundness import Watch
from retrieval.store import vectors
from retrieval.store.database import Database

PROBE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class PartState:
    """One part: `detail` is a Russian sentence when it fails, empty when all is well."""

    name: str
    is_ready: bool
    detail: str = ""


class Readiness:
    """Asks each part the cheapest question that proves it alive."""

    def __init__(self, database: Database, data_dir: Path, model_url: str, *, reserve_bytes: int) -> None:
        self._database = database
        self._watch = Watch(database)
        self._data_dir = data_dir
        self._model_url = model_url
        self._reserve_bytes = reserve_bytes
        self._http = httpx.Client(timeout=PROBE_TIMEOUT_S, trust_env=False)

    def parts(self) -> list[PartState]:
        """Return the state of database, disk and model."""
        return [self._database_state(), self._disk_state(), self._model_state()]

    def close(self) -> None:
        """Close the connection to the model server."""
        self._http.close()

    def _database_state(self) -> PartState:
        try:
            with self._database.read() as conn:
                vectors.state(conn)
        except ServiceError as exc:
            return PartState("database", False, exc.detail)
        damage = self._watch.damage()
        return PartState("database", not damage, damage)

    def _disk_state(self) -> PartState:
        free = shutil.disk_usage(self._data_dir).free
        if free < self._reserve_bytes or not _takes_writes(self._data_dir):
            return PartState("disk", False, "На диске мало места или папка данных закрыта для записи.")
        return PartState("disk", True)

    def _model_state(self) -> PartState:
        # Our own model process tells more at /ready; any other OpenAI-compatible server has the list of models.
        for url in (self._model_url.removesuffix("/v1") + "/ready", self._model_url + "/models"):
            try:
                answer = self._http.get(url)
            except httpx.HTTPError:
                return PartState("model", False, "Модель не отвечает: процесс модели не запущен или ещё загружается.")
            if answer.is_success or answer.status_code == HTTPStatus.UNAUTHORIZED:
                return PartState("model", True)
            if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
                return PartState("model", False, _reason(answer))
        return PartState("model", False, "По адресу ZNAYKA_LLM_URL нет сервера модели с протоколом OpenAI.")


def _takes_writes(folder: Path) -> bool:
    """Try it: a file system that the kernel closed after an error still says that it is open for writing."""
    try:
        with TemporaryFile(dir=folder, buffering=0) as file:
            file.write(b"?")
    except OSError:
        return False
    return True


def _reason(answer: httpx.Response) -> str:
    """The sentence in a refusal; our model process says it as OpenAI does, with the path and hash of a wrong file."""
    try:
        body = answer.json()
    except ValueError:
        body = {}
    inner = body.get("error") if isinstance(body, dict) else None
    said = inner.get("message") if isinstance(inner, dict) else None
    return str(said or "Модель загружается.")
