"""Uploading folders and listing documents, over HTTP like any other program."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cli.console import say, size, table
from core.errors import InvalidRequest, TryLater
from core.logs import visible
from core.types import Document, Status
from ui.client import Client
from ui.wire import ClientError
from ui.words import personal

ENDS = frozenset({Status.READY, Status.PARTIAL, Status.FAILED})
WORDS = {
    Status.QUEUED: "в очереди",
    Status.PARSING: "читается",
    Status.EMBEDDING: "индексируется",
    Status.READY: "готов",
    Status.PARTIAL: "частично",
    Status.FAILED: "ошибка",
}
POLL_S = 1.0
# Listing thousands of documents takes the service's time from the very work waited for.
POLL_S_PER_DOCUMENT = 0.005
SCREEN = 100
UPLOAD_ATTEMPTS = 5


def find_files(folder: Path) -> list[tuple[str, Path]]:
    """Every file below `folder` and the name of its document, in a stable order; hidden ones are left out.

    A document is named as its file; several files of one name by their paths, or one would replace another.
    Raises `InvalidRequest` when there is nothing to upload.
    """
    if not folder.exists():
        raise InvalidRequest("no_folder", f"Папки {folder} нет: проверьте путь.")
    found = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    base = folder.parent if folder.is_file() else folder
    files = [path for path in found if not any(part.startswith(".") for part in path.relative_to(base).parts)]
    if not files:
        raise InvalidRequest("empty_folder", f"В папке {folder} нет файлов.")
    counts = Counter(path.name for path in files)
    return [(path.name if counts[path.name] == 1 else path.relative_to(base).as_posix(), path) for path in files]


def ingest(client: Client, folder: Path, *, collection: str, replace: bool) -> bool:
    """Upload a folder, wait for every document's end, show the results; True when none failed."""
    files = find_files(folder)
    refused: list[tuple[str, str]] = []
    sent: dict[str, Document] = {}
    for number, (name, path) in enumerate(files, start=1):
        say(f"[{number}/{len(files)}] {visible(name)}")
        try:
            document = _upload(client, name, path, collection=collection, replace=replace)
        except ClientError as exc:
            if exc.status == 0:  # the service itself is gone: the rest would fail alike
                raise
            refused.append((name, exc.detail))
        else:
            sent[document.id] = document
    ended = wait_for_ends(client, sent, collection=collection, sleep=_sleep)
    _show_results(ended, refused)
    return not refused and all(document.status is not Status.FAILED for document in ended)


def wait_for_ends(
    client: Client, sent: dict[str, Document], *, collection: str, sleep: Callable[[float], bool]
) -> list[Document]:
    """Poll until each of these documents is ready, partial or failed, or `sleep` answers False."""
    pause_s = POLL_S + len(sent) * POLL_S_PER_DOCUMENT
    last = ""
    while True:
        current = {one.id: one for one in every_document(client, collection=collection) if one.id in sent}
        working = [one for one in current.values() if one.status not in ENDS]
        line = _progress_line(len(current) - len(working), len(current), working)
        if line != last:
            say(line)
            last = line
        if not working or not sleep(pause_s):
            return list(current.values())


def every_document(client: Client, *, collection: str = "", name: str = "") -> Iterator[Document]:
    """All documents this key may read, screen by screen."""
    cursor: str | None = None
    while True:
        screen = client.documents(name=name, collection=collection, cursor=cursor, limit=SCREEN)
        yield from screen.items
        cursor = screen.next_cursor
        if cursor is None:
            return


def show_documents(documents: Iterable[Document]) -> None:
    """Write a table of documents, and below it the reason of each that is not whole."""
    shown = list(documents)
    if not shown:
        say("Документов нет. Загрузить: znayka ingest ПАПКА")
        return
    rows = [
        [one.name, one.collection, WORDS[one.status], str(one.pages or "—"), str(one.passages), size(one.size_bytes)]
        for one in shown
    ]
    table(["Документ", "Коллекция", "Состояние", "Стр.", "Фрагм.", "Размер"], rows)
    for one in shown:
        if one.error is not None:
            say(f"{one.name}: {one.error.detail}")
        if held := personal(one):
            say(f"{one.name}: {held}")


def _upload(client: Client, name: str, path: Path, *, collection: str, replace: bool) -> Document:
    """Send one file; wait and repeat as long as the service says it is busy."""
    for _ in range(UPLOAD_ATTEMPTS):
        try:
            with path.open("rb") as content:
                return client.upload(name, content, collection=collection, replace=replace)
        except ClientError as exc:
            if exc.retry_after_s is None:
                raise
            say(f"  сервис занят, повторю через {exc.retry_after_s} с")
            _sleep(exc.retry_after_s)
    raise TryLater("service_busy", "Сервис всё ещё занят. Повторите загрузку позже.", retry_after_s=60)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True


def _progress_line(done: int, total: int, working: list[Document]) -> str:
    line = f"Готово {done} из {total}"
    busy = next((one for one in working if one.progress is not None), None)
    if busy is None or busy.progress is None:
        return line
    return f"{line}; {busy.name}: {WORDS[busy.status]}, {busy.progress.done} из {busy.progress.total}"


def _show_results(ended: list[Document], refused: list[tuple[str, str]]) -> None:
    say()
    if ended:
        show_documents(ended)
    for name, reason in refused:
        say(f"{name}: не принят. {reason}")
    counts = {status: sum(one.status is status for one in ended) for status in (Status.READY, Status.PARTIAL)}
    failed = sum(one.status is Status.FAILED for one in ended) + len(refused)
    say(f"Готово: {counts[Status.READY]}, частично: {counts[Status.PARTIAL]}, с ошибкой: {failed}.")
