"""Files from a Hugging Face hub: resumed after a cut, under their final name only whole and checked.

Written on httpx, not on huggingface_hub: that library resumes, but does not compare what arrived with the SHA-256
that the hub promised, and it asks for disk space only once the download fails.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import httpx

from core.errors import Misconfigured, ServiceError, StorageFull, TryLater
from generation.model_file import Stamp, WrongModelFile, write_stamp

PUBLIC_HUB = "https://huggingface.co"
DISK_RESERVE_BYTES = 100 * 2**20
CUTS_IN_A_ROW = 5
REDIRECTS_MAX = 5


class Progress(Protocol):
    """Told how many of how many bytes are there, now and then."""

    def __call__(self, done_bytes: int, total_bytes: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Remote:
    """A file as the hub describes it; `sha256` is the one the bytes must have."""

    url: str
    file: str
    revision: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Hub:
    """A server that speaks the Hugging Face protocol. `pause_s` is the first wait after a cut; it doubles."""

    endpoint: str = PUBLIC_HUB
    token: str = ""
    timeout_s: float = 30.0
    pause_s: float = 1.0

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Hub:
        """The hub that HF_ENDPOINT and HF_TOKEN name, as every tool of that world reads them."""
        return cls((environ.get("HF_ENDPOINT") or PUBLIC_HUB).rstrip("/"), environ.get("HF_TOKEN", ""))

    def client(self) -> httpx.Client:
        """A connection; httpx drops the token when it is redirected to another host."""
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        return httpx.Client(headers=headers, timeout=self.timeout_s, follow_redirects=True)

    def describe(self, repo: str, file: str) -> Remote:
        """Ask for size, revision and SHA-256. Raises `Misconfigured` or `TryLater`, saying what to do."""
        url = f"{self.endpoint}/{repo}/resolve/main/{quote(file)}"
        try:
            with self.client() as client:
                response = self._head(client, url)
        except (httpx.TransportError, httpx.InvalidURL) as exc:
            raise _unreachable(self.endpoint) from exc
        if not (response.is_success or response.is_redirect):
            raise _refused(response, f"{self.endpoint}/{repo}", file)
        headers = response.headers
        sha256 = headers.get("x-linked-etag", headers.get("etag", "")).removeprefix("W/").strip('"')
        size = headers.get("x-linked-size", headers.get("content-length", ""))
        if not re.fullmatch("[0-9a-f]{64}", sha256) or not size.isdigit():
            detail = f"{self.endpoint} не сообщает SHA-256 и размер {repo}/{file}: проверить файл нечем, он не скачан."
            raise Misconfigured("hub_without_hash", detail)
        return Remote(url, file, headers.get("x-repo-commit", ""), int(size), sha256)

    def _head(self, client: httpx.Client, url: str) -> httpx.Response:
        """Follow moved repositories, but stop at the answer that names the file: storage behind it knows less."""
        response = client.head(url, follow_redirects=False)
        for _ in range(REDIRECTS_MAX):
            if "x-linked-etag" in response.headers or response.next_request is None:
                break
            response = client.send(response.next_request, follow_redirects=False)
        return response


def fetch(hub: Hub, remote: Remote, path: Path, progress: Progress) -> None:
    """Bring the file to `path`, going on where an earlier call was cut.

    Raises `StorageFull` before it starts, `TryLater` when the line keeps breaking (what came is kept),
    `WrongModelFile` when all bytes came and their hash is wrong (they are removed).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The hash in the name: what is left of an older revision is never continued with bytes of a newer one.
    part = path.with_name(f"{path.name}.{remote.sha256[:12]}.part")
    with _exclusive(part) as file:
        _check_space(path.parent, remote.size_bytes - _size(file))
        try:
            _fill(hub, remote, file, progress)
            file.flush()
            os.fsync(file.fileno())
        except OSError as exc:
            raise StorageFull("disk_full", f"Не удалось записать {part}: {exc.strerror}.") from exc
        actual = _hash(file)
        if actual != remote.sha256:
            part.unlink()
            detail = (
                f"Скачанный файл {path.name} испорчен: SHA-256 {actual}, а сервер обещал {remote.sha256}. "
                "Файл удалён. Скачайте ещё раз; если повторится, смените HF_ENDPOINT."
            )
            raise WrongModelFile("model_corrupt", detail, path=path, expected_sha256=remote.sha256)
        part.replace(path)
    write_stamp(path, Stamp.of(path, remote.sha256))


def _fill(hub: Hub, remote: Remote, file: BufferedRandom, progress: Progress) -> None:
    """Append until all bytes are there, giving up after several cuts in a row that brought nothing."""
    cuts = 0
    while (have := _size(file)) < remote.size_bytes:
        cut: httpx.TransportError | None = None
        try:
            _append(hub, remote, file, progress)
        except httpx.TransportError as exc:
            cut = exc
        cuts = 0 if _size(file) > have else cuts + 1
        if cuts >= CUTS_IN_A_ROW:
            raise _unreachable(hub.endpoint) from cut
        if cut:
            time.sleep(hub.pause_s * 2**cuts)
    file.truncate(remote.size_bytes)


def _append(hub: Hub, remote: Remote, file: BufferedRandom, progress: Progress) -> None:
    have = file.seek(0, os.SEEK_END)
    headers = {"Range": f"bytes={have}-"} if have else {}
    with hub.client() as client, client.stream("GET", remote.url, headers=headers) as response:
        if not response.is_success:
            raise _refused(response, hub.endpoint, remote.file)
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            file.truncate(0)
            have = file.seek(0)
        # Without a block size: httpx would keep back, and lose in a cut, what does not fill a block.
        for block in response.iter_bytes():
            have += file.write(block)
            progress(have, remote.size_bytes)
            if have > remote.size_bytes:
                return


def _hash(file: BufferedRandom) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def _size(file: BufferedRandom) -> int:
    file.flush()
    return os.fstat(file.fileno()).st_size


@contextmanager
def _exclusive(part: Path) -> Iterator[BufferedRandom]:
    """The part file, open for appending, held against a second download of the same."""
    with part.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            detail = f"Файл {part.name} уже скачивает другая команда. Дождитесь её или остановите."
            raise Misconfigured("already_pulling", detail) from exc
        yield file


def _check_space(folder: Path, missing_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < missing_bytes + DISK_RESERVE_BYTES:
        needed_gb = (missing_bytes + DISK_RESERVE_BYTES) / 10**9
        raise StorageFull(
            "disk_full",
            f"Для модели нужно ещё {needed_gb:.1f} ГБ в {folder}, свободно {free / 10**9:.1f} ГБ. Освободите место "
            "или задайте другую папку в ZNAYKA_DATA_DIR. Скачивание не начато.",
        )


def _unreachable(endpoint: str) -> TryLater:
    detail = (
        f"Сервер моделей {endpoint} не отвечает. Проверьте сеть и прокси (HTTPS_PROXY) или укажите зеркало в "
        "HF_ENDPOINT и повторите: скачанное сохранится."
    )
    return TryLater("hub_unreachable", detail, retry_after_s=60)


def _refused(response: httpx.Response, page: str, file: str) -> ServiceError:
    if response.headers.get("x-error-code") == "GatedRepo":
        detail = (
            f"Авторы модели просят принять условия: откройте {page}, согласитесь и задайте ключ доступа в HF_TOKEN."
        )
        return Misconfigured("hub_gated", detail)
    if response.status_code in (401, 403, 404):
        detail = f"На {page} нет файла {file}, или он закрыт. Проверьте HF_ENDPOINT, а для закрытого — HF_TOKEN."
        return Misconfigured("hub_not_found", detail)
    detail = f"Сервер моделей ответил ошибкой {response.status_code} на запрос {file}. Повторите позже."
    return TryLater("hub_error", detail, retry_after_s=60)
