"""`znayka keys`: programs that may use the API. Works on the database itself, so it needs no running service."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from cli.base import day, moment_of, opened_base, record
from cli.console import say, table
from core.errors import InvalidRequest
from core.types import Role

if TYPE_CHECKING:
    from retrieval.store.grants import Opening
    from retrieval.store.keys import Terms

app = typer.Typer(help="Ключи доступа к API.", no_args_is_help=True)

CollectionsOption = Annotated[
    list[str] | None, typer.Option("--collection", "-c", help="Только эта коллекция; можно указать несколько раз.")
]
RoleOption = Annotated[Role, typer.Option(help="reader — искать и спрашивать, editor — ещё загружать и удалять.")]
SpeaksOption = Annotated[
    bool, typer.Option("--speaks-for-users", help="Ключ страницы: может назвать вошедшего, за которого спрашивает.")
]
ROLES = {Role.READER: "читатель", Role.EDITOR: "редактор", Role.ADMINISTRATOR: "администратор"}


@app.command()
def create(
    name: str,
    collection: CollectionsOption = None,
    role: RoleOption = Role.EDITOR,
    expires: Annotated[str, typer.Option(help="День, с которого ключ не действует: 31.12.2026.")] = "",
    speaks_for_users: SpeaksOption = False,
) -> None:
    """Создать ключ и показать его один раз."""
    from retrieval.store import keys
    from retrieval.store.audit import Action

    with opened_base() as database, database.write() as conn:
        terms = _terms(role, expires, speaks_for_users=speaks_for_users)
        secret = keys.create(conn, name, collection or None, now=time.time(), terms=terms)
        record(conn, Action.KEY_MADE, keys.listing(conn)[-1].id, name=name, role=role)
    say(secret)


@app.command("import")
def import_key(
    name: str,
    variable: Annotated[str, typer.Option(help="Переменная окружения с ключом.")] = "ZNAYKA_UI_API_KEY",
    collection: CollectionsOption = None,
    role: RoleOption = Role.EDITOR,
    speaks_for_users: SpeaksOption = False,
) -> None:
    """Принять ключ из переменной окружения: первый запуск в контейнерах. Повтор ничего не меняет."""
    from retrieval.store import keys
    from retrieval.store.audit import Action

    secret = os.environ.get(variable, "")
    if not secret:
        raise InvalidRequest(
            "no_key", f"Переменная {variable} пуста: задайте в ней ключ, например из openssl rand -hex 32."
        )
    with opened_base() as database, database.write() as conn:
        terms = _terms(role, "", speaks_for_users=speaks_for_users)
        if keys.add(conn, name, secret, collection or None, now=time.time(), terms=terms):
            record(conn, Action.KEY_MADE, keys.listing(conn)[-1].id, name=name, role=role)
    say(f"Ключ «{name}» действует.")


@app.command("list")
def list_keys() -> None:
    """Показать ключи без их секретов."""
    from retrieval.store import keys

    with opened_base() as database, database.read() as conn:
        found = keys.listing(conn)
    if not found:
        say("Ключей нет: сервис принимает запросы только с этого компьютера. Создать: znayka keys create ИМЯ")
        return
    rows = [
        [key.id, key.name, _openings(key.openings), day(key.created_at), day(key.expires_at), day(key.revoked_at)]
        for key in found
    ]
    table(["Номер", "Имя", "Открыто", "Создан", "До", "Отозван"], rows)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="Номер из znayka keys list.")]) -> None:
    """Отозвать ключ: следующий запрос с ним уже не пройдёт."""
    from retrieval.store import keys
    from retrieval.store.audit import Action

    with opened_base() as database, database.write() as conn:
        keys.revoke(conn, key_id, now=time.time())
        record(conn, Action.KEY_REVOKED, key_id)
    say("Ключ отозван.")


def _terms(role: Role, expires: str, *, speaks_for_users: bool) -> Terms:
    from retrieval.store.keys import Terms

    return Terms(role, moment_of(expires), speaks_for_users)


def _openings(openings: tuple[Opening, ...]) -> str:
    return "; ".join(opening_words(one) for one in openings) or "ничего"


def opening_words(opening: Opening) -> str:
    """What is opened, in Russian: «кадры: читатель»."""
    words = {"everything": "всё", "collection": opening.name, "document": f"документ {opening.name}"}
    return f"{words[opening.kind]}: {ROLES[opening.role]}"
