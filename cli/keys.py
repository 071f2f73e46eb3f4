"""`znayka keys`: who may use the API. Works on the database itself, so it needs no running service."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import say, table
from core.errors import InvalidRequest

if TYPE_CHECKING:
    from retrieval.store.database import Database

app = typer.Typer(help="Ключи доступа к API.", no_args_is_help=True)

CollectionsOption = Annotated[
    list[str] | None, typer.Option("--collection", "-c", help="Только эта коллекция; можно указать несколько раз.")
]


@app.command()
def create(name: str, collection: CollectionsOption = None) -> None:
    """Создать ключ и показать его один раз."""
    from retrieval.store import keys

    with _database() as database, database.write() as conn:
        secret = keys.create(conn, name, collection or None, now=time.time())
    say(secret)


@app.command("import")
def import_key(
    name: str,
    variable: Annotated[str, typer.Option(help="Переменная окружения с ключом.")] = "ZNAYKA_UI_API_KEY",
    collection: CollectionsOption = None,
) -> None:
    """Принять ключ из переменной окружения: первый запуск в контейнерах. Повтор ничего не меняет."""
    from retrieval.store import keys

    secret = os.environ.get(variable, "")
    if not secret:
        raise InvalidRequest(
            "no_key", f"Переменная {variable} пуста: задайте в ней ключ, например из openssl rand -hex 32."
        )
    with _database() as database, database.write() as conn:
        keys.add(conn, name, secret, collection or None, now=time.time())
    say(f"Ключ «{name}» действует.")


@app.command("list")
def list_keys() -> None:
    """Показать ключи без их секретов."""
    from retrieval.store import keys

    with _database() as database, database.read() as conn:
        found = keys.listing(conn)
    if not found:
        say("Ключей нет: сервис принимает запросы только с этого компьютера. Создать: znayka keys create ИМЯ")
        return
    rows = [
        [
            key.id,
            key.name,
            ", ".join(sorted(key.collections or ())) or "все",
            _day(key.created_at),
            _day(key.revoked_at),
        ]
        for key in found
    ]
    table(["Номер", "Имя", "Коллекции", "Создан", "Отозван"], rows)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="Номер из znayka keys list.")]) -> None:
    """Отозвать ключ: следующий запрос с ним уже не пройдёт."""
    from retrieval.store import keys

    with _database() as database, database.write() as conn:
        keys.revoke(conn, key_id, now=time.time())
    say("Ключ отозван.")


@contextmanager
def _database() -> Iterator[Database]:
    from core.settings import load_settings
    from retrieval.store.database import Database

    settings = load_settings()
    database = Database(settings.sql_url, busy_timeout_s=settings.database_busy_timeout_s)
    try:
        database.migrate()
        yield database
    finally:
        database.close()


def _day(moment: float | None) -> str:
    return "" if moment is None else datetime.fromtimestamp(moment).strftime("%d.%m.%Y")
