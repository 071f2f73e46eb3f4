"""The first minutes with an empty base: three example documents and one answered question."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cli.asking import ask
from cli.console import complain, say
from cli.documents import wait_for_ends
from core.errors import ServiceError
from ui.client import Client

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SUFFIXES = frozenset({".pdf", ".docx", ".md"})
QUESTION = "Когда выплачиваются отпускные?"
COLLECTION = "default"


def welcome(client: Client, sleep: Callable[[float], bool]) -> None:
    """Load the examples when there are no documents at all, and show one answer; a failure is told, not raised."""
    try:
        if not client.documents(limit=1).items and (files := _examples()):
            _load(client, files, sleep)
            say(f"\nПробный вопрос: {QUESTION}")
            ask(client, QUESTION)
    except ServiceError as exc:
        if sleep(0):  # otherwise it was the stop that cut the answer off
            complain(f"Пробный вопрос не удался: {exc.detail}")


def _examples() -> list[Path]:
    return sorted(path for path in EXAMPLES.glob("*") if path.suffix in SUFFIXES)


def _load(client: Client, files: list[Path], sleep: Callable[[float], bool]) -> None:
    say("База пуста: загружаю документы-примеры из папки examples.")
    sent = {}
    for path in files:
        with path.open("rb") as content:
            document = client.upload(path.name, content, collection=COLLECTION, replace=False)
        sent[document.id] = document
    wait_for_ends(client, sent, collection=COLLECTION, sleep=sleep)
