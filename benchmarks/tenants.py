"""Departments that share the service: each with a key, a collection, and a word that stands in no other's documents."""

from __future__ import annotations

import random
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
COMMON = "общая"
WORKING = ("queued", "parsing", "embedding")
READ_S = 1800.0
SEED = 1
BATCH_FILES = 50
SYLLABLES = ("зю", "бра", "кло", "мур", "тел", "фаг", "дри", "пох", "вын", "щук", "жел", "цам")
OWN_QUESTION = "Какое кодовое слово у подразделения?"
QUESTIONS = (
    OWN_QUESTION,
    "Сколько календарных дней длится ежегодный основной отпуск?",
    "Когда выплачиваются отпускные?",
    "Кто согласует командировку?",
    "Кому положен дополнительный отпуск?",
)
QUERIES = (
    "кодовое слово подразделения",
    "срок выплаты отпускных",
    "суточные в командировке",
    "создать виртуальную машину",
    "ограничения и квоты сервиса",
    "график отпусков на год",
    "резервное копирование базы данных",
    "кто отвечает за обращения пользователей",
)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A department. `canary` stands in its documents alone."""

    name: str
    key: str
    canary: str

    def note(self, text: str = "") -> bytes:
        """A document of its own that answers `OWN_QUESTION`."""
        lines = (
            f"Служебная записка: {self.name}",
            f"Кодовое слово подразделения — {self.canary}. Его называют на проходной.",
            text,
        )
        return "\n\n".join(lines).encode()


@dataclass(frozen=True, slots=True)
class Tenants:
    """All of them, and the key that may do anything."""

    admin_key: str
    each: tuple[Tenant, ...]

    def foreign(self, text: str, tenant: Tenant) -> list[str]:
        """Words of other departments in what this one was told."""
        told = text.casefold()
        return [other.canary for other in self.each if other is not tenant and other.canary in told]


def settle(url: str, *, count: int, archive: Path | None, files: int, with_examples: bool = True) -> Tenants:
    """Make the keys, upload the documents to an empty running service, wait until they are read."""
    rng = random.Random(SEED)
    with httpx.Client(base_url=url, timeout=600, trust_env=False) as http:
        admin = _key(http, name="нагрузка", role="administrator", collections=None)
        http.headers["Authorization"] = f"Bearer {admin}"
        tenants = []
        for number in range(1, count + 1):
            name = f"отдел {number}"
            key = _key(http, name=name, role="editor", collections=[name, COMMON])
            tenants.append(Tenant(name, key, "".join(rng.choices(SYLLABLES, k=5)) + str(number)))
            upload(http, [("записка.txt", tenants[-1].note()), *(examples() if with_examples else [])], name)
        for batch in _batches(archive, files):
            upload(http, batch, COMMON)
        wait_until_read(http)
    return Tenants(admin, tuple(tenants))


def upload(http: httpx.Client, files: Sequence[tuple[str, bytes]], collection: str) -> None:
    """Upload files under their names."""
    parts = [("file", file) for file in files]
    http.post("/v1/documents", files=parts, data={"collection": collection}).raise_for_status()


def wait_until_read(http: httpx.Client) -> None:
    """Wait until no document is on its way."""
    deadline = time.monotonic() + READ_S
    while any(_listed(http, status) for status in WORKING):
        if time.monotonic() > deadline:
            raise TimeoutError("the documents do not come to an end")
        time.sleep(0.5)


def examples() -> list[tuple[str, bytes]]:
    """Our three example documents."""
    chosen = (path for path in sorted(EXAMPLES.iterdir()) if path.suffix in {".pdf", ".docx", ".md"})
    return [(path.name, path.read_bytes()) for path in chosen]


def _batches(archive: Path | None, limit: int) -> Iterator[list[tuple[str, bytes]]]:
    """Files of a knowledge base, spread over it; none without an archive."""
    if archive is None or not limit:
        return
    with tarfile.open(archive) as packed:
        members = sorted((m for m in packed if m.name.endswith(".md") and m.size), key=lambda m: m.name)
        chosen = members[:: max(1, len(members) // limit)][:limit]
        read = [(f"{n} {Path(m.name).name}", _bytes(packed, m)) for n, m in enumerate(chosen)]
    for start in range(0, len(read), BATCH_FILES):
        yield read[start : start + BATCH_FILES]


def _bytes(packed: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = packed.extractfile(member)
    return file.read() if file else b""


def _key(http: httpx.Client, **terms: Any) -> str:
    answer = http.post("/v1/keys", json=terms)
    answer.raise_for_status()
    return str(answer.json()["secret"])


def _listed(http: httpx.Client, status: str) -> list[dict[str, Any]]:
    answer = http.get("/v1/documents", params={"status": status, "limit": 1})
    answer.raise_for_status()
    return list(answer.json()["items"])
